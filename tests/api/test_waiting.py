"""Long polls end when they should, and not by polling."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from service.api.waiting import Waiters
from service.contract.job import JobStatus, Progress
from service.jobs.jobs import Jobs
from service.jobstore import connect, keys
from service.jobstore.feed import RevisionFeed
from tests.support.api import MOONS
from tests.support.http.published import checked

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from service.api.waiting import Enough
    from service.config import Settings
    from service.jobstore import JobStore, KeptJob
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


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the jobs that the API has read for somebody, in turn."""
    ids: list[str] = []
    kept = Jobs.kept

    def counted(jobs: Jobs, job_id: str) -> KeptJob:
        ids.append(job_id)
        return kept(jobs, job_id)

    monkeypatch.setattr(Jobs, "kept", counted)
    return ids


@pytest.fixture
def arrivals(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the jobs that somebody began to wait for, in turn."""
    ids: list[str] = []
    wait = Waiters.wait

    async def counted(waiters: Waiters, job_id: str, seconds: float, enough: Enough) -> KeptJob:
        ids.append(job_id)
        return await wait(waiters, job_id, seconds, enough)

    monkeypatch.setattr(Waiters, "wait", counted)
    return ids


def test_progress_wakes_nobody_who_waits_for_the_end_and_the_end_is_read_once_for_all(
    impatient: httpx.Client,
    store: JobStore,
    worker: HandWorker,
    reads: list[str],
    arrivals: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, waiting, steps = submit(impatient), 20, 10
    record, fence = worker.claim()
    with ThreadPoolExecutor(waiting) as pool:
        pending = [pool.submit(impatient.get, path, headers=WAIT) for _ in range(waiting)]
        while len(arrivals) < waiting:
            assert not any(answer.done() for answer in pending)
        tag = impatient.get(path).headers["etag"]
        monkeypatch.setattr("service.jobstore.store.PROGRESS_INTERVAL_S", 0.0)  # every step is a revision
        for step in range(1, steps + 1):
            store.report_progress(record.id, fence, Progress(phase="discrete", fraction=step / (2 * steps)))
            tag = impatient.get(path, headers={"If-None-Match": tag, **WAIT}).headers["etag"]
        # One for each who came, one for the tag, and for each step one before and one after it.
        assert len(reads) <= waiting + 1 + 2 * steps
        before = len(reads)
        store.finish(record.id, fence, JobStatus.SUCCEEDED)
        assert {answer.result().json()["status"] for answer in pending} == {"succeeded"}
    assert len(reads) == before + 1


def test_a_poll_whose_announcement_was_lost_reads_once_more_before_it_answers(
    api: httpx.Client, worker: HandWorker, arrivals: list[str], reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RevisionFeed, "_hear", lambda *_: None)
    path = submit(api)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(api.get, path, headers={"Prefer": "wait=2"})
        while not (arrivals and reads):
            assert not pending.done()
        worker.succeed()
        assert pending.result().json()["status"] == "succeeded"


@pytest.mark.parametrize(
    "garbage", ["", "x", "a b c d", "some-job first running", "some-job 2 of-a-later-version", b"\xff\xfe"]
)
def test_who_waits_is_woken_after_any_announcement(
    impatient: httpx.Client,
    settings: Settings,
    worker: HandWorker,
    arrivals: list[str],
    background: ThreadPoolExecutor,
    garbage: str | bytes,
) -> None:
    path = submit(impatient)
    pending = background.submit(impatient.get, path, headers=WAIT)
    while not arrivals:
        assert not pending.done()
    assert settings.redis_url is not None
    with connect(settings.redis_url) as client:
        client.publish(keys.REVISIONS, garbage)
    worker.succeed()
    assert pending.result().json()["status"] == "succeeded"
