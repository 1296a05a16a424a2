"""Objects that no record names go, whoever was killed while writing them, and those that one names stay."""

from pathlib import Path

import pytest

from service.artifacts import ArtifactStore
from service.contract import names
from service.contract.job import SCHEMA_VERSION, ArtifactRef, JobStatus, Loss
from service.contract.values.media_types import BYTES, JSON, SAFETENSORS
from service.jobs.beside import write_records
from service.jobs.leftovers import Leftovers
from service.jobs.rebuild import RESTORED
from service.jobstore import JobLate, JobStore, Unsettled, keys, unsettled
from service.jobstore.unsettled import AT_ONCE
from tests.jobs.ended import end, lose, rebuilt
from tests.support.job_records import claimed, expire_lease, new_job


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "objects")


@pytest.fixture
def leftovers(store: JobStore, artifacts: ArtifactStore) -> Leftovers:
    return Leftovers(store.redis, artifacts)


def files(tmp_path: Path) -> set[str]:
    objects = tmp_path / "objects"
    return {str(path.relative_to(objects)) for path in objects.rglob("*") if path.is_file()}


def write(artifacts: ArtifactStore, job_id: str, fence: int) -> ArtifactRef:
    return artifacts.put(names.results_path(job_id, fence), b"{}", JSON)


def announced(store: JobStore) -> int:
    return int(store.redis.zcard(keys.UNSETTLED_JOBS))


def given(store: JobStore, artifacts: ArtifactStore) -> tuple[str, ArtifactRef]:
    """Write what a job is given, and do not make it."""
    job_id = new_job().id
    Unsettled(store.redis).announce(job_id)
    return job_id, artifacts.put(names.data_path(job_id), b"samples", SAFETENSORS)


def test_an_attempt_that_was_lost_leaves_nothing_once_the_job_has_ended(
    store: JobStore, artifacts: ArtifactStore, leftovers: Leftovers, tmp_path: Path
) -> None:
    first = claimed(store)
    job_id = first.record.id
    write(artifacts, job_id, first.fence)
    torn = tmp_path / "objects" / names.results_path(job_id, first.fence, "losses")
    torn.with_name("losses.json#1").write_bytes(b"[1, 2")  # as the store of objects names what it is writing
    expire_lease(store, job_id)
    assert store.reconcile().requeued == 1
    second = store.claim("worker")
    assert second is not None
    kept = write(artifacts, job_id, second.fence)
    assert leftovers.sweep() == 0, "the job has not ended"
    store.finish(job_id, second.fence, JobStatus.SUCCEEDED, artifacts={names.RESULTS: kept})
    assert leftovers.sweep() == 1
    assert files(tmp_path) == {kept.path}
    assert announced(store) == 0


def test_a_job_that_succeeds_at_once_is_not_looked_through(store: JobStore, artifacts: ArtifactStore) -> None:
    claim = claimed(store)
    results = {names.RESULTS: write(artifacts, claim.record.id, claim.fence)}
    store.finish(claim.record.id, claim.fence, JobStatus.SUCCEEDED, artifacts=results)
    assert announced(store) == 0


def test_checkpoints_go_when_the_job_has_ended(
    store: JobStore, artifacts: ArtifactStore, leftovers: Leftovers, tmp_path: Path
) -> None:
    claim = claimed(store)
    job_id, fence = claim.record.id, claim.fence
    checkpoint = artifacts.put(names.checkpoint_path(job_id, fence, "1"), b"what is known", BYTES)
    store.keep_checkpoints(job_id, fence, [checkpoint])
    assert leftovers.sweep() == 0
    assert files(tmp_path) == {checkpoint.path}
    kept = write(artifacts, job_id, fence)
    store.finish(job_id, fence, JobStatus.SUCCEEDED, artifacts={names.RESULTS: kept})
    assert leftovers.sweep() == 1
    assert files(tmp_path) == {kept.path}
    assert announced(store) == 0
    assert not store.redis.hexists(keys.JOB + job_id, "checkpoints")


def test_a_job_without_results_keeps_what_it_was_given_and_no_more(
    store: JobStore, artifacts: ArtifactStore, leftovers: Leftovers, tmp_path: Path
) -> None:
    job_id, data = given(store, artifacts)
    store.create(new_job(id=job_id, artifacts={names.DATA: data}), idempotency_key=None, body_sha256="b")
    claim = store.claim("worker")
    assert claim is not None
    write(artifacts, job_id, claim.fence)
    store.request_cancel(job_id)
    assert store.requeue(job_id, claim.fence, Loss.RETURNED, "…").status is JobStatus.CANCELLED
    assert leftovers.sweep() == 1
    assert files(tmp_path) == {data.path}
    assert announced(store) == 0


