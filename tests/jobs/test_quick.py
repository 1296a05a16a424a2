"""Small specifications that refer to nothing become jobs in the event loop, and come to the same as elsewhere."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
import redis

from service.artifacts import ArtifactStore
from service.contract.values.errors import SpecInvalidError
from service.contract.values.limits import LIMITS
from service.contract.values.strict_json import BodyRefusedError
from service.datasets.datasets import Datasets
from service.datasets.store import DatasetStore
from service.jobs.dispatch import Dispatcher
from service.jobs.jobs import Jobs
from service.jobs.plans import Planner
from service.jobs.quick import LARGEST, QuickJobs
from service.jobstore import JobQuery, JobStore, QueueFull, connect_in_loop
from service.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.jobstore import KeptJob

MOONS = {"kind": "train", "data": {"source": "builtin", "name": "moons"}}
INLINE = {"kind": "train", "data": {"source": "inline", "inputs": [[1.0], [2.0]], "targets": [0, 1]}}


@pytest.fixture
def jobs(store: JobStore, redis_url: str, tmp_path: Path) -> Iterator[Jobs]:
    artifacts, dispatcher = ArtifactStore(tmp_path), Dispatcher(redis_url, store.redis)
    datasets = Datasets(DatasetStore(store.redis), artifacts, LIMITS, Scratch(tmp_path))
    planner = Planner(store, artifacts, datasets, LIMITS)
    yield Jobs(store, artifacts, dispatcher, planner)
    dispatcher.close()


def submitted(jobs: Jobs, redis_url: str, body: bytes) -> KeptJob | None:
    async def submit() -> KeptJob | None:
        client = connect_in_loop(redis_url)
        try:
            return await QuickJobs(jobs, client).submit(body)
        finally:
            await client.aclose()

    return asyncio.run(submit())


def test_a_job_is_the_same_as_elsewhere(jobs: Jobs, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({**MOONS, "name": "n", "external_id": "x", "metadata": {"a": 1}}).encode()
    elsewhere, _ = jobs.submit(body, None)
    hints = jobs.store.redis.llen("deeplimit")
    monkeypatch.setattr(jobs.store, "redis", None)  # nothing is asked by a client that blocks
    here = submitted(jobs, redis_url, body)
    monkeypatch.undo()
    assert here is not None
    assert here == jobs.kept(here.record.id)
    assert here.spec == elsewhere.spec
    own = {"id", "created_at", "updated_at"}
    assert here.record.model_dump(exclude=own) == elsewhere.record.model_dump(exclude=own)
    assert jobs.store.redis.llen("deeplimit") == hints + 1 == jobs.store.queued()


@pytest.mark.parametrize(
    "body",
    [
        INLINE,
        {"kind": "train", "data": {"source": "dataset", "id": "e" * 64}},
        {"kind": "evaluate", "job_id": "f" * 32},
        {**MOONS, "training": {"device": "cuda"}},
        {**MOONS, "metadata": {str(k): "x" * 500 for k in range(LARGEST // 500)}},
    ],
)
def test_what_takes_a_thread_is_left_alone(jobs: Jobs, redis_url: str, body: dict[str, Any]) -> None:
    assert submitted(jobs, redis_url, json.dumps(body).encode()) is None
    assert jobs.list(JobQuery(limit=1)).items == []


def test_what_is_wrong_is_refused(jobs: Jobs, redis_url: str) -> None:
    for body, error in ((b"{", BodyRefusedError), (b'{"kind":"train"}', SpecInvalidError)):
        with pytest.raises(error):
            submitted(jobs, redis_url, body)
    jobs.store.max_queued = 0
    with pytest.raises(QueueFull):
        submitted(jobs, redis_url, json.dumps(MOONS).encode())


def test_a_server_that_forgot_the_script_gets_it_again(jobs: Jobs, redis_url: str) -> None:
    assert submitted(jobs, redis_url, json.dumps(MOONS).encode()) is not None
    jobs.store.redis.script_flush()
    assert submitted(jobs, redis_url, json.dumps(MOONS).encode()) is not None


def test_a_server_that_hangs_is_given_up(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps(MOONS).encode()
    with pytest.raises(redis.ConnectionError):
        submitted(jobs, "redis://127.0.0.1:1/0", body)
    monkeypatch.setattr("service.jobstore.store.ANSWER_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as hanging, pytest.raises(redis.TimeoutError):  # it never answers
        submitted(jobs, f"redis://127.0.0.1:{hanging.getsockname()[1]}/0", body)
