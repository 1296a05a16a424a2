"""Large bodies are planned by a process of their own, and come to the same as in this one."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from safetensors.numpy import load

from service.artifacts import ArtifactStore, StorageError
from service.contract import names
from service.contract.job import JobStatus
from service.contract.values.errors import ErrorCode, SpecInvalidError
from service.contract.values.limits import LIMITS, Limits
from service.contract.values.strict_json import BodyRefusedError
from service.datasets.datasets import Datasets
from service.datasets.store import DatasetStore
from service.jobs.dispatch import Dispatcher
from service.jobs.jobs import Jobs
from service.jobs.planning.child import LARGE, prepare_large
from service.jobs.planning.prepared import prepare
from service.jobs.plans import Planner
from service.scratch import Scratch
from tests.support.api import HandWorker
from tests.support.faults.disk import full_for

if TYPE_CHECKING:
    from pathlib import Path

    from service.jobstore import JobStore

INLINE = {"source": "inline", "inputs": [[0.5, 1e-3], [2, -1]], "targets": ["b", "a"]}


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


@pytest.fixture
def planner(store: JobStore, artifacts: ArtifactStore, tmp_path: Path) -> Planner:
    return Planner(store, artifacts, Datasets(DatasetStore(store.redis), artifacts, LIMITS, Scratch(tmp_path)), LIMITS)


def train(**parts: Any) -> bytes:
    return json.dumps({"kind": "train", "data": INLINE, **parts}).encode()


@pytest.mark.parametrize(
    "body",
    [
        train(name="n ☾", external_id="x", metadata={"plate": "A-17", "π": 3}),
        train(data={"source": "builtin", "name": "moons"}, training={"device": "cuda"}),
        train(network={"fixed": {"K": [[1.0, 0.25], [0.0, 1e-8]]}}),
        train(network={"state_dim": 9, "fixed": {"K": [[1.0, 0.25, *[0.0] * 7]] * 9, "W": [[2.5] * 9] * 2}}),
    ],
)
def test_the_other_process_comes_to_the_same(planner: Planner, body: bytes) -> None:
    assert prepare_large(body, planner) == prepare(body, planner)


def test_the_other_process_asks_for_what_a_body_refers_to(
    redis_url: str, store: JobStore, artifacts: ArtifactStore, planner: Planner
) -> None:
    dispatcher = Dispatcher(redis_url, store.redis)
    job, _ = Jobs(store, artifacts, dispatcher, planner).submit(train(), None)
    dispatcher.close()
    done = HandWorker(store, artifacts).succeed()
    assert (done.id, done.status) == (job.record.id, JobStatus.SUCCEEDED)
    evaluate = {"kind": "evaluate", "job_id": done.id, "data": {"source": "inline", "inputs": [[0.0, 1.0]]}}
    body = json.dumps(evaluate).encode()
    found = prepare_large(body, planner)
    assert found == prepare(body, planner)
    assert isinstance(found.given[names.DATA], bytes)
    assert names.trained_key("discrete-8") in found.given
    for unknown in ({**evaluate, "job_id": "f" * 32}, {"kind": "train", "data": {"source": "dataset", "id": "e" * 64}}):
        body = json.dumps(unknown).encode()
        assert refusal_of(prepare_large, body, planner) == refusal_of(prepare, body, planner)


def test_large_fixed_arrays_are_objects_of_the_job_and_of_its_evaluations(
    redis_url: str, store: JobStore, artifacts: ArtifactStore, planner: Planner
) -> None:
    K = [[row + column / 8 for column in range(9)] for row in range(9)]
    dispatcher = Dispatcher(redis_url, store.redis)
    jobs = Jobs(store, artifacts, dispatcher, planner)
    train_id = jobs.submit(train(network={"state_dim": 9, "fixed": {"K": K, "c": [0.5, 1]}}), None)[0].record.id
    assert HandWorker(store, artifacts).succeed(d=9).id == train_id
    evaluate_id = jobs.submit(json.dumps({"kind": "evaluate", "job_id": train_id}).encode(), None)[0].record.id
    dispatcher.close()
    jobs.delete(train_id)
    record = jobs.get(evaluate_id)
    shown = record.spec["trained"]["network"]["fixed"]
    assert (shown["K"]["shape"], shown["c"]) == ([9, 9], [0.5, 1])
    arrays = load(artifacts.get(record.artifacts[names.FIXED]))
    assert {name: array.tolist() for name, array in arrays.items()} == {"K": K}


def test_a_device_is_not_said_to_be_missing_while_workers_cannot_store(planner: Planner) -> None:
    body = train(training={"device": "cuda"})
    with full_for(os.getpid()), pytest.raises(StorageError):
        planner.prepare(body)
    with pytest.raises(SpecInvalidError, match="no worker has a CUDA device"):
        planner.prepare(body)


HOSTILE = {
    "nested": b"[" * LARGE,
    "duplicate": b'{"a":1,' + b" " * LARGE + b'"a":2}',
    "surrogates": b"[" + b'"\\ud800",' * (LARGE // 9) + b"1]",
    "empty arrays": b"[" + b"[]," * (LARGE // 3) + b"[]]",
    "numbers": b'{"kind":"train","data":{"source":"inline","inputs":[[1e999]],"targets":['
    + b"1e999," * LARGE
    + b"1]}}",
    "unknown": json.dumps({f"{k:07d}": 1 for k in range(LARGE // 12)}).encode(),
}


def refusal_of(prepared: Any, body: bytes, planner: Planner) -> tuple[Any, ...]:
    with pytest.raises((BodyRefusedError, SpecInvalidError)) as refused:
        prepared(body, planner)
    error = refused.value
    if isinstance(error, SpecInvalidError):
        return error.errors
    assert isinstance(error, BodyRefusedError)
    return error.code, error.detail


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bodies_are_refused_in_the_same_words(planner: Planner, body: bytes) -> None:
    said = refusal_of(prepare_large, body, planner)
    assert said == refusal_of(prepare, body, planner)
    assert len(said) <= 50


def test_this_process_decodes_no_large_body(planner: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    body = train()
    monkeypatch.setattr("service.jobs.plans.prepare", lambda *_: pytest.fail("decoded here"))
    started: list[bytes] = []

    def elsewhere(body: bytes, references: Any) -> Any:
        started.append(body)
        return prepare_large(body, references)

    monkeypatch.setattr("service.jobs.plans.prepare_large", elsewhere)
    found = planner.prepare(body + b" " * (LARGE - len(body)))
    assert found == prepare(body, planner)
    assert len(started) == 1


def test_a_process_that_dies_refuses_its_body_alone(
    planner: Planner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("sys.executable", "/bin/false")
        code, detail = refusal_of(prepare_large, train(), planner)
    assert code == ErrorCode.INVALID_REQUEST
    assert "ran out of memory or time, or failed" in detail
    assert "took its reader down" in caplog.text
    assert prepare_large(train(), planner).kind == "train"


def test_limits_hold_in_the_other_process(store: JobStore, artifacts: ArtifactStore, tmp_path: Path) -> None:
    limits = Limits(samples=1)
    datasets = Datasets(DatasetStore(store.redis), artifacts, limits, Scratch(tmp_path))
    strict = Planner(store, artifacts, datasets, limits)
    (error, *_) = refusal_of(prepare_large, train(), strict)
    assert (error.pointer, error.code) == ("/data/inputs", "too_many")
