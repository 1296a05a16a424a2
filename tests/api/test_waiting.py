"""Long polls end when they should, and not by polling."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from service.contract.job import JobStatus, Progress
from tests.support.api import MOONS
from tests.support.http.published import checked

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from service.jobstore import JobStore
    from tests.support.api import HandWorker

WAIT = {"Prefer": "wait=30"}


@pytest.fixture
def impatient(base_url: str, api: httpx.Client) -> Iterator[httpx.Client]:
    """A client that gives up long before a long poll would end by itself: its answers were sent because of an event."""
    del api  # it has emptied the store
    with checked(base_url, timeout=20) as client:
        yield client


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def submit(api: httpx.Client) -> str:
    path: str = api.post("/v1/jobs", json=MOONS).json()["links"]["self"]
    return path


def test_post_waits_until_done(
    impatient: httpx.Client, store: JobStore, worker: HandWorker, background: ThreadPoolExecutor
) -> None:
    pending = background.submit(impatient.post, "/v1/jobs", json=MOONS, headers=WAIT)
    while not store.queued():
        assert not pending.done()
    worker.succeed()
    answer = pending.result()
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert answer.headers["preference-applied"] == "wait=30"
    assert "retry-after" not in answer.headers


def test_post_gives_up_waiting(api: httpx.Client) -> None:
    answer = api.post("/v1/jobs", json=MOONS, headers={"Prefer": "respond-async, wait=1"})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers["preference-applied"] == "wait=1"


def test_get_waits_for_the_next_revision(
    impatient: httpx.Client, worker: HandWorker, background: ThreadPoolExecutor
) -> None:
    path = submit(impatient)
    headers = {"If-None-Match": impatient.get(path).headers["etag"], **WAIT}
    pending = [background.submit(impatient.get, path, headers=headers) for _ in range(4)]
    worker.claim()
    for answer in (future.result() for future in pending):
        assert (answer.status_code, answer.json()["status"]) == (200, "running")


def test_get_answers_304_when_nothing_happens(api: httpx.Client) -> None:
    path = submit(api)
    tag = api.get(path).headers["etag"]
    answer = api.get(path, headers={"If-None-Match": tag, "Prefer": "wait=1"})
    assert (answer.status_code, answer.headers["etag"]) == (304, tag)


def test_get_answers_at_once_when_the_revision_differs(impatient: httpx.Client) -> None:
    path = submit(impatient)
    assert impatient.get(path, headers={"If-None-Match": '"none"', **WAIT}).status_code == 200


def test_get_without_a_revision_waits_until_done(
    impatient: httpx.Client, store: JobStore, worker: HandWorker, background: ThreadPoolExecutor
) -> None:
    path = submit(impatient)
    pending = background.submit(impatient.get, path, headers=WAIT)
    record, fence = worker.claim()
    store.report_progress(record.id, fence, Progress(phase="discrete", fraction=0.5))
    store.finish(record.id, fence, JobStatus.SUCCEEDED)
    assert pending.result().json()["status"] == "succeeded"


def test_a_finished_job_never_changes_so_nobody_waits_for_it(impatient: httpx.Client, worker: HandWorker) -> None:
    path = submit(impatient)
    worker.succeed()
    tag = impatient.get(path).headers["etag"]
    assert impatient.get(path, headers={"If-None-Match": tag, **WAIT}).status_code == 304
    assert impatient.get(path, headers=WAIT).status_code == 200
