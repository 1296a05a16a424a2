"""A job store that was lost, or parts of it, comes back from the records beside the objects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from service.artifacts import ArtifactNotFoundError, ArtifactStore
from service.contract import names
from service.contract.job import JobRecord, JobStatus, Loss
from service.datasets.store import DatasetStore
from service.datasets.uploads.request import Choice
from service.jobs.beside import write_records
from service.jobs.leftovers import Leftovers
from service.jobs.rebuild import (
    ANOTHER,
    DAMAGED,
    INCOMPLETE,
    LATER,
    NO_RECORD,
    RESTORED,
    THERE,
    UNREADABLE,
    Rebuilding,
)
from service.jobstore import IdempotencyKeyReused, JobQuery, JobStore, StaleFence, StoresApartError, keys
from service.sealed import seal, unseal
from tests.jobs.ended import Objects, end, lose, rebuilt, record_of
from tests.support.job_records import new_job, submit
from tests.support.uploads import npz

if TYPE_CHECKING:
    from pathlib import Path

    from service.datasets.datasets import Datasets


def test_all_of_a_hundred_jobs_come_back(store: JobStore, objects: Objects) -> None:
    ends = [JobStatus.SUCCEEDED, JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED]
    for number in range(100):
        kind = "evaluate" if number % 5 == 0 else "train"
        end(store, objects, ends[number % 4], kind=kind, external_id=f"x{number % 3}", name=f"job {number}")
    submit(store)
    write_records(store, objects)
    filters: list[dict[str, Any]] = [
        {},
        {"status": JobStatus.FAILED},
        {"kind": "evaluate"},
        {"external_id": "x1"},
        {"status": JobStatus.SUCCEEDED, "kind": "train", "external_id": "x2"},
    ]

    def found() -> list[list[JobRecord]]:
        return [[job for job in store.list(JobQuery(limit=200, **query)).items if job.done] for query in filters]

    before, counts = found(), store.counts()
    assert len(before[0]) == 100
    lose(store)
    seen: list[int] = []
    rebuilding = Rebuilding(store, objects)
    rebuilding.name_store()
    outcome = rebuilding.jobs(seen.append)
    assert (outcome.counts, outcome.refused, outcome.left_out) == ({RESTORED: 100}, 0, {})
    assert seen == [100] * 100
    assert found() == before
    assert store.counts() == counts | {JobStatus.QUEUED: 0}
    assert store.index(), "every index is complete"
    assert store.endings.unwritten(10) == []
    assert store.queued() == 0
    for job in before[0]:
        assert store.get(job.id) is not None
        if job.status is JobStatus.SUCCEEDED:
            assert json.loads(objects.get(job.artifacts[names.RESULTS])) == {"of": job.id}
    assert rebuilt(store, objects).counts == {THERE: 100}
    assert found() == before
    job = before[0][0]
    assert store.delete(job.id).id == job.id


def test_a_key_still_means_its_job(store: JobStore, objects: Objects) -> None:
    job, _ = store.create(new_job(), idempotency_key="k", body_sha256="b")
    store.request_cancel(job.record.id)
    write_records(store, objects)
    lose(store)
    rebuilt(store, objects)
    again = store.replayed("k", "b")
    assert again is not None
    assert again.record.id == job.record.id
    with pytest.raises(IdempotencyKeyReused):
        store.replayed("k", "another")


def test_a_key_that_means_another_job_by_now_stays(store: JobStore, objects: Objects) -> None:
    lost, _ = store.create(new_job(), idempotency_key="k", body_sha256="b")
    store.request_cancel(lost.record.id)
    write_records(store, objects)
    lose(store)
    again, _ = store.create(new_job(), idempotency_key="k", body_sha256="b")
    rebuilt(store, objects)
    store.delete(lost.record.id)
    third, replayed = store.create(new_job(), idempotency_key="k", body_sha256="b")
    assert (third.record.id, replayed) == (again.record.id, True)
    store.request_cancel(again.record.id)
    store.delete(again.record.id)
    assert store.replayed("k", "b") is None


def test_a_job_that_is_deleted_meanwhile_does_not_come_back(store: JobStore, objects: Objects) -> None:
    job_id = end(store, objects).id
    write_records(store, objects)
    record = record_of(objects, job_id)
    assert record is not None
    store.delete(job_id)
    assert not store.endings.restore(record)
    assert store.get(job_id) is None
    store.redis.delete(keys.UNWRITTEN)
    assert store.endings.restore(record)


def test_what_does_not_verify_is_left_out_and_counted(store: JobStore, objects: Objects) -> None:
    ids = [end(store, objects).id for _ in range(8)]
    write_records(store, objects)
    flipped, cut, later, kind, other, missing, resized, good = ids

    def change(job_id: str, **fields: str) -> None:
        objects.put(names.record_path(job_id), seal((record_of(objects, job_id) or {}) | fields), "x")

    content = bytearray(objects.get(names.record_path(flipped)))
    content[content.index(b"succeeded")] ^= 1
    objects.put(names.record_path(flipped), bytes(content), "x")
    objects.put(names.record_path(cut), objects.get(names.record_path(cut))[:-20], "x")
    change(later, schema_version="99")
    change(kind, status="archived")
    change(other, id=good)
    results = {job_id: store.get(job_id).artifacts[names.RESULTS].path for job_id in (missing, resized)}  # type: ignore[union-attr]  # it is there
    objects.delete(results[missing])
    objects.put(results[resized], b"{}", "x")
    objects.put(names.data_path("nothing-yet"), b"x", "x")
    lose(store)
    outcome = rebuilt(store, objects)
    assert outcome.left_out == {
        DAMAGED: sorted([flipped, cut]),
        LATER: sorted([later, kind]),
        ANOTHER: [other],
        INCOMPLETE: sorted([missing, resized]),
        NO_RECORD: ["nothing-yet"],
    }
    assert (outcome.counts[RESTORED], outcome.refused) == (1, 7)
    assert [job.id for job in store.list(JobQuery(limit=10)).items] == [good]


def test_a_record_that_cannot_be_read_now_stops_no_other(store: JobStore, objects: Objects) -> None:
    ids = [end(store, objects).id for _ in range(3)]
    write_records(store, objects)
    lose(store)
    objects.unreadable = names.record_path(ids[1])
    outcome = rebuilt(store, objects)
    assert outcome.counts == {RESTORED: 2, UNREADABLE: 1}
    assert (outcome.left_out, outcome.refused) == ({UNREADABLE: [ids[1]]}, 1)
    objects.unreadable = None
    assert rebuilt(store, objects).counts == {RESTORED: 1, THERE: 2}


def test_an_earlier_state_of_a_job_gives_way(store: JobStore, objects: Objects) -> None:
    """As where the end of the append-only file was lost."""
    waiting, running = submit(store, external_id="x").id, submit(store).id
    ended = {}
    for job_id in (waiting, running):
        early = store.redis.dump(keys.JOB + job_id)
        claim = store.claim("worker")
        assert claim is not None
        if job_id == running:
            early = store.redis.dump(keys.JOB + job_id)
        assert early is not None
        fence = claim.fence
        ended[job_id] = store.finish(job_id, fence, JobStatus.SUCCEEDED)
        write_records(store, objects)
        store.redis.restore(keys.JOB + job_id, 0, early, replace=True)
        store.redis.delete(keys.WRITTEN, keys.JOBS_BY_STATUS + JobStatus.SUCCEEDED)
    store.redis.zadd(keys.QUEUED, {waiting: 1})
    store.redis.zadd(keys.LEASES, {running: 1e18})
    store.redis.zadd(keys.JOBS_BY_STATUS + JobStatus.RUNNING, {running: 1})
    assert rebuilt(store, objects).counts == {RESTORED: 2}
    assert {job_id: store.get(job_id) for job_id in ended} == ended
    assert (store.queued(), store.redis.zcard(keys.LEASES)) == (0, 0)
    assert store.counts()[JobStatus.SUCCEEDED] == 2
    with pytest.raises(StaleFence):
        store.finish(running, fence, JobStatus.FAILED)
    while not store.index():
        pass
    assert len(store.list(JobQuery(limit=10, status=JobStatus.SUCCEEDED, kind="train")).items) == 2


def test_a_record_that_cannot_be_read_is_replaced_and_one_that_goes_on_is_not(
    store: JobStore, objects: Objects
) -> None:
    broken, going_on = end(store, objects).id, end(store, objects).id
    write_records(store, objects)
    before = store.get(broken)
    store.redis.hset(keys.JOB + broken, "artifacts", "{\x00")
    store.redis.hset(keys.JOB + going_on, mapping={"status": "running", "revision": 99})
    assert rebuilt(store, objects).counts == {RESTORED: 1, THERE: 1}
    assert store.get(broken) == before
    text = end(store, objects)
    write_records(store, objects)
    store.redis.delete(keys.JOB + text.id)
    store.redis.set(keys.JOB + text.id, "not a hash")
    assert rebuilt(store, objects).counts[RESTORED] == 1
    assert store.get(text.id) == text, "its time of creation too"


def test_what_attempts_at_a_job_that_came_back_have_left_goes(store: JobStore, objects: Objects) -> None:
    job_id = submit(store).id
    first = store.claim("one that dies")
    assert first is not None
    checkpoint = objects.put(names.checkpoint_path(job_id, first.fence, "1"), b"x", "x")
    store.keep_checkpoints(job_id, first.fence, [checkpoint])
    objects.put(names.results_path(job_id, first.fence), b"{}", "x")
    store.requeue(job_id, first.fence, Loss.OUTAGE, "…")
    second = store.claim("another")
    assert second is not None
    results = objects.put(names.results_path(job_id, second.fence), b"{}", "x")
    store.finish(job_id, second.fence, JobStatus.SUCCEEDED, artifacts={names.RESULTS: results})
    write_records(store, objects)
    lose(store)
    assert rebuilt(store, objects).counts == {RESTORED: 1}
    assert Leftovers(store.redis, objects).sweep() == 1
    assert set(objects.sizes(names.job_prefix(job_id))) == {results.path, names.record_path(job_id)}


def test_two_jobs_of_one_moment_are_both_listed(store: JobStore, objects: Objects) -> None:
    ended = end(store, objects).id
    write_records(store, objects)
    created = store.redis.zscore(keys.JOBS, ended)
    assert isinstance(created, float)
    lose(store)
    newer = submit(store).id
    store.redis.zadd(keys.JOBS, {newer: created})
    rebuilt(store, objects)
    page = store.list(JobQuery(limit=1))
    assert page.next_cursor is not None
    rest = store.list(JobQuery(limit=1, cursor=page.next_cursor))
    assert {job.id for job in (*page.items, *rest.items)} == {ended, newer}


def test_a_new_job_store_is_given_the_id_of_the_objects_and_another_is_refused(
    store: JobStore, objects: Objects, tmp_path: Path
) -> None:
    end(store, objects)
    write_records(store, objects)
    Rebuilding(store, objects).name_store()
    identity = objects.identity()
    lose(store)
    rebuilt(store, objects)
    assert store.redis.get(keys.STORE) == identity
    others = ArtifactStore(tmp_path / "others")
    others.identify("others")
    with pytest.raises(StoresApartError):
        Rebuilding(store, others).name_store()


def upload(datasets: Datasets, tmp_path: Path, number: int) -> str:
    file = tmp_path / "upload.npz"
    file.write_bytes(npz(X=np.full((3, 2), number), y=np.arange(3)))
    record, _ = datasets.create(file, "npz", Choice(), f"data {number}")  # type: ignore[arg-type]  # as a route passes it
    return record.id


def test_data_sets_come_back_and_deleted_ones_do_not(
    store: JobStore, objects: Objects, datasets: Datasets, tmp_path: Path
) -> None:
    ids = [upload(datasets, tmp_path, number) for number in range(3)]
    assert upload(datasets, tmp_path, 1) == ids[1], "the same again leaves no second record"
    datasets.delete(ids[0])
    before = [datasets.get(dataset_id) for dataset_id in ids[1:]]
    lose(store)
    outcome = Rebuilding(store, objects).datasets(lambda _: None)
    assert outcome.counts == {RESTORED: 2}
    found = [datasets.get(dataset_id) for dataset_id in ids[1:]]
    assert [(record.name, record.object) for record in found] == [(record.name, record.object) for record in before]
    assert [record.id for record in datasets.list(limit=5, cursor=None).items] == ids[:0:-1]
    assert Rebuilding(store, objects).datasets(lambda _: None).counts == {THERE: 2}
    objects.delete(found[0].object.path)
    lose(store)
    assert Rebuilding(store, objects).datasets(lambda _: None).counts == {RESTORED: 1, INCOMPLETE: 1}


def test_the_sweeper_spares_a_data_set_that_came_back(
    store: JobStore, objects: Objects, datasets: Datasets, tmp_path: Path
) -> None:
    """Its announcement outlived the record, whose place in the log was cut off."""
    dataset_id = upload(datasets, tmp_path, 1)
    path = datasets.get(dataset_id).object.path
    lose(store)
    DatasetStore(store.redis).announce(path)
    assert Rebuilding(store, objects).datasets(lambda _: None).counts == {RESTORED: 1}
    assert datasets.sweep(lost_after_s=0) == 0
    assert objects.get(datasets.get(dataset_id).object)


def test_the_sweeper_spares_a_data_set_that_is_to_come_back(
    store: JobStore, objects: Objects, datasets: Datasets, tmp_path: Path
) -> None:
    dataset_id = upload(datasets, tmp_path, 1)
    path = datasets.get(dataset_id).object.path
    lose(store)
    DatasetStore(store.redis).announce(path)
    assert datasets.sweep(lost_after_s=0) == 0
    assert store.redis.zcard(keys.UNSETTLED) == 0
    assert Rebuilding(store, objects).datasets(lambda _: None).counts == {RESTORED: 1}
    assert objects.get(datasets.get(dataset_id).object)


def test_a_data_set_whose_deletion_was_cut_off_does_not_come_back(
    store: JobStore, objects: Objects, datasets: Datasets, tmp_path: Path
) -> None:
    dataset_id = upload(datasets, tmp_path, 1)
    DatasetStore(store.redis).delete(dataset_id)  # and the API dies before the objects are deleted
    assert Rebuilding(store, objects).datasets(lambda _: None).counts == {THERE: 1}
    assert datasets.sweep() == 1
    assert objects.folders(names.DATASETS) == []
    assert datasets.find(dataset_id) is None


def test_data_sets_of_an_earlier_version_are_written_once(objects: Objects, datasets: Datasets, tmp_path: Path) -> None:
    dataset_id = upload(datasets, tmp_path, 1)
    path = names.dataset_record_path(datasets.get(dataset_id).object.path)
    objects.delete(path)
    objects.full = True
    datasets.write_records()
    objects.full = False
    datasets.write_records()
    assert unseal(objects.get(path))
    objects.delete(path)
    datasets.write_records()
    with pytest.raises(ArtifactNotFoundError):
        objects.get(path)
