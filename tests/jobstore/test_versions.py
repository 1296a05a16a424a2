"""Records of other versions, and damaged ones: carried, shown where they can be, and changed by nobody else."""

import json
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from service.contract.job import (
    SCHEMA_VERSION,
    ArtifactRef,
    JobError,
    JobRecord,
    JobStatus,
    Loss,
    Progress,
    Revision,
    WorkerInfo,
)
from service.jobstore import JobQuery, JobStore, RecordNotUnderstood, RevisionFeed, keys
from tests.support.job_records import claimed, expire_lease, submit

LATER: dict[str, Any] = {"list": [], "object": {}, "number": 9_007_199_254_740_993, "null": None, "text": "é\u0000"}
"""What a later version may write into any part of a record, some of it hard to carry."""
REFERENCE = {"path": "jobs/x/data", "sha256": "0" * 64, "bytes": 1, "media_type": "x"}

DAMAGED: dict[str, dict[str, str | None]] = {
    "no specification": {"spec": None},
    "a specification cut off": {"spec": '{"a": 0.'},
    "a specification that is no object": {"spec": "[]"},
    "metadata cut off": {"metadata": '{"a'},
    "deep metadata": {"metadata": "[" * 10_000},
    "an object without a hash": {"artifacts": json.dumps({"data": {"path": "x"}})},
    "progress that is a list": {"progress": "[1]", "fraction": "0.5"},
    "progress without its fraction": {"progress": '{"phase": "x"}'},
    "no identifier": {"id": None},
    "a time that is none": {"started": "then"},
    "a time far off": {"started": "9" * 30},
    "no hash": {"spec_sha256": None},
    "an attempt that is no number": {"attempt": "first"},
    "a version that is no number": {"schema_version": "two"},
}


def keep(store: JobStore, job_id: str, **fields: str | None) -> None:
    """Change fields of a record as another version of the service, or a disk, might."""
    for name, text in fields.items():
        if text is None:
            store.redis.hdel(keys.JOB + job_id, name)
        else:
            store.redis.hset(keys.JOB + job_id, name, text)


def held(store: JobStore, job_id: str) -> dict[str, str]:
    fields: dict[str, str] = store.redis.hgetall(keys.JOB + job_id)  # type: ignore[assignment]  # sync client
    return fields


def listed(store: JobStore, **query: Any) -> tuple[list[str], int]:
    page = store.list(JobQuery(**{"limit": 10, **query}))
    return [job.id for job in page.items], page.left_out


def test_unknown_fields_outlive_every_change(store: JobStore) -> None:
    job = submit(store, artifacts={"data": ArtifactRef.model_validate(REFERENCE | LATER)}, metadata=LATER)
    keep(store, job.id, later=json.dumps(LATER), spec=json.dumps({"a": 0.1, **LATER}))
    claim = store.claim("worker")
    assert claim is not None
    assert claim.record.spec == {"a": 0.1, **LATER}
    store.report_progress(job.id, claim.fence, Progress(phase="x", fraction=0.5))
    store.requeue(job.id, claim.fence, Loss.CRASH, "…")
    again = store.claim("worker")
    assert again is not None
    expire_lease(store, job.id)
    store.reconcile()
    last = store.claim("worker")
    assert last is not None
    ended = store.finish(
        job.id,
        last.fence,
        JobStatus.FAILED,
        error=JobError.model_validate({"code": "x", "detail": "…", "retryable": False, "origin": "user", **LATER}),
        artifacts={"results": ArtifactRef.model_validate(REFERENCE)},
    )
    fields = held(store, job.id)
    assert json.loads(fields["later"]) == LATER
    assert json.loads(fields["metadata"]) == LATER
    assert json.loads(fields["artifacts"]) == {"data": REFERENCE | LATER, "results": REFERENCE}
    assert ended.error is not None
    assert ended.error.model_dump().items() >= LATER.items()
    assert store.get(job.id) == ended


