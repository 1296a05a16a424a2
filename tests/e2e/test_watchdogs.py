"""What lives and does nothing is replaced, and the log says so."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.support.service import SLOW, Service, gone, slow_job

pytestmark = pytest.mark.e2e

WATCHED = {"DEEPLIMIT_EXECUTOR": SLOW, "DEEPLIMIT_LEASE_S": "300", "DEEPLIMIT_PROBE_S": "1", "DEEPLIMIT_TICK_S": "3"}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("watched") / "data", WATCHED)
    running.start()
    yield running
    running.stop()


def test_a_trainer_that_hangs_costs_a_crash(watched: Service) -> None:
    job_id = watched.submit(slow_job(seconds=1.5))
    watched.wait_running(job_id)
    trainer = watched.pid_of("worker.trainer")
    os.kill(trainer, signal.SIGSTOP)
    job = watched.wait_for(job_id, "succeeded")
    assert (job["attempt"], job["crashes"], job["outages"]) == (2, 1, 0)
    assert gone({trainer: ""})
    assert f"job {job_id}: its trainer hangs: silent for 3 s" in watched.log


def test_a_trainer_that_is_busy_without_progress_does_not_hang(watched: Service) -> None:
    job = watched.wait_for(watched.submit(slow_job(seconds=6.0, behaviour=6)), "succeeded")
    assert (job["attempt"], job["crashes"], job["progress"]["fraction"]) == (1, 0, 1.0)


@pytest.mark.parametrize(
    ("role", "words"),
    [("api", "service.api.server"), ("valkey", "valkey-server"), ("worker-0", "-m worker.start")],
    ids=["api", "valkey", "celery"],
)
def test_a_process_of_serve_that_hangs_is_replaced(watched: Service, role: str, words: str) -> None:
    watched.ready_trainer()
    hung = watched.pid_of(words)
    os.kill(hung, signal.SIGSTOP)
    assert gone({hung: ""}, within=60), watched.log[-3000:]
    assert f"{role} hangs" in watched.log
    assert watched.pid_of(words) != hung
    watched.client.close()  # what it held to an API that hung
    watched.connect()
    assert watched.wait_for(watched.submit(slow_job()), "succeeded")["crashes"] == 0


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "with a job"])
def test_a_pool_process_that_hangs_is_replaced(watched: Service, busy: bool) -> None:
    watched.ready_trainer()
    job_id = watched.submit(slow_job(seconds=1.0)) if busy else None
    if job_id is not None:
        watched.wait_running(job_id)
    hung = watched.pid_of("billiard.spawn")
    os.kill(hung, signal.SIGSTOP)
    if job_id is None:
        job_id = watched.submit(slow_job())
    job = watched.wait_for(job_id, "succeeded", within=80)
    assert gone({hung: ""})
    assert f"process {hung}, which runs tasks, hangs" in watched.log
    assert (job["attempt"], job["crashes"], job["outages"]) == ((2, 0, 1) if busy else (1, 0, 0))
