"""Long polls end when they should, and not by polling."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from service.contract.job import JobStatus, Progress
from tests.support.api import MOONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from service.jobstore import JobStore
    from tests.support.api import HandWorker

QUICK = 2.0
"""Seconds: far less than the waits asked for."""


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def submit(api: httpx.Client) -> str:
    path: str = api.post("/v1/jobs", json=MOONS).json()["links"]["self"]
    return path


def test_post_waits_until_done(
    api: httpx.Client, store: JobStore, worker: HandWorker, background: ThreadPoolExecutor
) -> None:
    start = time.monotonic()
    pending = background.submit(api.post, "/v1/jobs", json=MOONS, headers={"Prefer": "wait=20"})
    while not store.queued():
        assert time.monotonic() < start + QUICK
    worker.succeed()
    answer = pending.result()
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert answer.headers["preference-applied"] == "wait=20"
    assert "retry-after" not in answer.headers
    assert time.monotonic() < start + QUICK


def test_post_gives_up_waiting(api: httpx.Client) -> None:
    start = time.monotonic()
    answer = api.post("/v1/jobs", json=MOONS, headers={"Prefer": "respond-async, wait=1"})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert 1 <= time.monotonic() - start < 1 + QUICK


def test_get_waits_for_the_next_revision(api: httpx.Client, worker: HandWorker, background: ThreadPoolExecutor) -> None:
    path = submit(api)
    tag = api.get(path).headers["etag"]
    headers = {"If-None-Match": tag, "Prefer": "wait=20"}
    start = time.monotonic()
    pending = [background.submit(api.get, path, headers=headers) for _ in range(4)]
    worker.claim()
    for answer in (future.result() for future in pending):
        assert (answer.status_code, answer.json()["status"]) == (200, "running")
    assert time.monotonic() - start < QUICK


def test_get_answers_304_when_nothing_happens(api: httpx.Client) -> None:
    path = submit(api)
    tag = api.get(path).headers["etag"]
    answer = api.get(path, headers={"If-None-Match": tag, "Prefer": "wait=1"})
    assert (answer.status_code, answer.headers["etag"]) == (304, tag)


def test_get_answers_at_once_when_the_revision_differs(api: httpx.Client) -> None:
    path = submit(api)
    start = time.monotonic()
    assert api.get(path, headers={"If-None-Match": '"none"', "Prefer": "wait=20"}).status_code == 200
    assert time.monotonic() - start < QUICK


def test_get_without_a_revision_waits_until_done(
    api: httpx.Client, store: JobStore, worker: HandWorker, background: ThreadPoolExecutor
) -> None:
    path = submit(api)
    pending = background.submit(api.get, path, headers={"Prefer": "wait=20"})
    record, fence = worker.claim()
    store.report_progress(record.id, fence, Progress(phase="discrete", fraction=0.5))
    store.finish(record.id, fence, JobStatus.SUCCEEDED)
    assert pending.result().json()["status"] == "succeeded"


def test_a_finished_job_never_changes_so_nobody_waits_for_it(api: httpx.Client, worker: HandWorker) -> None:
    path = submit(api)
    worker.succeed()
    tag = api.get(path).headers["etag"]
    start = time.monotonic()
    assert api.get(path, headers={"If-None-Match": tag, "Prefer": "wait=20"}).status_code == 304
    assert api.get(path, headers={"Prefer": "wait=20"}).status_code == 200
    assert time.monotonic() - start < QUICK
