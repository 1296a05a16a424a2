"""A new kind of job is a module of its own and one entry: everything else finds it there."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rich.console import Console

from service.cli.show import show_results
from service.contract.job import JobStatus, Progress
from service.contract.kinds import KINDS, by_name
from tests.support.echo_kind import ECHO
from worker.execution import execute
from worker.executor import JobInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.jobstore import JobStore
    from tests.support.api import HandWorker

BODY: dict[str, Any] = {"kind": "echo", "name": "again", "word": "moon"}


@pytest.fixture
def api(base_url: str, store: JobStore) -> Iterator[httpx.Client]:
    """A client that takes what the document, written before this kind was there, does not have."""
    assert store.queued() == 0
    with httpx.Client(base_url=base_url) as client:
        yield client


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, kind in by_name([ECHO]).items():
        monkeypatch.setitem(KINDS, name, kind)


def done(worker: HandWorker) -> str:
    """Do the next job as a trainer would; return its id."""
    record, fence = worker.claim()
    seen: list[Progress] = []
    job = JobInput(record.id, fence, record.spec, worker.artifacts, record.artifacts)
    outcome = execute(job, seen.append, lambda: False)
    assert seen[-1].fraction == 1.0
    worker.store.finish(record.id, fence, JobStatus.SUCCEEDED, artifacts=outcome.artifacts)
    return record.id


@pytest.mark.usefixtures("registered")
def test_a_new_kind_goes_all_the_way(api: httpx.Client, worker: HandWorker) -> None:
    dry = api.post("/v1/jobs", params={"dry_run": "true"}, json=BODY).json()
    assert dry["spec"]["times"] == dry["estimate"]["work_flops"] == 2
    created = api.post("/v1/jobs", json=BODY)
    assert created.status_code == 202, created.text
    assert created.json()["spec"] | BODY == created.json()["spec"]
    job_id = done(worker)
    assert [item["id"] for item in api.get("/v1/jobs", params={"kind": "echo"}).json()["items"]] == [job_id]
    assert api.get("/v1/jobs", params={"kind": "train"}).json()["items"] == []
    assert set(api.get(f"/v1/jobs/{job_id}").json()["links"]) == {"self", "results", "report"}
    results = api.get(f"/v1/jobs/{job_id}/results").json()
    assert results["words"] == ["moon", "moon"]
    assert results["job_id"] == job_id
    assert api.get(f"/v1/jobs/{job_id}/results/losses").json()["code"] == "results_unavailable"
    assert "[&#34;moon&#34;, &#34;moon&#34;]" in api.get(f"/v1/jobs/{job_id}/report").text
    assert api.get(f"/v1/jobs/{job_id}/export").json()["code"] == "results_unavailable"
    shown = io.StringIO()
    show_results(Console(file=shown, width=200), results)
    assert json.loads(shown.getvalue())["words"] == ["moon", "moon"]


@pytest.mark.usefixtures("registered")
def test_a_new_kind_is_checked_and_offered(api: httpx.Client) -> None:
    refused = api.post("/v1/jobs", json=BODY | {"times": 11, "speed": 1})
    assert {error["pointer"] for error in refused.json()["errors"]} == {"/times", "/speed"}
    assert "echo" in api.get("/v1/capabilities").json()["kinds"]


def test_a_new_kind_is_in_the_openapi_document() -> None:
    code = (
        "import json, sys; from service.contract.kinds import KINDS; from tests.support.echo_kind import ECHO;"
        "KINDS[ECHO.name] = ECHO; from service.api.write_openapi import text; sys.stdout.write(text())"
    )
    written = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60).stdout
    document = json.loads(written)
    create = document["paths"]["/v1/jobs"]["post"]
    read = document["paths"]["/v1/jobs/{job_id}/results"]["get"]
    kinds = next(entry for entry in document["paths"]["/v1/jobs"]["get"]["parameters"] if entry["name"] == "kind")
    assert {"$ref": "#/components/schemas/EchoSpec"} in create["requestBody"]["content"]["application/json"]["schema"][
        "oneOf"
    ]
    assert {"$ref": "#/components/schemas/EchoResults"} in read["responses"]["200"]["content"]["application/json"][
        "schema"
    ]["anyOf"]
    assert "echo" in kinds["schema"]["anyOf"][0]["enum"]
    assert {"EchoSpec", "EchoResults", "ResolvedEchoSpec"} <= set(document["components"]["schemas"])


def test_without_its_entry_nobody_knows_it(api: httpx.Client) -> None:
    refused = api.post("/v1/jobs", json=BODY)
    assert [(error["pointer"], error["code"]) for error in refused.json()["errors"]] == [("/kind", "invalid_choice")]
    answer = api.get("/v1/jobs", params={"kind": "echo"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["detail"] == "Input should be 'train', 'evaluate' or 'diagnose'"
