"""Storage that is full, read-only or broken for a while: nothing is spent, nothing fails, and it is said."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from service.scratch import PLACE
from tests.e2e.conftest import QUICK
from tests.support.faults.disk import full_for, may_mount, read_only, small_disk
from tests.support.service import ROOT, Service, descendants, pause, slow_job
from tests.support.slow_executor import LARGE_BYTES, Behaviour

pytestmark = pytest.mark.e2e

INLINE = {"kind": "train", "data": {"source": "inline", "inputs": [[1.0], [-1.0], [0.5]], "targets": [2.0, -2.0, 0.9]}}
CSV = b"x,y\n" + b"".join(f"{row},{2 * row}.5\n".encode() for row in range(20))


def is_refused_for_now(answer: httpx.Response) -> bool:
    known = (answer.status_code, answer.json().get("code")) == (503, "objects_unavailable")
    return known and int(answer.headers["Retry-After"]) > 0


def is_unavailable(service: Service) -> bool:
    for _ in range(20):
        if service.client.post("/v1/jobs", json=slow_job()).status_code == 503:
            return True
        pause(0.1)
    return False


def upload(service: Service) -> httpx.Response:
    return service.client.post("/v1/datasets", content=CSV, headers={"Content-Type": "text/csv"})


def below(service: Service, *words: str) -> list[int]:
    """Processes of the service whose command line has one of the words."""
    found = descendants(service.process.pid)
    return [pid for pid, command in found.items() if any(word in command for word in words)]


def fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        while True:
            file.write(os.urandom(4096))


def has_no_worker(service: Service) -> bool:
    for _ in range(500):
        if not service.client.get("/v1/capabilities").json()["workers"]:
            return True
        pause(0.02)
    return False


@pytest.mark.parametrize(("command", "status"), [("serve", 2), ("worker", os.EX_UNAVAILABLE)])
def test_a_store_that_cannot_be_opened_is_said_and_ends_what_needs_it(
    tmp_path: Path, redis_url: str, command: str, status: int
) -> None:
    (tmp_path / "file").write_bytes(b"a file where a folder belongs, which root cannot pass either")
    given = {
        "DEEPLIMIT_REDIS_URL": redis_url,
        "DEEPLIMIT_DATA_DIR": str(tmp_path / "data"),
        "DEEPLIMIT_ARTIFACTS_URL": str(tmp_path / "file" / "artifacts"),
        "DEEPLIMIT_PORT": "0",
        "PYTHONPATH": str(ROOT),
    }
    ended = subprocess.run(
        [str(Path(sys.executable).parent / "deeplimit"), command],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == status, ended.stderr
    assert f"no objects can be kept in {tmp_path / 'file' / 'artifacts'}: Not a directory" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_api_on_a_full_disk_refuses_for_now_and_is_not_ready(service: Service) -> None:
    with full_for(service.pid_of("service.api.server")):
        assert is_refused_for_now(service.client.get("/readyz"))
        assert is_refused_for_now(service.client.post("/v1/jobs", json=INLINE))
        assert is_refused_for_now(upload(service))
        assert service.client.get("/livez").is_success
    assert service.client.get("/readyz").is_success
    assert upload(service).status_code == 201


def test_jobs_wait_for_a_full_disk_and_spend_nothing(own_service: Service) -> None:
    own_service.start()
    own_service.ready_trainer()
    with full_for(*below(own_service, "worker.trainer", "billiard.spawn")):
        jobs = [own_service.submit(slow_job()) for _ in range(20)]
        assert has_no_worker(own_service), "one that cannot store anything is not ready"
        assert {own_service.job(job)["status"] for job in jobs} == {"queued"}
    ended = [own_service.wait_for(job, "succeeded") for job in jobs]
    assert {(job["attempt"], job["crashes"], job["outages"]) for job in ended} == {(1, 0, 0)}
    own_service.ready_trainer()


def test_a_job_waits_for_room_for_all_of_its_results(own_service: Service) -> None:
    own_service.start()
    own_service.ready_trainer()
    with full_for(*below(own_service, "worker.trainer", "billiard.spawn"), room=LARGE_BYTES // 2):
        job_id = own_service.submit(slow_job(behaviour=Behaviour.LARGE))
        assert has_no_worker(own_service)
        pause(4.0)  # a job that was given back waits for 1 s, and then for 2 s
        assert own_service.job(job_id)["status"] == "queued"
        assert own_service.log.count(f"job {job_id}: attempt") == 1, "it is not computed for nothing"
        assert own_service.client.get("/v1/capabilities").json()["workers"] == []
    ended = own_service.wait_for(job_id, "succeeded")
    assert (ended["attempt"], ended["crashes"], ended["outages"]) == (1, 0, 0)
    assert own_service.log.count(f"job {job_id}: attempt") == 2


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_disk_that_is_full_or_read_only_for_all_processes(tmp_path: Path, own_service: Service, fault: str) -> None:
    if not may_mount(tmp_path):
        pytest.skip("to mount a small disk takes root")
    with small_disk(tmp_path / "disk", "8m") as disk:
        own_service.environment = {**own_service.environment, "DEEPLIMIT_ARTIFACTS_URL": str(disk / "artifacts")}
        own_service.start()
        done = own_service.submit(slow_job())
        own_service.wait_for(done, "succeeded")
        if fault == "full":
            filler = disk / "filler"
            with pytest.raises(OSError, match="No space"):
                fill(filler)
        else:
            read_only(disk, ro=True)
        jobs = [own_service.submit(slow_job()) for _ in range(20)]
        assert has_no_worker(own_service)
        assert is_refused_for_now(own_service.client.get("/readyz"))
        assert is_refused_for_now(own_service.client.post("/v1/jobs", json=INLINE))
        assert is_refused_for_now(upload(own_service))
        if fault == "full":
            filler.unlink()
        else:
            assert is_refused_for_now(own_service.client.delete(f"/v1/jobs/{done}"))
            assert own_service.client.get(f"/v1/jobs/{done}/results").is_success, "the record and all of it are there"
            read_only(disk, ro=False)
            assert own_service.client.delete(f"/v1/jobs/{done}").status_code == 204
        ended = [own_service.wait_for(job, "succeeded") for job in jobs]
        assert {(job["attempt"], job["crashes"], job["outages"]) for job in ended} == {(1, 0, 0)}
        assert own_service.client.get("/readyz").is_success
        own_service.stop()


def test_what_a_killed_api_has_of_an_upload_is_swept(own_service: Service) -> None:
    own_service.start()
    scratch = own_service.data_dir / PLACE
    head = "POST /v1/datasets HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 10000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", own_service.port)) as client:
        client.sendall(head.encode() + CSV * 1000)
        while not sum(path.stat().st_size for path in scratch.rglob("upload")):
            pause(0.02)
        (left,) = scratch.iterdir()
        os.kill(own_service.pid_of("service.api.server"), signal.SIGKILL)
        while left.exists():
            pause(0.02)
    assert own_service.client.get("/livez").is_success
    assert upload(own_service).status_code == 201


def test_a_disk_that_is_full_for_the_job_store_too(tmp_path: Path) -> None:
    if not may_mount(tmp_path):
        pytest.skip("to mount a small disk takes root")
    with small_disk(tmp_path / "disk", "16m") as disk:
        service = Service(disk / "data", QUICK)
        service.start()
        jobs = [service.submit(slow_job(seconds=0.3)) for _ in range(20)]
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space"):
            fill(filler)
        assert is_unavailable(service), "nothing that cannot be kept is accepted"
        pause(5.0)  # the server of the job store ends and is started again, in vain, and so may others
        filler.unlink()
        ended = [service.wait_for(job, "succeeded", within=90) for job in jobs]
        assert {job["crashes"] for job in ended} == {0}
        assert service.client.get("/readyz").is_success
        service.stop()
