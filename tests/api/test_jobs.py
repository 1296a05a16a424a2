"""Jobs over HTTP: create, read, list, cancel, delete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy

from service.contract import names
from service.contract.job import JobError, JobStatus, Progress, WorkerInfo
from service.contract.values import arrays
from tests.support.api import MOONS
from tests.support.service import pause

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    import pytest

    from service.artifacts import ArtifactStore
    from service.contract.values.errors import FieldError
    from service.jobstore import JobStore
    from tests.support.api import HandWorker


EMPTY: dict[str, Any] = {"items": [], "next_cursor": None, "left_out": 0}


def submit(api: httpx.Client, **more: Any) -> dict[str, Any]:
    answer = api.post("/v1/jobs", json=MOONS | more)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


def test_create_answers_the_job(api: httpx.Client, store: JobStore) -> None:
    answer = api.post("/v1/jobs", json=MOONS | {"name": "two moons", "metadata": {"plate": "A-17", "n": 3}})
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert answer.headers["retry-after"] == "1"
    assert (job["kind"], job["status"], job["done"], job["attempt"]) == ("train", "queued", False, 1)
    assert (job["name"], job["external_id"], job["metadata"]) == ("two moons", None, {"plate": "A-17", "n": 3})
    assert job["progress"] is job["error"] is job["started_at"] is job["finished_at"] is None
    assert job["created_at"].endswith("Z")
    assert job["spec"]["training"]["gradient_tolerance"] == 1e-7
    assert job["spec"]["network"]["state_dim"] == 2
    assert set(job["links"]) == {"self", "results", "cancel"}
    assert store.queued() == 1


def test_get_is_what_create_answered(api: httpx.Client) -> None:
    job = submit(api)
    answer = api.get(job["links"]["self"])
    assert answer.json() == job
    assert answer.headers["etag"] == f'"{job["revision"]}"'


def test_etag(api: httpx.Client, worker: HandWorker) -> None:
    path = submit(api)["links"]["self"]
    tag = api.get(path).headers["etag"]
    for header in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        answer = api.get(path, headers={"If-None-Match": header})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    worker.claim()
    assert api.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_inline_data_is_kept_as_an_artifact(api: httpx.Client, store: JobStore, artifacts: ArtifactStore) -> None:
    data = {"source": "inline", "inputs": [[1.0, 2], [3, 4.5], [0, 0]], "targets": [1, 0, 1]}
    job = submit(api, data=data)
    shown = job["spec"]["data"]
    assert (shown["source"], shown["samples"], shown["features"]) == ("inline", 3, 2)
    assert len(shown["sha256"]) == 64
    assert "inputs" not in shown
    record = store.get(job["id"])
    assert record is not None
    arrays = safetensors.numpy.load(artifacts.get(record.artifacts[names.DATA]))
    assert arrays["inputs"].tolist() == data["inputs"]
    assert arrays["targets"].dtype == np.int64
    assert arrays["targets"].tolist() == data["targets"]


def test_inline_numbers_are_kept_as_columns(api: httpx.Client, store: JobStore, artifacts: ArtifactStore) -> None:
    job = submit(api, data={"source": "inline", "inputs": [[1.0], [2.0]], "targets": [0.5, 1.5]})
    record = store.get(job["id"])
    assert record is not None
    arrays = safetensors.numpy.load(artifacts.get(record.artifacts[names.DATA]))
    assert arrays["targets"].tolist() == [[0.5], [1.5]]


def test_dry_run_queues_nothing(api: httpx.Client, store: JobStore) -> None:
    answer = api.post("/v1/jobs?dry_run=true", json=MOONS)
    assert answer.status_code == 200
    assert set(answer.json()) == {"spec", "estimate"}
    assert set(answer.json()["estimate"]) == {"parameters", "memory_bytes", "work_flops"}
    assert store.queued() == 0


def test_a_resolved_specification_resolves_to_itself(api: httpx.Client) -> None:
    resolved = api.post("/v1/jobs?dry_run=true", json=MOONS).json()["spec"]
    assert api.post("/v1/jobs?dry_run=true", json=resolved).json()["spec"] == resolved


def test_idempotency_key(api: httpx.Client, store: JobStore) -> None:
    headers = {"Idempotency-Key": "once"}
    first = api.post("/v1/jobs", json=MOONS, headers=headers)
    again = api.post("/v1/jobs", json=MOONS, headers=headers)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    other = api.post("/v1/jobs", json=MOONS | {"name": "other"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert store.queued() == 1


def test_listing(api: httpx.Client, worker: HandWorker) -> None:
    made = [submit(api, external_id=str(index % 2))["id"] for index in range(5)]
    newest = made[::-1]
    page = api.get("/v1/jobs?limit=2").json()
    assert [job["id"] for job in page["items"]] == newest[:2]
    assert all("spec" not in job for job in page["items"])
    seen = [job["id"] for job in page["items"]]
    while page["next_cursor"] is not None:
        page = api.get("/v1/jobs", params={"limit": 2, "cursor": page["next_cursor"]}).json()
        seen += [job["id"] for job in page["items"]]
    assert seen == newest
    worker.claim()
    assert [job["id"] for job in api.get("/v1/jobs?status=running").json()["items"]] == made[:1]
    assert len(api.get("/v1/jobs?external_id=1").json()["items"]) == 2
    assert len(api.get("/v1/jobs?kind=train&created_after=2020-01-01T00:00:00Z").json()["items"]) == 5
    assert api.get("/v1/jobs?created_after=2999-01-01T00:00:00%2B02:00").json() == EMPTY


def test_cancel_waiting(api: httpx.Client) -> None:
    job = submit(api)
    for _ in range(2):
        answer = api.post(job["links"]["cancel"])
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
        assert set(answer.json()["links"]) == {"self"}


def test_cancel_running(api: httpx.Client, worker: HandWorker) -> None:
    job = submit(api)
    worker.claim()
    for _ in range(2):
        answer = api.post(job["links"]["cancel"])
        assert (answer.status_code, answer.json()["status"]) == (202, "cancelling")


def test_cancel_finished(api: httpx.Client, worker: HandWorker) -> None:
    job = submit(api)
    worker.succeed()
    answer = api.post(job["links"]["cancel"])
    assert (answer.status_code, answer.json()["code"]) == (409, "job_finished")


def test_delete(api: httpx.Client, worker: HandWorker, artifacts: ArtifactStore) -> None:
    path = submit(api, data={"source": "inline", "inputs": [[1], [2]], "targets": [0, 1]})["links"]["self"]
    active = api.delete(path)
    assert (active.status_code, active.json()["code"]) == (409, "job_active")
    record = worker.succeed()
    answer = api.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.get(path).status_code == 404
    assert api.delete(path).status_code in {204, 404}
    assert not list(Path(artifacts.location).glob(f"jobs/{record.id}/**/*.*"))


def test_progress_and_error(api: httpx.Client, store: JobStore, worker: HandWorker) -> None:
    path = submit(api)["links"]["self"]
    record, fence = worker.claim()
    progress = Progress(phase="discrete", model="discrete-64", fraction=0.42, eta_s=8.1, objective=float("nan"))
    store.report_progress(record.id, fence, progress)
    job = api.get(path).json()
    assert (job["status"], job["progress"]["fraction"], job["progress"]["objective"]) == ("running", 0.42, "NaN")
    error = JobError(code="out_of_memory", detail="too big", retryable=False, origin="system")
    store.finish(record.id, fence, JobStatus.FAILED, error=error)
    job = api.get(path).json()
    assert (job["done"], job["error"]) == (True, error.model_dump())
    assert api.get(path + "/results").json()["code"] == "results_unavailable"


def test_a_missing_cuda_device_is_said_at_once(api: httpx.Client, store: JobStore) -> None:
    body = MOONS | {"training": {"device": "cuda"}}
    answer = api.post("/v1/jobs", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "device_unavailable")
    assert answer.json()["errors"][0]["pointer"] == "/training/device"
    store.register_worker(WorkerInfo(id="gpu", hostname="h", pid=1, devices=("cpu", "cuda:0")), 10)
    assert api.post("/v1/jobs", json=body).status_code == 202


def test_reading_a_job_asks_redis_once(api: httpx.Client, store: JobStore) -> None:
    path = submit(api)["links"]["self"]
    for _ in range(1000):  # the hint is sent by a thread of its own, after the answer
        if hinted := store.redis.llen(names.QUEUE):
            break
        pause(0.01)
    assert hinted
    for _ in range(20):  # the reconciler comes between now and then, and asks for more
        store.redis.config_resetstat()
        assert api.get(path).status_code == 200
        calls = {
            name.removeprefix("cmdstat_"): figures["calls"]
            for name, figures in store.redis.info("commandstats").items()
            if "|" not in name and name not in {"cmdstat_info", "cmdstat_ping"}
        }
        if calls == {"hgetall": 1}:
            break
    assert calls == {"hgetall": 1}


def test_numbers_that_hold_up_are_not_looked_at_one_by_one(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[object] = []
    one_by_one = arrays._bad_number

    def counted(entry: object, pointer: str) -> Iterator[FieldError]:
        looked_at.append(entry)
        return one_by_one(entry, pointer)

    monkeypatch.setattr(arrays, "_bad_number", counted)
    rows = np.random.default_rng(0).normal(size=(90_000, 8)).round(12).tolist()
    body = json.dumps(MOONS | {"data": {"source": "inline", "inputs": rows, "targets": [0, 1] * 45_000}}).encode()
    assert 10 * 2**20 < len(body) < 16 * 2**20
    headers = {"Content-Type": "application/json"}
    answer = api.post("/v1/jobs?dry_run=true", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert not looked_at
    wrong = MOONS | {"data": {"source": "inline", "inputs": [[True]], "targets": [0]}}
    assert api.post("/v1/jobs?dry_run=true", json=wrong).status_code == 422
    assert looked_at, "or nothing is counted"
