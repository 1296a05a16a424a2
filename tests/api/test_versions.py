"""Records of the version before and of the one after beside this one's, and damaged ones: no answer is a 5xx."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from deeplimit import Client
from service.cli import app as cli
from service.contract import names
from service.contract.job import SCHEMA_VERSION, JobStatus, WorkerInfo
from service.jobstore import keys
from tests.support.api import MOONS
from tests.support.http.published import checked
from tests.support.uploads import NPZ, npz

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.jobstore import JobStore
    from tests.support.api import HandWorker

LATER: dict[str, Any] = {"of_a_later_version": {"list": [], "object": {}, "number": 2**60, "null": None}}
"""A field that this version does not know, anywhere."""
BEFORE = ("schema_version", "crashes", "outages", "overruns", "deferrals")
"""Fields of a job that the version before did not write."""

Change = dict[str, str | None]


def of_the_version_before(_: Mapping[str, str]) -> Change:
    return dict.fromkeys(BEFORE)


def with_unknown_fields(fields: Mapping[str, str]) -> Change:
    change: Change = {"of_a_later_version": "1"}
    for name in ("metadata", "progress", "error", "spec"):
        if name in fields:
            change[name] = json.dumps(json.loads(fields[name]) | LATER)
    references = json.loads(fields["artifacts"])
    change["artifacts"] = json.dumps({key: reference | LATER for key, reference in references.items()})
    return change


def in_an_unknown_state(_: Mapping[str, str]) -> Change:
    return {"status": "paused"}


def of_a_later_schema(_: Mapping[str, str]) -> Change:
    return {"schema_version": str(SCHEMA_VERSION + 1), "status": "archived"}


def of_an_unknown_kind(fields: Mapping[str, str]) -> Change:
    spec = json.loads(fields["spec"]) | {"kind": "distil", "regime": "of later"}
    return {"kind": "distil", "spec": json.dumps(spec)}


def damaged(fields: Mapping[str, str]) -> Change:
    return {"artifacts": fields["artifacts"] + "\x00"}


def without_a_specification(_: Mapping[str, str]) -> Change:
    return {"spec": None}


VERSIONS = {
    change.__name__: change
    for change in (
        of_the_version_before,
        with_unknown_fields,
        in_an_unknown_state,
        of_a_later_schema,
        of_an_unknown_kind,
        damaged,
        without_a_specification,
    )
}
STATES = ("queued", "running", "cancelling", "succeeded", "failed")
UNDERSTOOD = frozenset({"of_the_version_before", "with_unknown_fields"})
UNREADABLE = frozenset({"damaged", "without_a_specification"})


@pytest.fixture
def jobs(api: httpx.Client, store: JobStore, worker: HandWorker) -> dict[str, str]:
    """A job in each state, by the state."""
    made = {}
    for state in reversed(STATES):  # those that end go first: a worker takes what has waited longest
        made[state] = api.post("/v1/jobs", json=MOONS | {"name": state, "external_id": "x"}).json()["id"]
        if state == "succeeded":
            worker.succeed()
        elif state != "queued":
            record, fence = worker.claim()
            if state == "failed":
                store.finish(record.id, fence, JobStatus.FAILED)
            elif state == "cancelling":
                store.request_cancel(record.id)
    return made


def rewrite(store: JobStore, job_id: str, version: str) -> dict[str, str]:
    """Have another version have written a record; return its fields."""
    key = keys.JOB + job_id
    for name, text in VERSIONS[version](store.redis.hgetall(key)).items():  # type: ignore[arg-type]  # sync client
        if text is None:
            store.redis.hdel(key, name)
        else:
            store.redis.hset(key, name, text)
    fields: dict[str, str] = store.redis.hgetall(key)  # type: ignore[assignment]  # sync client
    return fields


def addresses(document: dict[str, Any], **filled: str) -> list[tuple[str, dict[str, str]]]:
    """Every address that is read, with its parameters that are required."""
    found = []
    for template, operations in document["paths"].items():
        if "get" in operations and (path := template.format_map(filled)):
            wanted = [
                p["name"] for p in operations["get"].get("parameters", ()) if p["in"] == "query" and p["required"]
            ]
            found.append((path, {name: filled[name] for name in wanted}))
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_whatever_is_asked_of_it_no_answer_is_a_failure(
    base_url: str, api: httpx.Client, store: JobStore, jobs: dict[str, str], version: str
) -> None:
    before = {state: rewrite(store, job_id, version) for state, job_id in jobs.items()}
    document = api.get("/openapi.json").json()
    dataset_id = api.post(
        "/v1/datasets", content=npz(X=np.ones((3, 2))), headers={"Content-Type": NPZ}, params={"inputs_only": "true"}
    ).json()["id"]
    asked = 0
    with httpx.Client(base_url=base_url, timeout=20) as client:  # the document describes this version's results alone
        for job_id in jobs.values():
            filled = {"job_id": job_id, "dataset_id": dataset_id, "name": "minima", "model": "discrete-8", "path": ""}
            for path, parameters in addresses(document, **filled):
                answer = client.get(path, params=parameters)
                assert answer.status_code < 500, (path, answer.text)
                asked += 1
            evaluation = {"kind": "evaluate", "job_id": job_id}
            assert client.post("/v1/jobs/plan", json=evaluation).status_code < 500
    assert asked >= 100
    queries: list[dict[str, str | int]] = [
        {},
        {"status": "queued"},
        {"status": "succeeded", "kind": "train"},
        {"external_id": "x", "limit": 1},
    ]
    for query in queries:
        assert api.get("/v1/jobs", params=query).status_code == 200
    for state, job_id in jobs.items():
        cancelled, deleted = api.post(f"/v1/jobs/{job_id}/cancel"), api.delete(f"/v1/jobs/{job_id}")
        assert max(cancelled.status_code, deleted.status_code) < 500
        if version not in UNDERSTOOD and version != "of_an_unknown_kind":
            for answer in (cancelled, deleted):
                assert (answer.status_code, answer.json()["code"]) == (409, "record_not_understood")
            assert store.redis.hgetall(keys.JOB + job_id) == before[state], "it is changed by nobody else"


def test_what_this_version_can_read_is_shown(api: httpx.Client, store: JobStore, jobs: dict[str, str]) -> None:
    for state, version in zip(STATES, VERSIONS, strict=False):
        rewrite(store, jobs[state], version)
    page = api.get("/v1/jobs").json()
    assert [item["status"] for item in page["items"]] == ["queued", "running", "paused", "archived", "failed"]
    assert page["left_out"] == 0
    running = api.get(f"/v1/jobs/{jobs['running']}").json()
    assert running["metadata"] == LATER
    assert running["spec"].items() >= LATER.items()
    paused = api.get(f"/v1/jobs/{jobs['cancelling']}").json()
    assert (paused["status"], paused["done"], paused["links"]) == (
        "paused",
        False,
        {"self": f"/v1/jobs/{jobs['cancelling']}"},
    )
    assert api.get(f"/v1/jobs/{jobs['failed']}").json()["kind"] == "distil"


@pytest.mark.parametrize("version", sorted(UNREADABLE))
def test_what_it_cannot_read_is_told(api: httpx.Client, store: JobStore, jobs: dict[str, str], version: str) -> None:
    rewrite(store, jobs["running"], version)
    problem = api.get(f"/v1/jobs/{jobs['running']}")
    assert (problem.status_code, problem.json()["code"]) == (409, "record_not_understood")
    if version == "damaged":
        page = api.get("/v1/jobs").json()
        assert (len(page["items"]), page["left_out"]) == (4, 1)


def test_a_long_poll_of_an_unknown_state_hears_of_what_becomes_of_it(
    api: httpx.Client, store: JobStore, jobs: dict[str, str]
) -> None:
    path, key = f"/v1/jobs/{jobs['running']}", keys.JOB + jobs["running"]
    store.redis.hset(key, "status", "paused")
    tag = api.get(path).headers["etag"]
    assert api.get(path, headers={"Prefer": "wait=1", "If-None-Match": tag}).status_code == 304
    revision = store.redis.hincrby(key, "revision", 1)
    store.redis.publish(keys.REVISIONS, f"{jobs['running']} {revision} paused")
    answer = api.get(path, headers={"Prefer": "wait=20", "If-None-Match": tag})
    assert (answer.status_code, answer.json()["status"]) == (200, "paused")


def test_a_key_that_made_a_job_which_cannot_be_read_makes_no_other(api: httpx.Client, store: JobStore) -> None:
    job_id = api.post("/v1/jobs", json=MOONS, headers={"Idempotency-Key": "k"}).json()["id"]
    rewrite(store, job_id, "damaged")
    again = api.post("/v1/jobs", json=MOONS, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["code"]) == (409, "record_not_understood")
    assert store.queued() == 1


def test_results_of_a_later_version_are_told_from_a_failure(
    api: httpx.Client, store: JobStore, worker: HandWorker
) -> None:
    api.post("/v1/jobs", json=MOONS)
    plots = json.dumps({"plots": [{"name": "of_later"} | LATER], "withheld": {}} | LATER).encode()
    job_id = worker.succeed(more={names.PLOTS: plots}).id
    rewrite(store, job_id, "with_unknown_fields")
    for path in ("plots", "plots/minima", "export?model=discrete-8"):
        answer = api.get(f"/v1/jobs/{job_id}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (409, "record_not_understood")
    refused = api.post("/v1/jobs/plan", json={"kind": "evaluate", "job_id": job_id})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "record_not_understood")


def test_a_specification_that_lost_a_field_is_told_from_a_failure(
    api: httpx.Client, store: JobStore, worker: HandWorker
) -> None:
    api.post("/v1/jobs", json=MOONS)
    job_id = worker.succeed().id
    spec = json.loads(str(store.redis.hget(keys.JOB + job_id, "spec")))
    for lost in ("data", "network"):
        without = {name: value for name, value in spec.items() if name != lost}
        store.redis.hset(keys.JOB + job_id, "spec", json.dumps(without))
        for path in ("report", "export"):
            answer = api.get(f"/v1/jobs/{job_id}/{path}")
            assert (answer.status_code, answer.json()["code"]) == (409, "record_not_understood")


def test_data_sets_of_later_versions_and_damaged_ones(api: httpx.Client, store: JobStore) -> None:
    ids = []
    for number in range(4):
        upload = npz(X=np.full((3, 2), number), y=np.arange(3))
        ids.append(api.post("/v1/datasets", content=upload, headers={"Content-Type": NPZ}).json()["id"])
    for dataset_id, change in zip(ids, ({}, LATER, {"format": "arrow"}, None), strict=True):
        key = keys.DATASET + dataset_id
        record = json.loads(str(store.redis.hget(key, "record")))
        if change is not None:
            record["facts"] |= LATER
        store.redis.hset(key, "record", "{" if change is None else json.dumps(record | change))
    page = api.get("/v1/datasets").json()
    assert ([item["id"] for item in page["items"]], page["left_out"]) == ([ids[1], ids[0]], 2)
    for dataset_id in ids[2:]:
        for answer in (
            api.get(f"/v1/datasets/{dataset_id}"),
            api.get(f"/v1/datasets/{dataset_id}/preview"),
            api.delete(f"/v1/datasets/{dataset_id}"),
            api.post("/v1/jobs", json={"kind": "train", "data": {"source": "dataset", "id": dataset_id}}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (409, "record_not_understood")
    assert api.get(f"/v1/datasets/{ids[1]}/preview").status_code == 200
    assert api.delete(f"/v1/datasets/{ids[1]}").status_code == 204


def test_a_worker_of_a_later_version_hides_nothing(api: httpx.Client, store: JobStore) -> None:
    info = WorkerInfo(id="w", hostname="h", pid=1, devices=("cpu",)).model_dump(mode="json")
    store.redis.set(f"{keys.WORKER}w", json.dumps(info | LATER))
    store.redis.set(f"{keys.WORKER}x", "damaged")
    store.redis.sadd(keys.WORKERS, "w", "x")
    assert [worker["id"] for worker in api.get("/v1/capabilities").json()["workers"]] == ["w"]
    assert "deeplimit_workers 1.0" in api.get("/metrics").text


def test_client_and_command_line_show_what_they_get(
    base_url: str, store: JobStore, jobs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for state, version in zip(STATES, VERSIONS, strict=False):
        rewrite(store, jobs[state], version)
    rewrite(store, jobs["queued"], "damaged")
    with Client(base_url) as client:
        assert {job.status for job in client.jobs()} == {"running", "paused", "archived", "failed"}
        job = client.job(jobs["cancelling"])
        assert (job.status, job.done) == ("paused", False)
        with pytest.raises(TimeoutError):
            job.wait(timeout=0.5, progress=False)
        assert "paused" in repr(job)
    monkeypatch.setenv("DEEPLIMIT_URL", base_url)
    run = CliRunner().invoke(cli, ["list"])
    assert run.exit_code == 0
    assert "paused" in run.output
    shown = CliRunner().invoke(cli, ["status", jobs["cancelling"]])
    assert (shown.exit_code, "paused" in shown.output) == (0, True)
    refused = CliRunner().invoke(cli, ["status", jobs["queued"]])
    assert refused.exit_code == 2
    assert "record_not_understood" in refused.output


def test_head_and_no_change_are_answered_too(base_url: str, store: JobStore, jobs: dict[str, str]) -> None:
    rewrite(store, jobs["running"], "in_an_unknown_state")
    with checked(base_url) as client:
        path = f"/v1/jobs/{jobs['running']}"
        tag = client.head(path).headers["etag"]
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
