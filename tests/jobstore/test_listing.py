"""Listings read as many records as they show, whatever is asked for, in stores of earlier versions too."""

from itertools import chain, combinations
from typing import Any

import pytest

from service.contract.job import JobStatus
from service.jobstore import InvalidCursor, JobQuery, JobStore, keys
from service.jobstore.store import INDEX_BATCH
from tests.support.job_records import submit

FILTERS: dict[str, Any] = {"status": JobStatus.CANCELLED, "kind": "evaluate", "external_id": "left:1"}
CHOICES = [dict(chosen) for size in range(4) for chosen in combinations(FILTERS.items(), size)]


def filled(store: JobStore, jobs: int) -> list[str]:
    """Jobs of two kinds, with two external ids and none, every fifth of them cancelled; their ids, newest first."""
    found = []
    for k in range(jobs):
        kind, external_id = ("train", "evaluate")[k % 2], (None, "left:1", "right")[k % 3]
        found.append(submit(store, kind=kind, external_id=external_id).id)
        if k % 5 == 0:
            store.request_cancel(found[-1])
    return found[::-1]


def wanted(store: JobStore, ids: list[str], chosen: dict[str, Any]) -> list[str]:
    records = filter(None, map(store.get, ids))
    return [record.id for record in records if all(getattr(record, name) == value for name, value in chosen.items())]


def listed(store: JobStore, limit: int, chosen: dict[str, Any]) -> list[list[str]]:
    pages, cursor = [], None
    while True:
        page = store.list(JobQuery(limit=limit, cursor=cursor, **chosen))
        pages.append([record.id for record in page.items])
        cursor = page.next_cursor
        if cursor is None:
            return pages


def commands(store: JobStore) -> dict[str, int]:
    """How often each command was served since this was last asked."""
    found: dict[str, Any] = store.redis.info("commandstats")
    store.redis.config_resetstat()
    return {name.removeprefix("cmdstat_"): int(said["calls"]) for name, said in found.items()}


def as_an_earlier_version(store: JobStore) -> None:
    """Leave of the store what was kept before there were sets for several filters."""
    for pattern in ("status-*", "kind-*", "kinds", "indexed"):
        for key in store.redis.scan_iter(f"deeplimit:jobs:{pattern}"):
            store.redis.delete(key)


def moved_by_an_earlier_version(store: JobStore, job_id: str, before: JobStatus, after: JobStatus) -> None:
    created = store.redis.zscore("deeplimit:jobs", job_id)
    assert isinstance(created, float)
    store.redis.hset(f"deeplimit:job:{job_id}", "status", after)
    store.redis.zrem(f"deeplimit:jobs:status:{before}", job_id)
    store.redis.zadd(f"deeplimit:jobs:status:{after}", {job_id: created})


@pytest.mark.parametrize("chosen", CHOICES, ids=" and ".join)
def test_every_choice_of_filters_lists_what_fits_page_by_page(store: JobStore, chosen: dict[str, Any]) -> None:
    ids = filled(store, 60)
    right = wanted(store, ids, chosen)
    assert len(right) in {60, 12, 30, 20, 6, 4, 10, 2}
    pages = listed(store, 3, chosen)
    assert list(chain.from_iterable(pages)) == right
    assert all(len(page) == 3 for page in pages[:-1])


@pytest.mark.parametrize("chosen", CHOICES, ids=" and ".join)
def test_a_page_reads_its_own_records_and_one_more(store: JobStore, chosen: dict[str, Any]) -> None:
    filled(store, 120)
    commands(store)
    page = store.list(JobQuery(limit=2, **chosen))
    served = commands(store)
    assert len(page.items) == 2
    assert served["zrevrangebyscore"] == 1
    assert served["hmget"] == 3 or (served["hmget"] == 4 and page.next_cursor is None)
    page = store.list(JobQuery(limit=2, cursor=page.next_cursor, **chosen))
    assert commands(store)["hmget"] <= 3


def test_a_store_of_an_earlier_version_is_indexed_in_short_steps(store: JobStore) -> None:
    ids = filled(store, INDEX_BATCH + 50)
    as_an_earlier_version(store)
    right = [wanted(store, ids, chosen) for chosen in CHOICES]

    def all_listed() -> list[list[str]]:
        return [list(chain.from_iterable(listed(store, 100, chosen))) for chosen in CHOICES]

    assert all_listed() == right  # before
    commands(store)
    assert not store.index()
    assert commands(store)["hmget"] == INDEX_BATCH
    assert all_listed() == right  # while it is done
    store.request_cancel(ids[0])  # what is indexed and what is not yet may change meanwhile
    store.request_cancel(ids[-3])
    ids.insert(0, submit(store, kind="evaluate", external_id="left:1").id)
    right = [wanted(store, ids, chosen) for chosen in CHOICES]
    assert all_listed() == right
    assert store.index()
    assert all_listed() == right  # after
    commands(store)
    assert store.index()
    assert "hmget" not in commands(store)
    store.list(JobQuery(limit=2, status=JobStatus.CANCELLED, kind="train"))
    assert commands(store)["hmget"] == 3


