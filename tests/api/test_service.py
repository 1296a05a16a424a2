"""Capabilities, probes, metrics, and what the process of the API must not import."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from service.api import write_openapi
from service.contract.job import WorkerInfo
from service.contract.train.request import Activation, Loss, TrainSpec
from service.contract.values.limits import LIMITS
from tests.support.api import MOONS

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    import pytest

    from service.jobstore import JobStore
    from tests.support.api import HandWorker


def test_capabilities(api: httpx.Client, store: JobStore) -> None:
    store.register_worker(WorkerInfo(id="w1", hostname="h", pid=1, devices=("cpu",)), 10)
    found = api.get("/v1/capabilities").json()
    assert set(found["activations"]) == set(Activation)
    assert set(found["losses"]) == set(Loss)
    assert found["limits"] == LIMITS.model_dump()
    assert found["devices"] == ["cpu"]
    assert found["kinds"]["train"]["properties"]["data"]
    assert found["datasets"]["iris"] == {"features": 4, "samples": 150, "targets": "classes", "classes": 3}
    assert found["datasets"]["diabetes"]["classes"] is None
    assert found["datasets"]["spirals"]["classes"] == 2


def test_capabilities_are_written_once_and_follow_the_workers(
    api: httpx.Client, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.get("/v1/capabilities")
    monkeypatch.setattr(TrainSpec, "model_json_schema", None)  # it would fail

    def commands() -> int:
        return int(store.redis.info("stats")["total_commands_processed"])

    before = commands()
    first = api.get("/v1/capabilities")
    assert commands() - before <= 3  # the ids of the workers, what they say, and this count
    assert first.json()["workers"] == []
    assert api.get("/v1/capabilities", headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    plain = api.get("/v1/capabilities", headers={"Accept-Encoding": "identity"})
    assert (plain.json(), first.headers["content-encoding"]) == (first.json(), "gzip")
    assert plain.headers["etag"] != first.headers["etag"]
    store.register_worker(WorkerInfo(id="w1", hostname="h", pid=1, devices=("cpu", "cuda:0")), 10)
    again = api.get("/v1/capabilities", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 200
    assert again.json() == {
        **first.json(),
        "devices": ["cpu", "cuda:0"],
        "workers": [{"id": "w1", "devices": ["cpu", "cuda:0"]}],
    }
    store.unregister_worker("w1")
    assert api.get("/v1/capabilities").headers["etag"] == first.headers["etag"]


def test_probes(api: httpx.Client) -> None:
    assert api.get("/livez").json() == {"status": "alive"}
    assert api.get("/readyz").json() == {"status": "ready"}


def test_metrics(api: httpx.Client, worker: HandWorker) -> None:
    for _ in range(3):
        api.post("/v1/jobs", json=MOONS)
    worker.claim()
    api.get("/v1/jobs/unknown-job")
    text = api.get("/metrics").text
    found = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["deeplimit_jobs", (("status", "queued"),)] == 2
    assert found["deeplimit_jobs", (("status", "running"),)] == 1
    assert found["deeplimit_queue_depth", ()] == 2
    assert found["deeplimit_workers", ()] == 0
    assert found["deeplimit_stray_entries", (("place", "queue"),)] == 0
    labels = (("method", "GET"), ("route", "/v1/jobs/{job_id}"), ("status", "404"))
    assert found["deeplimit_http_request_duration_seconds_count", labels] >= 1


def test_torch_is_left_out() -> None:
    code = (
        "import sys, service.api.main; service.api.main.create_app();"
        "sys.exit(' '.join({'torch', 'scipy', 'sklearn', 'worker'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_openapi_file_is_true(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert write_openapi.main(["--check"]) == 0
    monkeypatch.setattr(write_openapi, "PATH", tmp_path / "openapi.json")
    assert write_openapi.main(["--check"]) == 1
    assert write_openapi.main([]) == 0
    assert write_openapi.main(["--check"]) == 0


def test_the_application_serves_that_document(api: httpx.Client) -> None:
    assert api.get("/openapi.json").json() == json.loads(write_openapi.text())
