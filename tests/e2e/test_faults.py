"""What dies while a job runs is replaced, and the job is finished by another attempt."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from service.artifacts import ArtifactStore
from service.jobs.dispatch import Dispatcher
from service.jobstore import JobStore, check_together, connect
from tests.support.job_records import submit
from tests.support.service import Service, running_valkey, slow_job

pytestmark = pytest.mark.e2e


def test_a_killed_trainer_costs_an_attempt_and_no_more(service: Service) -> None:
    job_id = service.submit(slow_job(seconds=1.5))
    service.wait_running(job_id)
    os.kill(service.pid_of("worker.trainer"), signal.SIGKILL)
    service.wait_running(job_id, attempt=2)
    job = service.wait_for(job_id, "succeeded")
    assert (job["attempt"], job["crashes"], job["outages"]) == (2, 1, 0)


def test_a_killed_worker_loses_its_job_to_another_attempt(service: Service) -> None:
    job_id = service.submit(slow_job(seconds=1.5))
    service.wait_running(job_id)
    trainer = service.pid_of("worker.trainer")
    os.killpg(service.pid_of("-m worker.start"), signal.SIGKILL)
    job = service.wait_for(job_id, "succeeded")
    assert (job["attempt"], job["crashes"], job["outages"]) == (2, 0, 1)
    assert service.pid_of("worker.trainer") != trainer


def test_more_outages_than_a_job_may_crash_fail_nothing(service: Service) -> None:
    job_id = service.submit(slow_job(seconds=1.5))
    for attempt in range(1, 5):
        service.wait_running(job_id, attempt=attempt)
        os.kill(service.pid_of("billiard.spawn"), signal.SIGKILL)
    job = service.wait_for(job_id, "succeeded")
    assert (job["crashes"], job["outages"]) == (0, 4)


def test_a_job_that_kills_every_trainer_fails(service: Service) -> None:
    job = service.wait_for(service.submit(slow_job(behaviour=2)), "failed")
    assert job["attempt"] == 3
    assert job["error"]["code"] == "worker_lost"
    assert job["error"]["origin"] == "system"
    assert job["error"]["retryable"]
    assert (job["crashes"], job["outages"]) == (3, 0)
    assert "Segmentation fault" in job["error"]["detail"]
    assert "slow_executor.py" in job["error"]["detail"], "the end of what it wrote"


def test_a_killed_api_does_not_touch_the_jobs(service: Service) -> None:
    running = service.submit(slow_job(seconds=1.5))
    waiting = service.submit(slow_job())
    service.wait_running(running)
    os.kill(service.pid_of("service.api.server"), signal.SIGKILL)
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


def test_a_valkey_that_hangs_is_an_error_while_it_hangs_and_loses_nothing(service: Service) -> None:
    running = service.submit(slow_job(seconds=1.5))
    service.wait_running(running)
    valkey = service.pid_of("valkey-server")
    os.kill(valkey, signal.SIGSTOP)
    try:
        answer = service.client.post("/v1/jobs", json=slow_job())
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
    finally:
        os.kill(valkey, signal.SIGCONT)
    service.wait_for(running, "succeeded")


def test_a_worker_that_cannot_start_a_trainer_ends_and_says_so(tmp_path: Path) -> None:
    with running_valkey(tmp_path / "valkey") as valkey, connect(valkey.url) as client:
        store, dispatcher = JobStore(client), Dispatcher(valkey.url, client)
        check_together(client, ArtifactStore(tmp_path / "artifacts"), name=True)
        job = submit(store)
        assert dispatcher.send()
        dispatcher.close()
        broken = {
            "DEEPLIMIT_REDIS_URL": valkey.url,
            "DEEPLIMIT_DATA_DIR": str(tmp_path),
            "DEEPLIMIT_EXECUTOR": "worker.no_such_module:execute",
        }
        command = [str(Path(sys.executable).parent / "deeplimit"), "worker"]
        environment = {**os.environ, **broken}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == os.EX_UNAVAILABLE, ended.stderr
        assert ended.stderr.count("ModuleNotFoundError: No module named 'worker.no_such_module'") == 3
        assert "no trainer can be started" in ended.stderr
        left = store.get(job.id)
        assert left is not None
        assert (left.status, left.attempt) == ("queued", 1)  # for another worker


def test_a_lost_hint_costs_a_second(service: Service) -> None:
    running = service.submit(slow_job(seconds=0.5))
    service.wait_running(running)
    waiting = service.submit(slow_job())
    configuration = dict(
        line.split(" ", 1) for line in (service.data_dir / "valkey" / "valkey.conf").read_text().splitlines()
    )
    socket = configuration["unixsocket"].strip('"')
    with connect(f"unix://:{configuration['requirepass']}@{socket}") as client:
        client.delete("deeplimit")
    assert service.wait_for(waiting, "succeeded", within=5)["attempt"] == 1