def test_what_a_worker_of_an_earlier_version_does_is_found_and_mended(store: JobStore) -> None:
    ids = filled(store, 30)
    assert store.index()
    job_id = ids[0]
    moved_by_an_earlier_version(store, job_id, JobStatus.QUEUED, JobStatus.RUNNING)
    query = JobQuery(limit=10, status=JobStatus.RUNNING, kind="evaluate")
    assert store.list(query).items == []
    assert store.list(JobQuery(limit=1, status=JobStatus.QUEUED, kind="evaluate")).items[0].id != job_id
    assert store.index()
    assert [record.id for record in store.list(query).items] == [job_id]
    assert listed(store, 100, {"status": JobStatus.QUEUED, "kind": "evaluate"}) == [
        wanted(store, ids, {"status": JobStatus.QUEUED, "kind": "evaluate"})
    ]


def test_a_job_that_an_earlier_version_deleted_is_not_looked_for_for_ever(store: JobStore) -> None:
    ids = filled(store, 6)
    gone = wanted(store, ids, {"status": JobStatus.CANCELLED})[0]
    record = store.get(gone)
    assert record is not None
    store.redis.delete(f"deeplimit:job:{gone}")
    for key in ("", f":status:{record.status}", f":kind:{record.kind}", f":external:{record.external_id}"):
        store.redis.zrem(f"deeplimit:jobs{key}", gone)
    assert store.index()
    commands(store)
    assert store.index()
    assert "hmget" not in commands(store)
    assert gone not in chain.from_iterable(listed(store, 2, {"status": record.status, "kind": record.kind}))


@pytest.mark.parametrize("listed_still", [True, False], ids=["among the jobs", "in the set of its status alone"])
@pytest.mark.parametrize("lost", [(), ("kind",)], ids=["whole", "kind"])
def test_a_job_whose_record_was_lost_is_not_looked_for_for_ever(
    store: JobStore, lost: tuple[str, ...], *, listed_still: bool
) -> None:
    ids = filled(store, 6)
    assert store.index()
    gone, kept = wanted(store, ids, {"status": JobStatus.CANCELLED})
    for job_id, fields in ((gone, lost), (ids[1], lost)):  # one that has ended, and one that waits
        store.redis.hdel(keys.JOB + job_id, *fields) if fields else store.redis.delete(keys.JOB + job_id)
        if not listed_still:
            store.redis.zrem(keys.JOBS, job_id)
    store.redis.delete(keys.INDEXED)  # as when the service has been upgraded
    assert store.index()
    commands(store)
    assert store.index()
    assert "hmget" not in commands(store)
    assert store.counts()[JobStatus.CANCELLED] == 1
    assert [job_id for job_id, _ in store.endings.unwritten(10)] == [kept]


def test_pages_hold_every_job_once_newest_first(store: JobStore) -> None:
    jobs = [submit(store).id for _ in range(250)]
    listed: list[str] = []
    cursor = None
    while True:
        page = store.list(JobQuery(limit=40, cursor=cursor))
        listed += [record.id for record in page.items]
        assert all(record.spec == {} for record in page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
        submit(store)  # what comes later does not shift the pages
    assert listed == jobs[::-1]


def test_a_listing_is_narrowed_by_all_of_its_filters(store: JobStore) -> None:
    a = submit(store, external_id="left", kind="train")
    b = submit(store, external_id="left", kind="evaluate")
    c = submit(store, external_id="right", kind="train")
    store.request_cancel(a.id)

    def ids(**filters: Any) -> list[str]:
        return [record.id for record in store.list(JobQuery(limit=10, **filters)).items]

    assert ids() == [c.id, b.id, a.id]
    assert ids(status=JobStatus.QUEUED) == [c.id, b.id]
    assert ids(status=JobStatus.CANCELLED) == [a.id]
    assert ids(external_id="left") == [b.id, a.id]
    assert ids(kind="train") == [c.id, a.id]
    assert ids(kind="train", external_id="left", status=JobStatus.QUEUED) == []
    assert ids(created_after=a.created_at) == [c.id, b.id]
    assert ids(external_id="none") == []


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "٣", "9" * 30])
def test_a_cursor_of_somebody_elses_making_is_refused(store: JobStore, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        store.list(JobQuery(limit=1, cursor=cursor))
