"""The report and the export of a finished job over HTTP."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import httpx
import numpy as np
import onnxruntime
import pytest

from service.contract import names
from service.contract.job import JobStatus
from service.export.onnx_child import AT_ONCE
from tests.support.api import MOONS, results

if TYPE_CHECKING:
    from service.artifacts import ArtifactStore
    from tests.support.api import HandWorker

HOSTILE = "<script>alert(1)</script>\u202e](http://evil.example)"


@pytest.fixture
def path(api: httpx.Client, worker: HandWorker) -> str:
    """A train job that succeeded."""
    found: str = api.post("/v1/jobs", json=MOONS | {"name": HOSTILE}).json()["links"]["self"]
    worker.succeed(depth=16)
    return found


def test_links_lead_to_both(api: httpx.Client, path: str) -> None:
    links = api.get(path).json()["links"]
    assert api.get(links["report"]).headers["content-type"] == "text/html; charset=utf-8"
    assert api.get(links["export"]).headers["content-type"] == "application/zip"


def test_a_report_runs_nothing_and_fetches_nothing(api: httpx.Client, path: str) -> None:
    answer = api.get(f"{path}/report")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<script" not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e](http://evil.example)" in answer.text
    assert "\u202e" not in answer.text


@pytest.mark.parametrize("end", ["report", "export?model=discrete-16", "export?format=onnx"])
def test_what_a_client_has_is_not_sent_again(api: httpx.Client, path: str, end: str) -> None:
    first, second = api.get(f"{path}/{end}"), api.get(f"{path}/{end}")
    assert first.status_code == 200
    assert first.content == second.content
    assert first.headers["cache-control"] == "private, no-cache"
    assert not first.headers["etag"].startswith("W/")
    again = api.get(f"{path}/{end}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_zip_is_named_and_whole(api: httpx.Client, path: str) -> None:
    answer = api.get(f"{path}/export")
    job_id = path.rpartition("/")[2]
    assert answer.headers["content-disposition"] == f'attachment; filename="deeplimit-{job_id}-discrete-16.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        assert file.testzip() is None
        assert {entry.filename for entry in file.infolist()} == {
            *("ro-crate-metadata.json", "parameters.safetensors", "model.py", "MODEL_CARD.md"),
            *("report.html", "specification.json", "results.json"),
        }
        assert file.read("report.html").decode() == api.get(f"{path}/report").text
        assert json.loads(file.read("specification.json")) == api.get(path).json()["spec"]


def test_an_object_that_is_not_what_was_written_is_said_to_be(
    api: httpx.Client, path: str, artifacts: ArtifactStore
) -> None:
    results = Path(artifacts.location) / names.results_prefix(path.rpartition("/")[2])
    (file,) = results.glob("*/results.json")
    file.write_bytes(file.read_bytes().replace(b"0", b"1", 1))
    for end in ("report", "results", "export"):
        answer = api.get(f"{path}/{end}")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert "does not hold what was written" in answer.json()["detail"]


def test_onnx_with_steps_of_ones_own(api: httpx.Client, path: str) -> None:
    values = []
    for steps in (1, 64):
        answer = api.get(f"{path}/export", params={"model": "continuum", "format": "onnx", "steps": steps})
        assert answer.headers["content-disposition"].endswith('-continuum.onnx"')
        session = onnxruntime.InferenceSession(answer.content, providers=["CPUExecutionProvider"])
        values.append(session.run(["predictions"], {"inputs": np.array([[0.5, 1.0]])})[0])
    assert not np.allclose(values[0], values[1], rtol=1e-12)


@pytest.mark.parametrize(
    ("end", "status", "code"),
    [
        ("export?model=discrete-7", 404, "model_not_found"),
        ("export?model=", 404, "model_not_found"),
        ("export?format=tar", 422, "invalid_parameter"),
        ("export?steps=8", 422, "invalid_parameter"),
        ("export?format=onnx&steps=8", 422, "invalid_parameter"),
        ("export?model=continuum&format=onnx&steps=0", 422, "invalid_parameter"),
        ("report?model=continuum", 422, "invalid_parameter"),
    ],
)
def test_what_is_not_there_is_refused(api: httpx.Client, path: str, end: str, status: int, code: str) -> None:
    answer = api.get(f"{path}/{end}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("end", ["report", "export"])
def test_there_is_nothing_before_the_end(api: httpx.Client, end: str) -> None:
    job = api.post("/v1/jobs", json=MOONS).json()
    assert end not in job["links"]
    assert api.get(f"{job['links']['self']}/{end}").json()["code"] == "results_not_ready"
    api.post(job["links"]["cancel"])
    assert api.get(f"{job['links']['self']}/{end}").json()["code"] == "results_unavailable"
    assert api.get(f"/v1/jobs/{'0' * 32}/{end}").json()["code"] == "job_not_found"


def test_without_the_library_onnx_says_what_to_install(
    api: httpx.Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.export.onnx_child.find_spec", lambda _: None)
    answer = api.get(f"{path}/export?format=onnx")
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert "deeplimit[onnx]" in answer.json()["detail"]


def test_a_writer_that_fails_does_not_take_the_service_down(
    api: httpx.Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.export.onnx_child.LONGEST_S", 0.01)
    assert api.get(f"{path}/export?format=onnx").json()["code"] == "not_acceptable"
    assert api.get(f"{path}/export").status_code == 200


def finish(worker: HandWorker, results: dict[str, Any], **drawings: bytes) -> None:
    """End the next job with results and drawings, as a worker writes them."""
    record, fence = worker.claim()
    index = {"plots": [{"name": name, "title": f"Of {name}", "description": "two lines"} for name in drawings]}
    files = {names.RESULTS: json.dumps(results).encode(), names.PLOTS: json.dumps(index).encode()}
    files |= {names.plot_key(name, "svg"): svg for name, svg in drawings.items()}
    written = {
        key: worker.artifacts.put(names.results_path(record.id, fence, key), content, "application/octet-stream")
        for key, content in files.items()
    }
    worker.store.finish(record.id, fence, JobStatus.SUCCEEDED, artifacts=written)


def test_drawings_stand_in_the_report(api: httpx.Client, worker: HandWorker) -> None:
    path = api.post("/v1/jobs", json=MOONS).json()["links"]["self"]
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><title>%b</title><path d="M0 0 9 9"/></svg>'
    bad = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    finish(worker, results(8, 2), minima=svg % b"a line", orders=bad, decision_boundaries=svg % b"a bound")
    page = api.get(f"{path}/report").text
    assert (svg % b"a line").decode() in page
    assert (svg % b"a bound").decode() in page
    assert "Of minima" in page
    assert "The drawing has an element that is not for drawing." in page
    assert "<script" not in page


def test_onnx_that_is_too_large_is_refused_before_it_is_written(
    api: httpx.Client, worker: HandWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of d = 64 in three stages a step has 99 840 bytes, and 128 MiB have 1344 steps."""
    path = api.post("/v1/jobs", json=MOONS).json()["links"]["self"]
    worker.succeed(d=64)
    started = Mock(side_effect=AssertionError("a child was started"))
    monkeypatch.setattr("service.export.onnx_child.subprocess.run", started)
    answer = api.get(f"{path}/export", params={"model": "continuum", "format": "onnx", "steps": 1345})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
    (error,) = answer.json()["errors"]
    assert error["parameter"] == "steps"
    assert "at most 1344," in error["detail"]
    started.assert_not_called()
    monkeypatch.setattr("service.export.onnx_size.LARGEST", 1000)
    assert api.get(f"{path}/export?model=discrete-8&format=onnx").status_code == 406
    started.assert_not_called()
    monkeypatch.undo()
    assert api.get(f"{path}/export", params={"model": "continuum", "format": "onnx", "steps": 1344}).status_code == 200


def test_who_waits_for_onnx_keeps_nobody_else_waiting(
    api: httpx.Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than the service has threads."""
    go_on, started = threading.Event(), []

    def write(*_: object) -> bytes:
        started.append(1)
        assert go_on.wait(30)
        return b"a model"

    monkeypatch.setattr("service.api.routes.takeaway.to_onnx", write)
    base = str(api.base_url)
    with ThreadPoolExecutor(60) as several:
        asked = [several.submit(httpx.get, f"{base}{path}/export?format=onnx", timeout=60) for _ in range(60)]
        try:
            while len(started) < AT_ONCE:
                time.sleep(0.01)
            for _ in range(5):
                assert api.get("/readyz", timeout=20).status_code == 200
                assert len(started) == AT_ONCE
        finally:
            go_on.set()
        assert {answer.result().content for answer in asked} == {b"a model"}