def test_unknown_fields_of_progress_are_shown(store: JobStore) -> None:
    job = claimed(store).record
    keep(store, job.id, progress=json.dumps({"phase": "x", "fraction": 0.5, **LATER}), fraction="0.5")
    shown = store.get(job.id)
    assert shown is not None
    assert shown.progress is not None
    assert shown.progress.model_dump().items() >= LATER.items()


def test_a_record_of_an_earlier_version_has_the_defaults(store: JobStore) -> None:
    job = submit(store)
    keep(store, job.id, schema_version=None, metadata=None, artifacts=None)
    old = store.get(job.id)
    assert old is not None
    assert (old.schema_version, old.metadata, old.artifacts, old.crashes) == (SCHEMA_VERSION, {}, {}, 0)
    assert listed(store) == ([job.id], 0)
    claim = store.claim("worker")
    assert claim is not None
    assert store.finish(job.id, claim.fence, JobStatus.SUCCEEDED).status is JobStatus.SUCCEEDED
    assert store.delete(job.id).id == job.id


@pytest.mark.parametrize("place", [keys.QUEUED, keys.LEASES])
def test_a_status_of_a_later_version_is_shown_and_never_changed(store: JobStore, place: str) -> None:
    job = submit(store)
    keep(store, job.id, status="paused")
    store.redis.zadd(place, {job.id: 0})
    before = held(store, job.id)
    shown = store.get(job.id)
    assert shown is not None
    assert (shown.status, shown.done, shown.understood) == ("paused", False, False)
    assert store.claim("worker") is None
    store.reconcile()
    store.release("")
    store.index()
    for change in (store.request_cancel, store.delete):
        with pytest.raises(RecordNotUnderstood):
            change(job.id)
    assert held(store, job.id) == before
    assert listed(store) == listed(store, kind="train") == ([job.id], 0)


def test_a_job_of_a_later_version_waits_for_its_workers_and_holds_nobody_up(store: JobStore) -> None:
    later, ours = submit(store), submit(store)
    keep(store, later.id, schema_version=str(SCHEMA_VERSION + 1))
    claim = store.claim("worker")
    assert claim is not None
    assert claim.record.id == ours.id
    assert store.claim("worker") is None
    for change in (store.request_cancel, store.delete):
        with pytest.raises(RecordNotUnderstood):
            change(later.id)
    assert store.queued() == 1
    assert listed(store) == ([ours.id, later.id], 0)
    assert sum(store.strays().values()) == 0


def test_one_that_was_made_here_carries_the_version(store: JobStore) -> None:
    assert held(store, submit(store).id)["schema_version"] == str(SCHEMA_VERSION)


@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_record_is_nobodys_and_stops_nobody(store: JobStore, how: str) -> None:
    first, broken, last = submit(store), submit(store), submit(store)
    keep(store, broken.id, **DAMAGED[how])
    before = held(store, broken.id)
    claims = [store.claim("worker") for _ in range(3)]
    assert [claim.record.id for claim in claims if claim] == [first.id, last.id]
    assert store.strays()["queue"] == 1
    counted = {"fence", "revision", "updated", "started", "operation"}  # it was taken, and given back
    after = held(store, broken.id)
    assert {name: after[name] for name in after.keys() - counted} == {
        name: before[name] for name in before.keys() - counted
    }
    for change in (store.get, store.request_cancel):
        with pytest.raises(RecordNotUnderstood):
            change(broken.id)
    if "specification" not in how:  # else a listing does not look at it
        assert listed(store) == ([last.id, first.id], 1)
    assert store.reconcile().requeued == 0
    assert store.index()


def test_what_is_no_record_at_all_is_left_out(store: JobStore) -> None:
    job = submit(store)
    store.redis.set(f"{keys.JOB}text", "not a hash")
    store.redis.zadd(keys.JOBS, {"text": 1})
    store.redis.hset(f"{keys.JOB}bytes", mapping={"id": b"\xff", "status": b"\xffqueued", "kind": "train"})
    store.redis.zadd(keys.JOBS, {"bytes": 2})
    assert listed(store) == ([job.id], 2)
    for job_id in ("text", "bytes"):
        with pytest.raises(RecordNotUnderstood):
            store.get(job_id)
    store.redis.delete(keys.INDEXED)
    assert store.index()
    assert listed(store, status=JobStatus.QUEUED) == ([job.id], 0)


