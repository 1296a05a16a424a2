"""Workers of their own against one Redis server, and the service inside another program."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from service.config import Settings
from service.runtime.data_directory import ServeError
from service.runtime.supervisor import embedded_service
from tests.e2e.conftest import QUICK
from tests.support.service import ROOT, SLOW, Service, descendants, gone, running_valkey, slow_job

pytestmark = pytest.mark.e2e


def test_workers_elsewhere_do_the_jobs_of_a_service_without_any(tmp_path: Path) -> None:
    with running_valkey(tmp_path / "valkey") as valkey:
        environment = {**QUICK, "DEEPLIMIT_REDIS_URL": valkey.url}
        service = Service(tmp_path / "data", environment, workers=0)
        service.start()
        command = [str(Path(sys.executable).parent / "deeplimit"), "worker"]
        environment |= {"DEEPLIMIT_DATA_DIR": str(service.data_dir), "PYTHONPATH": str(ROOT)}
        with (tmp_path / "worker.log").open("wb") as log:
            workers = [
                subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log) for _ in range(2)
            ]
        try:
            jobs = [service.submit(slow_job(seconds=0.5)) for _ in range(4)]
            for job_id in jobs:
                service.wait_for(job_id, "succeeded")
        finally:
            below = {pid: command for worker in workers for pid, command in descendants(worker.pid).items()}
            for worker in workers:
                worker.terminate()
            assert [worker.wait(10) for worker in workers] == [0, 0]
            service.stop()
        assert gone(below, within=0.5)


def test_the_service_runs_inside_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # where the executor of the tests is
    settings = Settings(data_dir=tmp_path / "data", port=0, executor=SLOW)
    before = set(descendants(os.getpid()))
    with embedded_service(settings, log_dir=tmp_path / "logs") as address:
        answer = httpx.post(f"{address}/v1/jobs", json=slow_job(), headers={"Prefer": "wait=30"}, timeout=40)
        assert answer.json()["status"] == "succeeded"
        with (
            pytest.raises(ServeError, match="in use"),
            embedded_service(settings.model_copy(update={"port": 0}), log_dir=tmp_path / "others"),
        ):
            pass
        below = {pid: name for pid, name in descendants(os.getpid()).items() if pid not in before}
    assert gone(below, within=0.5)
    assert {path.name for path in (tmp_path / "logs").iterdir()} == {"api.log", "valkey.log", "worker-0.log"}
    assert "supervisor" not in {thread.name for thread in threading.enumerate()}