def test_what_a_job_was_given_goes_when_it_is_not_made_in_time(
    store: JobStore, artifacts: ArtifactStore, leftovers: Leftovers, tmp_path: Path
) -> None:
    job_id, data = given(store, artifacts)
    assert leftovers.sweep() == 0
    assert files(tmp_path) == {data.path}
    assert leftovers.sweep(lost_after_s=0.0) == 1
    assert files(tmp_path) == set()
    with pytest.raises(JobLate):
        store.create(new_job(id=job_id, artifacts={names.DATA: data}), idempotency_key=None, body_sha256="b")
    assert store.get(job_id) is None


def test_an_announcement_from_the_future_is_one_of_now(
    store: JobStore, artifacts: ArtifactStore, leftovers: Leftovers
) -> None:
    """The server's clock was set back by a day."""
    job_id, _ = given(store, artifacts)
    store.redis.zincrby(keys.UNSETTLED_JOBS, 86_400e6, job_id)
    assert leftovers.sweep(lost_after_s=0.0) == 1


def test_a_deleted_job_is_not_looked_through(store: JobStore) -> None:
    claim = claimed(store)
    store.request_cancel(claim.record.id)
    store.finish(claim.record.id, claim.fence, JobStatus.CANCELLED)
    assert announced(store) == 1
    store.delete(claim.record.id)
    assert announced(store) == 0


def test_objects_that_cannot_be_deleted_are_deleted_later(
    store: JobStore, artifacts: ArtifactStore, leftovers: Leftovers, tmp_path: Path
) -> None:
    given(store, artifacts)
    objects = tmp_path / "objects"
    objects.rename(tmp_path / "away")
    objects.write_bytes(b"a file where the folder was")
    assert leftovers.sweep(lost_after_s=0.0) == 0
    assert announced(store) == 1
    objects.unlink()
    (tmp_path / "away").rename(objects)
    assert leftovers.sweep(lost_after_s=0.0) == 1
    assert files(tmp_path) == set()


def test_a_job_that_the_store_has_lost_stays_for_a_rebuild(
    store: JobStore, artifacts: ArtifactStore, leftovers: Leftovers, tmp_path: Path
) -> None:
    """As where the end of the log was lost, and what is left of it announces the job."""
    job_id = end(store, artifacts).id
    write_records(store, artifacts)
    before = files(tmp_path)
    lose(store)
    Unsettled(store.redis).announce(job_id)
    assert leftovers.sweep(lost_after_s=0.0) == 0
    assert announced(store) == 0
    assert files(tmp_path) == before
    assert rebuilt(store, artifacts).counts == {RESTORED: 1}


def test_a_job_of_a_later_version_is_not_looked_through(
    store: JobStore, artifacts: ArtifactStore, leftovers: Leftovers, tmp_path: Path
) -> None:
    claim = claimed(store)
    kept = write(artifacts, claim.record.id, claim.fence)
    store.finish(claim.record.id, claim.fence, JobStatus.FAILED, artifacts={names.RESULTS: kept})
    store.redis.hset(keys.JOB + claim.record.id, "schema_version", SCHEMA_VERSION + 1)
    assert leftovers.sweep() == 0
    assert files(tmp_path) == {kept.path}
    assert announced(store) == 1


def test_jobs_that_have_not_ended_hold_nobody_up(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsettled, "AT_ONCE", 3)
    for _ in range(3):
        Unsettled(store.redis).announce(claimed(store).record.id)
    ended = claimed(store)
    store.finish(ended.record.id, ended.fence, JobStatus.FAILED)
    assert Unsettled(store.redis).entries(0.0) == []
    assert Unsettled(store.redis).entries(0.0) == [(ended.record.id, 0)]


def test_objects_that_cannot_be_deleted_keep_no_others_there(
    store: JobStore, artifacts: ArtifactStore, leftovers: Leftovers, tmp_path: Path
) -> None:
    """Those of a job that is never made, whose place must stay first."""
    stuck = [f"{number:016x}" for number in range(AT_ONCE + 4)]
    folders = [tmp_path / "objects" / names.job_prefix(job_id) for job_id in stuck]
    for job_id, file in zip(stuck, folders, strict=True):
        Unsettled(store.redis).announce(job_id)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"a file where the folder was")
    last, data = given(store, artifacts)
    for _ in range(len(stuck)):  # three more are known to fail after each
        leftovers.sweep(lost_after_s=0.0)
        if announced(store) == len(stuck):
            break
    assert store.redis.zscore(keys.UNSETTLED_JOBS, last) is None
    assert not (tmp_path / "objects" / names.job_prefix(last)).exists()
    with pytest.raises(JobLate):
        store.create(new_job(id=stuck[0], artifacts={names.DATA: data}), idempotency_key=None, body_sha256="b")
    for file in folders:
        file.unlink()
    while announced(store):
        leftovers.sweep(lost_after_s=0.0)
    assert not any(file.exists() for file in folders)
