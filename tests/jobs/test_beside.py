"""Records of jobs that have ended come to lie beside their objects, and those of deleted ones do not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from service.artifacts import StorageError
from service.contract import names
from service.contract.job import JobStatus
from service.jobs.beside import write_records
from service.jobs.rebuild import LATER, NO_RECORD, RESTORED
from service.jobstore import JobStore, keys
from tests.jobs.ended import Objects, end, lose, rebuilt, record_of
from tests.support.job_records import submit

if TYPE_CHECKING:
    from service.jobs.jobs import Jobs


@pytest.mark.parametrize("status", [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED])
def test_a_record_is_written_however_the_job_ended(store: JobStore, objects: Objects, status: JobStatus) -> None:
    waiting = submit(store, name="é\u0000\U0001f600")
    store.redis.zrem(keys.QUEUED, waiting.id)
    ended = end(store, objects, status, metadata={"list": [], "number": 2**60}, name="é\U0001f600")
    store.redis.hset(keys.JOB + ended.id, "of_a_later_version", "{}")
    write_records(store, objects)
    record = record_of(objects, ended.id)
    assert record == store.redis.hgetall(keys.JOB + ended.id)
    assert record_of(objects, waiting.id) is None
    assert store.endings.unwritten(10) == []


def test_what_cannot_be_written_is_written_later(store: JobStore, objects: Objects) -> None:
    ended = [end(store, objects).id for _ in range(3)]
    objects.full = True
    write_records(store, objects)
    assert [record_of(objects, job_id) for job_id in ended] == [None] * 3
    objects.full = False
    write_records(store, objects)
    assert all(record_of(objects, job_id) for job_id in ended)


def test_records_that_cannot_be_written_keep_no_other_waiting(store: JobStore, objects: Objects) -> None:
    ended = [end(store, objects).id for _ in range(6)]
    stuck, others = ended[:4], ended[4:]
    in_the_way = [Path(objects.location) / names.record_path(job_id) / "folder" for job_id in stuck]
    for folder in in_the_way:
        folder.mkdir(parents=True)
    write_records(store, objects)
    assert [job_id for job_id, _ in store.endings.unwritten(10)] == [stuck[3], *others, *stuck[:3]], "three in a row"
    write_records(store, objects)
    assert all(record_of(objects, job_id) for job_id in others)
    assert {job_id for job_id, _ in store.endings.unwritten(10)} == set(stuck)
    for folder in in_the_way:
        folder.rmdir()
        folder.parent.rmdir()
    for _ in range(2):
        write_records(store, objects)
    assert all(record_of(objects, job_id) for job_id in stuck)


def test_a_crash_after_the_object_and_before_the_note_writes_it_again(
    store: JobStore, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = end(store, objects).id
    with monkeypatch.context() as patched:
        patched.setattr(type(store.endings), "written", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_records(store, objects)
    objects.delete(names.record_path(job_id))
    write_records(store, objects)
    assert record_of(objects, job_id)


def test_a_deleted_job_does_not_come_back(store: JobStore, objects: Objects, jobs: Jobs) -> None:
    written, being_written = end(store, objects).id, end(store, objects).id
    store.redis.zrem(keys.UNWRITTEN, being_written)
    write_records(store, objects)
    assert record_of(objects, written)
    jobs.delete(written)
    store.redis.zadd(keys.UNWRITTEN, {being_written: 1})
    objects.meanwhile = lambda: jobs.delete(being_written)
    write_records(store, objects)
    assert record_of(objects, being_written), "it was written after the folder was deleted"
    write_records(store, objects)
    assert objects.folders(names.JOBS) == []
    lose(store)
    assert rebuilt(store, objects).counts == {}


def test_a_writer_that_was_overtaken_looks_again(store: JobStore, objects: Objects, jobs: Jobs) -> None:
    job_id = end(store, objects).id

    def overtake() -> None:
        jobs.delete(job_id)
        write_records(store, objects)  # another one's pass, which finds nothing to delete yet
        assert store.endings.unwritten(10) == []

    objects.meanwhile = overtake
    write_records(store, objects)
    assert record_of(objects, job_id)
    write_records(store, objects)
    assert record_of(objects, job_id) is None
    assert store.endings.unwritten(10) == []


def test_a_deletion_that_was_cut_off_brings_no_half_job_back(store: JobStore, objects: Objects, jobs: Jobs) -> None:
    job_id = end(store, objects).id
    write_records(store, objects)

    def cut_off(*_: object) -> None:
        raise StorageError("away")

    whole = objects.delete_prefix
    objects.delete_prefix = cut_off  # type: ignore[method-assign, assignment]  # the fault
    with pytest.raises(StorageError):
        jobs.delete(job_id)
    objects.delete_prefix = whole  # type: ignore[method-assign]
    lose(store)
    assert rebuilt(store, objects).counts == {NO_RECORD: 1}


def test_jobs_that_ended_before_this_version_are_written_too(store: JobStore, objects: Objects) -> None:
    ended = [end(store, objects).id for _ in range(3)]
    submit(store)
    store.redis.delete(keys.UNWRITTEN)  # an earlier version, or a worker of one, notes none
    while not store.index():
        pass
    write_records(store, objects)
    assert all(record_of(objects, job_id) for job_id in ended)
    assert store.index()
    assert store.endings.unwritten(10) == []


@pytest.mark.parametrize(("field", "text"), [("artifacts", "{"), ("schema_version", "2"), ("error", '{"later": 1}')])
def test_a_record_that_cannot_be_read_is_kept_as_it_is_and_replaces_none(
    store: JobStore, objects: Objects, field: str, text: str
) -> None:
    """A later version can read what it wrote; what was written before the damage is better than what is left."""
    anew, again = end(store, objects).id, end(store, objects).id
    store.redis.hset(keys.JOB + anew, field, text)
    write_records(store, objects)
    assert record_of(objects, anew) == store.redis.hgetall(keys.JOB + anew)
    before = record_of(objects, again)
    store.redis.hset(keys.JOB + again, field, text)
    store.redis.zadd(keys.UNWRITTEN, {again: 1})
    write_records(store, objects)
    assert record_of(objects, again) == before
    assert store.endings.unwritten(10) == []
    lose(store)
    assert rebuilt(store, objects).counts == {LATER: 1, RESTORED: 1}


def test_what_is_no_record_is_not_kept(store: JobStore, objects: Objects) -> None:
    job_id = end(store, objects).id
    store.redis.delete(keys.JOB + job_id)
    store.redis.set(keys.JOB + job_id, "not a hash")
    write_records(store, objects)
    assert record_of(objects, job_id) is None
    assert store.endings.unwritten(10) == []