def test_each_record_that_is_left_out_is_counted_on_one_page(store: JobStore) -> None:
    jobs = [submit(store).id for _ in range(9)]
    for place in (0, 3, 4, 8):
        keep(store, jobs[place], updated=None)
    found: list[str] = []
    left_out: list[int] = []
    cursor = None
    while cursor is not None or not found:
        page = store.list(JobQuery(limit=2, cursor=cursor))
        found += [job.id for job in page.items]
        left_out.append(page.left_out)
        cursor = page.next_cursor
    assert found == [jobs[place] for place in (7, 6, 5, 2, 1)]
    assert sum(left_out) == 4


def test_a_worker_of_a_later_version_is_counted_and_one_that_is_none_is_not(store: JobStore) -> None:
    ours = WorkerInfo(id="a", hostname="h", pid=1, devices=("cpu",))
    store.register_worker(ours, 30)
    for worker_id, text in (
        ("b", json.dumps(ours.model_dump(mode="json") | LATER | {"id": "b"})),
        ("c", "{"),
        ("d", "[]"),
    ):
        store.redis.set(keys.WORKER + worker_id, text)
        store.redis.sadd(keys.WORKERS, worker_id)
    assert [worker.id for worker in store.workers()] == ["a", "b"]


@pytest.fixture
def heard(store: JobStore) -> Iterator[SimpleQueue[Revision | None]]:
    """What a feed passes on to a listener that fails whenever a job called trouble is announced."""
    passed: SimpleQueue[Revision | None] = SimpleQueue()

    def listen(revision: Revision | None) -> None:
        if revision is not None and revision.job_id == "trouble":
            raise ValueError("a listener that fails")
        passed.put(revision)

    feed = RevisionFeed(store.redis, listen)
    feed.start()
    feed.listen(60)
    assert passed.get(timeout=5) is None
    yield passed
    feed.stop()


@pytest.mark.parametrize("message", [b"\xff\xfe", b"", b"a b", b"a 1 queued more", b"a one queued", b"x" * 2**20])
def test_a_feed_outlives_what_it_cannot_read(
    store: JobStore, heard: "SimpleQueue[Revision | None]", message: bytes
) -> None:
    store.redis.publish(keys.REVISIONS, message)
    assert heard.get(timeout=5) is None, "some revision was missed"
    job = submit(store)
    assert heard.get(timeout=5) == Revision(job_id=job.id, revision=1, status=JobStatus.QUEUED)


def test_a_feed_outlives_its_listener_and_says_that_some_were_missed(
    store: JobStore, heard: "SimpleQueue[Revision | None]"
) -> None:
    store.redis.publish(keys.REVISIONS, "trouble 1 queued")
    assert heard.get(timeout=5) is None
    job = submit(store)
    assert heard.get(timeout=5) == Revision(job_id=job.id, revision=1, status=JobStatus.QUEUED)


def test_a_feed_passes_a_status_on_that_it_does_not_know(
    store: JobStore, heard: "SimpleQueue[Revision | None]"
) -> None:
    store.redis.publish(keys.REVISIONS, "job 7 paused")
    revision = heard.get(timeout=5)
    assert revision is not None
    assert (revision.status, revision.done) == ("paused", False)


def test_a_record_survives_its_way_to_the_child_that_plans(store: JobStore) -> None:
    job = submit(store, artifacts={"data": ArtifactRef.model_validate(REFERENCE | LATER)})
    keep(store, job.id, status="paused")
    shown = store.get(job.id)
    assert shown is not None
    assert JobRecord.model_validate_json(shown.model_dump_json()) == shown
