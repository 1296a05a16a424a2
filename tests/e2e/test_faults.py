"""What dies while a job runs is replaced, and the job is finished by another attempt."""

import os
import signal
import time

import pytest

from service.jobstore import connect
from tests.support.service import Service, slow_job

pytestmark = pytest.mark.e2e


def test_a_killed_trainer_costs_an_attempt_and_no_more(service: Service) -> None:
    job_id = service.submit(slow_job(seconds=1.5))
    service.wait_running(job_id)
    os.kill(service.pid_of("worker.trainer"), signal.SIGKILL)
    service.wait_running(job_id, attempt=2)
    job = service.wait_for(job_id, "succeeded")
    assert job["attempt"] == 2


def test_a_killed_worker_loses_its_job_to_another_attempt(service: Service) -> None:
    job_id = service.submit(slow_job(seconds=1.5))
    service.wait_running(job_id)
    trainer = service.pid_of("worker.trainer")
    os.killpg(service.pid_of("-m celery"), signal.SIGKILL)
    job = service.wait_for(job_id, "succeeded")
    assert job["attempt"] == 2
    assert service.pid_of("worker.trainer") != trainer


def test_a_job_that_kills_every_trainer_fails(service: Service) -> None:
    job = service.wait_for(service.submit(slow_job(behaviour=2)), "failed")
    assert job["attempt"] == 3
    assert job["error"]["code"] == "worker_lost"
    assert job["error"]["origin"] == "system"
    assert job["error"]["retryable"]


def test_a_killed_api_does_not_touch_the_jobs(service: Service) -> None:
    running = service.submit(slow_job(seconds=1.5))
    waiting = service.submit(slow_job())
    service.wait_running(running)
    os.kill(service.pid_of("service.server"), signal.SIGKILL)
    assert service.wait_for(running, "succeeded")["attempt"] == 1
    assert service.wait_for(waiting, "succeeded")["attempt"] == 1


def test_a_killed_valkey_loses_nothing(service: Service) -> None:
    done = service.submit(slow_job())
    service.wait_for(done, "succeeded")
    running = service.submit(slow_job(seconds=1.5))
    waiting = service.submit(slow_job())
    service.wait_running(running)
    os.kill(service.pid_of("valkey-server"), signal.SIGKILL)
    assert service.wait_for(running, "succeeded")["status"] == "succeeded"
    assert service.wait_for(waiting, "succeeded")["attempt"] == 1
    assert service.job(done)["status"] == "succeeded"


def test_a_valkey_that_hangs_is_an_error_soon_and_loses_nothing(service: Service) -> None:
    running = service.submit(slow_job(seconds=1.5))
    service.wait_running(running)
    valkey = service.pid_of("valkey-server")
    os.kill(valkey, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        answer = service.client.post("/v1/jobs", json=slow_job())
        assert time.monotonic() - begin < 6
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
    finally:
        os.kill(valkey, signal.SIGCONT)
    service.wait_for(running, "succeeded")


def test_a_lost_hint_costs_a_second(service: Service) -> None:
    running = service.submit(slow_job(seconds=0.5))
    service.wait_running(running)
    waiting = service.submit(slow_job())
    configuration = dict(
        line.split(" ", 1) for line in (service.data_dir / "valkey" / "valkey.conf").read_text().splitlines()
    )
    with connect(f"redis://:{configuration['requirepass']}@127.0.0.1:{configuration['port']}/0") as client:
        client.delete("deeplimit")
    assert service.wait_for(waiting, "succeeded", within=5)["attempt"] == 1
