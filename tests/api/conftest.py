"""The API over real HTTP against a real Valkey server. Without workers: a test does what a worker does to a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.api.main import create_app
from service.artifacts import ArtifactStore
from service.config import Settings
from service.jobstore import JobStore, connect
from tests.support.api import HandWorker, serving
from tests.support.http.published import checked
from tests.support.service import running_valkey

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    directory = tmp_path_factory.mktemp("api")
    with running_valkey(directory / "valkey") as server:
        yield Settings(data_dir=directory, redis_url=server.url, reconcile_s=60.0)


@pytest.fixture(scope="session")
def base_url(settings: Settings) -> Iterator[str]:
    with serving(create_app(settings)) as url:
        yield url


@pytest.fixture
def store(settings: Settings) -> Iterator[JobStore]:
    """An empty job store, the one that the API uses."""
    assert settings.redis_url is not None
    with connect(settings.redis_url) as client:
        client.flushdb()
        yield JobStore(client)


@pytest.fixture
def artifacts(settings: Settings) -> ArtifactStore:
    return ArtifactStore.of(settings)


@pytest.fixture
def api(base_url: str, store: JobStore) -> Iterator[httpx.Client]:
    """A client of the API, with no jobs yet."""
    assert store.queued() == 0
    with checked(base_url, timeout=40) as client:
        yield client


@pytest.fixture
def worker(store: JobStore, artifacts: ArtifactStore) -> HandWorker:
    return HandWorker(store, artifacts)
