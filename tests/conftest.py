"""Fixtures that several parts of the tests share: a real Valkey, and a job store on it."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from service.jobstore import JobStore, connect
from service.runtime.valkey import ValkeyServer
from tests.support.http.scripted import ScriptedServer, scripted_server
from tests.support.service import Service, running_valkey

# Before any test imports torch: the servers and workers of other tests want the same cores, and threads that spin while
# they wait for each other would then take several times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores: many tests wait for processes that they have started."""
    return (os.cpu_count() or 1) + 1


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the fused kernel before the first test, if that has not been done here: or it would turn up halfway."""
    of_xdist = hasattr(session.config, "workerinput")
    if importlib.util.find_spec("numba") is not None and not of_xdist:
        subprocess.run([sys.executable, "-m", "tests.support.project.compiled"], check=True)


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A real Valkey server for the whole run; tests share it and empty it."""
    with running_valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def redis_url(valkey: ValkeyServer) -> str:
    """Address of an empty Valkey server."""
    with connect(valkey.url) as client:
        client.flushall()
    return valkey.url


@pytest.fixture
def store(redis_url: str) -> Iterator[JobStore]:
    """Job store on an empty server, with leases that run out soon."""
    with connect(redis_url) as client:
        yield JobStore(client, lease_s=0.2, max_crashes=3, max_queued=1000)


@pytest.fixture(scope="session")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that trains, for all tests that leave it in order; it may hold their jobs and data sets."""
    running = Service(tmp_path_factory.mktemp("trainer") / "data", {"DEEPLIMIT_TORCH_THREADS": "1"})
    running.start()
    yield running
    running.stop()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server that answers from a script."""
    with scripted_server() as script:
        yield script
