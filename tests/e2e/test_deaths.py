"""Whoever saw a worker die frees what it held; with leases of five minutes nothing else could do so in time."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import SLOW, Service, gone, running_valkey, slow_job

pytestmark = pytest.mark.e2e

LASTING = {"DEEPLIMIT_EXECUTOR": SLOW, "DEEPLIMIT_LEASE_S": "300"}


@pytest.fixture
def lasting(tmp_path: Path) -> Iterator[Service]:
    """A service whose leases run out after any test, not started yet."""
    running = Service(tmp_path / "data", LASTING)
    yield running
    if running.started:
        running.stop()


@pytest.mark.parametrize("process", ["billiard.spawn", "-m worker.start"])
def test_a_job_of_a_process_that_dies_is_free_at_once(lasting: Service, process: str) -> None:
    lasting.start()
    job_id = lasting.submit(slow_job(seconds=1.0))
    lasting.wait_running(job_id)
    os.kill(lasting.pid_of(process), signal.SIGKILL)
    job = lasting.wait_for(job_id, "succeeded")
    assert (job["attempt"], job["crashes"], job["outages"]) == (2, 0, 1)
    assert "1 jobs of a dead worker wait again" in lasting.log, "by whoever saw it, and not by its successor"


def test_a_service_that_starts_again_frees_what_it_held(lasting: Service) -> None:
    lasting.start()
    job_id = lasting.submit(slow_job(seconds=1.0))
    lasting.wait_running(job_id)
    lasting.process.kill()
    lasting.process.wait()
    lasting.client.close()
    lasting.start()
    job = lasting.wait_for(job_id, "succeeded")
    assert (job["attempt"], job["crashes"], job["outages"]) == (2, 0, 1)


def test_a_worker_on_other_objects_takes_no_job(tmp_path: Path) -> None:
    with running_valkey(tmp_path / "valkey") as valkey:
        service = Service(tmp_path / "data", {**LASTING, "DEEPLIMIT_REDIS_URL": valkey.url}, workers=0)
        service.start()
        try:
            job_id = service.submit(slow_job())
            apart = service.whole_environment | {"DEEPLIMIT_DATA_DIR": str(tmp_path / "elsewhere")}
            for command in (["worker"], ["serve", "--port", "0"]):
                ended = subprocess.run(
                    [str(Path(sys.executable).parent / "deeplimit"), *command],
                    env=apart,
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=False,
                )
                assert ended.returncode in {2, os.EX_UNAVAILABLE}, ended.stderr
                assert "are not those of the jobs in Redis" in ended.stderr
                assert "Traceback" not in ended.stderr
            assert service.job(job_id)["status"] == "queued"
        finally:
            service.stop()
        assert gone({service.process.pid: ""})
