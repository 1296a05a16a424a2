"""What an attempt has left for the next one: named under the fence and handed on, never another's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.artifacts import ArtifactStore
from service.contract.job import ArtifactRef, JobStatus, Loss, Progress
from service.contract.names import checkpoint_path
from service.jobstore import JobStore, LeaseState, keys
from tests.support.job_records import claimed, expire_lease

if TYPE_CHECKING:
    from pathlib import Path


def left(objects: ArtifactStore, job_id: str, fence: int, name: str = "0") -> ArtifactRef:
    return objects.put(checkpoint_path(job_id, fence, name), b"so far", "")


def test_the_next_attempt_is_given_what_the_one_before_has_left(store: JobStore, tmp_path: Path) -> None:
    objects, claim = ArtifactStore(tmp_path), claimed(store)
    assert claim.checkpoints == []
    refs = [left(objects, claim.record.id, claim.fence, name) for name in ("1", "0")]
    before = store.get(claim.record.id)
    assert store.keep_checkpoints(claim.record.id, claim.fence, refs) is LeaseState.HELD
    assert store.get(claim.record.id) == before, "nobody is shown them, and it is no revision"
    expire_lease(store, claim.record.id)
    assert store.reconcile().requeued == 1
    again = store.claim("another worker")
    assert again is not None
    assert again.checkpoints == refs
    store.request_cancel(claim.record.id)
    assert store.keep_checkpoints(claim.record.id, again.fence, refs[:1]) is LeaseState.CANCEL_REQUESTED


def test_a_stale_fence_names_nothing(store: JobStore, tmp_path: Path) -> None:
    objects, claim = ArtifactStore(tmp_path), claimed(store)
    ours = left(objects, claim.record.id, claim.fence)
    store.keep_checkpoints(claim.record.id, claim.fence, [ours])
    store.requeue(claim.record.id, claim.fence, Loss.OUTAGE, "…")
    late = left(objects, claim.record.id, claim.fence, "late")
    assert store.keep_checkpoints(claim.record.id, claim.fence, [late]) is LeaseState.LOST
    again = store.claim("worker")
    assert again is not None
    assert store.keep_checkpoints(claim.record.id, claim.fence, [late]) is LeaseState.LOST
    assert again.checkpoints == [ours]


def test_progress_does_not_fall_where_an_attempt_goes_on(store: JobStore, tmp_path: Path) -> None:
    objects = ArtifactStore(tmp_path)
    for keeps, fraction in ((True, 0.6), (False, None)):
        claim = claimed(store)
        store.report_progress(claim.record.id, claim.fence, Progress(phase="discrete", fraction=0.6))
        if keeps:
            store.keep_checkpoints(claim.record.id, claim.fence, [left(objects, claim.record.id, claim.fence)])
        back = store.requeue(claim.record.id, claim.fence, Loss.RETURNED, "…")
        assert (back.progress and back.progress.fraction) == fraction
        again = store.claim("worker")
        assert again is not None
        store.redis.hdel(keys.JOB + claim.record.id, "progressed")
        store.report_progress(claim.record.id, again.fence, Progress(phase="discrete", fraction=0.1))
        now = store.get(claim.record.id)
        assert now is not None
        assert now.progress is not None
        assert now.progress.fraction == (fraction or 0.1)
        store.finish(claim.record.id, again.fence, JobStatus.SUCCEEDED)


def test_what_cannot_be_read_is_nothing_to_go_on_from(store: JobStore) -> None:
    job_id = claimed(store).record.id
    store.redis.hset(keys.JOB + job_id, "checkpoints", '{"version": 2}')
    expire_lease(store, job_id)
    store.reconcile()
    again = store.claim("worker")
    assert again is not None
    assert (again.record.id, again.checkpoints) == (job_id, [])
