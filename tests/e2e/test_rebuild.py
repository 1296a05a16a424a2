"""The append-only file of a whole service is lost or damaged: jobs that had ended come back with their results."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from service.artifacts import ArtifactStore
from service.contract.job import JobStatus
from service.jobstore import JobStore, connect, keys
from tests.support.api import MOONS, HandWorker
from tests.support.service import ROOT, Service, descendants, gone, pause

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

JOBS = 100


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service without workers: the test does what they do."""
    running = Service(tmp_path / "data", workers=0)
    running.start()
    yield running
    running.stop()


def store_of(service: Service) -> JobStore:
    """Job store of a running service, by the address that is in the configuration of its Valkey."""
    text = (service.data_dir / "valkey" / "valkey.conf").read_text()
    (place,) = re.findall(r'^unixsocket "(.*)"$', text, re.MULTILINE)
    (password,) = re.findall(r"^requirepass (.*)$", text, re.MULTILINE)
    return JobStore(connect(f"unix://:{password}@{place}?db=0"))


def do_jobs(service: Service, number: int) -> None:
    """Submit jobs and have them end, most with results, and wait until their records are beside them."""
    store, artifacts = store_of(service), ArtifactStore(service.data_dir / "artifacts")
    worker = HandWorker(store, artifacts)
    for place in range(number):
        job_id = service.submit(MOONS | {"name": f"job {place}", "external_id": f"x{place % 3}"})
        if place % 10 == 0:
            service.client.post(f"/v1/jobs/{job_id}/cancel")
        elif place % 10 == 1:
            store.finish(*_ids(worker), JobStatus.FAILED)
        else:
            worker.succeed()
    while store.redis.exists(keys.UNWRITTEN):
        pause(0.05)  # the sweeper writes them in its next pass
    store.redis.close()


def _ids(worker: HandWorker) -> tuple[str, int]:
    record, fence = worker.claim()
    return record.id, fence


def everything(service: Service) -> dict[str, Any]:
    """All that can be read of the jobs of a service."""
    found: dict[str, Any] = {}
    for query in ("", "&status=failed", "&external_id=x1", "&status=succeeded&kind=train&external_id=x2"):
        page = service.client.get(f"/v1/jobs?limit=200{query}").json()
        assert page["left_out"] == 0
        found[query] = [job["id"] for job in page["items"]]
    for job_id in found[""]:
        found[job_id] = service.job(job_id)
        if found[job_id]["status"] == "succeeded":
            for part in ("", "/losses", "/parameters?model=discrete-8"):
                answer = service.client.get(f"/v1/jobs/{job_id}/results{part}")
                assert answer.status_code == 200, answer.text
                found[job_id + part] = answer.json()
    return found


def kill(service: Service) -> None:
    """End all of a service at once, as a loss of power does."""
    service.client.close()
    processes = descendants(service.process.pid)
    for pid in (service.process.pid, *processes):
        with contextlib.suppress(ProcessLookupError):  # some end by themselves
            os.kill(pid, signal.SIGKILL)
    service.process.wait()
    assert gone(processes)


def rebuild(service: Service) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "deeplimit"
    return subprocess.run(
        [program, "rebuild", "--data-dir", service.data_dir],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_all_jobs_that_had_ended_are_back_after_the_append_only_file_was_deleted(service: Service) -> None:
    do_jobs(service, JOBS)
    before = everything(service)
    assert len(before[""]) == JOBS
    kill(service)
    shutil.rmtree(service.data_dir / "valkey" / "appendonlydir")
    done = rebuild(service)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"jobs: {JOBS} restored, 0 there already\ndata sets: 0 restored, 0 there already\n"
    service.start()
    assert everything(service) == before
    again = rebuild(service)
    assert again.returncode == 2
    assert "in use by process" in again.stderr


def test_serve_says_how_to_go_on_with_a_damaged_file_and_with_none(service: Service) -> None:
    do_jobs(service, 3)
    before = everything(service)
    kill(service)
    (log,) = (service.data_dir / "valkey" / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(log.read_bytes() + bytes(4096))
    with pytest.raises(AssertionError) as refused:
        service.start()
    service.client.close()
    assert service.process.wait() == 2
    said = str(refused.value)
    assert "Bad file format reading the append only file" in said
    assert "deeplimit rebuild --data-dir" in said
    assert "Traceback" not in said
    shutil.rmtree(log.parent)
    service.start()
    assert "`deeplimit rebuild` brings back" in service.log
    assert service.client.get("/v1/jobs").json()["items"] == []
    new = service.submit(MOONS)
    kill(service)
    assert rebuild(service).stdout.startswith("jobs: 3 restored, 0 there already\n")
    service.start()
    assert [job["id"] for job in service.client.get("/v1/jobs").json()["items"]] == [new, *before[""]]
