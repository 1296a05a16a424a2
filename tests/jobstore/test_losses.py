"""What an attempt without a result costs its job, and when the job goes on."""

from datetime import UTC, datetime

import pytest

from service.contract.job import ArtifactRef, JobError, JobRecord, JobStatus, Loss, Progress, WorkerInfo
from service.contract.names import checkpoint_path
from service.jobstore import JobStore, LeaseState, keys
from tests.support.job_records import claimed, expire_lease, submit


@pytest.mark.parametrize("loss", [Loss.UNSTORED, Loss.NOT_UNDERSTOOD])
def test_what_could_not_be_stored_or_read_waits_longer_each_time_and_holds_nobody_up(
    store: JobStore, loss: Loss
) -> None:
    job = submit(store)
    behind = submit(store)
    waits = []
    fence = 0
    for _ in range(3):
        claim = store.claim("worker")
        assert claim is not None
        assert claim.record.id == job.id
        assert claim.fence > fence
        fence = claim.fence
        back = store.requeue(job.id, claim.fence, loss, "…")
        assert (back.status, back.attempt, back.crashes, back.outages) == (JobStatus.QUEUED, 1, 0, 0)
        assert store.requeue(job.id, claim.fence, loss, "…") == back
        (score,) = (store.redis.zscore(keys.DEFERRED, job.id),)
        assert isinstance(score, float)
        waits.append(score / 1e6 - back.updated_at.timestamp())
        assert store.queued() == 2
        other = store.claim("worker")
        assert other is not None
        assert other.record.id == behind.id, "it waits in nobody's way"
        store.requeue(behind.id, other.fence, Loss.RETURNED, "…")
        assert store.reconcile().queued == 1
        store.redis.zadd(keys.DEFERRED, {job.id: 0})  # its time has come
    assert waits == pytest.approx([1, 2, 4])
    assert store.reconcile().queued == 2


def test_a_job_that_waits_its_time_can_be_cancelled(store: JobStore) -> None:
    claim = claimed(store)
    store.requeue(claim.record.id, claim.fence, Loss.UNSTORED, "…")
    assert store.request_cancel(claim.record.id).record.status is JobStatus.CANCELLED
    assert store.queued() == 0
    assert store.claim("worker") is None


def test_a_clock_that_was_set_back_holds_nothing_for_long(store: JobStore) -> None:
    waiting, lost = claimed(store), claimed(store)
    store.requeue(waiting.record.id, waiting.fence, Loss.UNSTORED, "…")
    day = 86_400e6
    store.redis.zincrby(keys.DEFERRED, day, waiting.record.id)
    store.redis.zincrby(keys.LEASES, day, lost.record.id)
    store.reconcile()
    soon = (datetime.now(UTC).timestamp() + 61) * 1e6
    assert store.redis.zcount(keys.DEFERRED, 0, soon) == 1
    assert store.redis.zcount(keys.LEASES, 0, soon) == 1
    assert store.renew(lost.record.id, lost.fence) is LeaseState.HELD


def test_what_the_dead_held_is_free_at_once_and_nothing_else(store: JobStore) -> None:
    held = {}
    for worker in ("serve/1/10-a", "serve/1/11-b", "serve/10/12-c", "elsewhere/0/13-d"):
        submit(store)
        claim = store.claim(worker)
        assert claim is not None
        held[worker] = claim
        store.register_worker(WorkerInfo(id=worker, hostname="h", pid=1, devices=("cpu",)), 60)
    store.request_cancel(held["serve/1/11-b"].record.id)
    assert store.release("serve/1/") == 2
    assert store.release("serve/1/") == 0
    found = [store.get(claim.record.id) for claim in held.values()]
    assert [(job.status, job.outages) for job in found if job] == [
        (JobStatus.QUEUED, 1),
        (JobStatus.CANCELLED, 0),
        (JobStatus.RUNNING, 0),
        (JobStatus.RUNNING, 0),
    ]
    assert [worker.id for worker in store.workers()] == ["elsewhere/0/13-d", "serve/10/12-c"]


def test_ten_outages_fail_no_job_and_none_counts_as_a_crash(store: JobStore) -> None:
    job = submit(store)
    for outages in range(1, 11):
        assert store.claim("worker") is not None
        expire_lease(store, job.id)
        assert store.reconcile().requeued == 1
        lost = store.get(job.id)
        assert lost is not None
        assert (lost.status, lost.attempt, lost.crashes, lost.outages) == (JobStatus.QUEUED, 1 + outages, 0, outages)
    claim = store.claim("worker")
    assert claim is not None
    once = store.requeue(job.id, claim.fence, Loss.CRASH, "…")
    assert (once.status, once.crashes, once.outages) == (JobStatus.QUEUED, 1, 10)
    last = store.claim("worker")
    assert last is not None
    assert store.finish(job.id, last.fence, JobStatus.SUCCEEDED).status is JobStatus.SUCCEEDED


def test_a_job_that_is_far_over_its_time_is_given_one_attempt_to_finish_in(store: JobStore) -> None:
    job = submit(store)
    too_long = JobError(code="wall_time_exceeded", detail="…", retryable=False, origin="user")
    for overruns, status in ((1, JobStatus.QUEUED), (2, JobStatus.FAILED)):
        claim = store.claim("worker")
        assert claim is not None
        assert claim.record.overruns == overruns - 1
        after = store.requeue(job.id, claim.fence, Loss.OVERRUN, "…")
        assert (after.status, after.overruns, after.attempt, after.crashes) == (status, overruns, 2, 0)
    assert after.error == too_long


def test_a_record_of_an_earlier_version_has_lost_nothing(store: JobStore) -> None:
    job = submit(store)
    assert store.redis.hexists(f"deeplimit:job:{job.id}", "crashes") == 0
    assert (job.crashes, job.outages) == (0, 0)


def test_a_dead_worker_is_forgotten_in_time_though_the_clock_was_set_back(store: JobStore) -> None:
    """The server's clock was a day ahead when the worker said that it lives."""
    worker = WorkerInfo(id="w", hostname="h", pid=1, devices=("cpu",))
    store.register_worker(worker, 86_400)
    assert store.workers() == [worker], "it may be alive, and will say so again"
    left = store.redis.pttl("deeplimit:worker:w")
    assert 0 < left <= 60_000


def outages(store: JobStore, job_id: str, number: int, fraction: float | None = None) -> JobRecord:
    """Have a job lose its worker so often, each time after it has come so far and kept that, if it has."""
    for _ in range(number):
        claim = store.claim("worker")
        assert claim is not None
        if fraction is not None:
            store.redis.hdel(keys.JOB + job_id, "progressed")
            store.report_progress(job_id, claim.fence, Progress(phase="discrete", fraction=fraction))
            ref = ArtifactRef(path=checkpoint_path(job_id, claim.fence, "1"), sha256="0" * 64, bytes=1, media_type="x")
            store.keep_checkpoints(job_id, claim.fence, [ref])
        expire_lease(store, job_id)
        store.reconcile()
    record = store.get(job_id)
    assert record is not None
    return record


def test_a_job_that_takes_its_machine_down_each_time_fails_in_the_end(store: JobStore) -> None:
    """As where it needs more memory than its container has, and the system kills all of that."""
    job = submit(store)
    assert outages(store, job.id, store.max_outages - 1).status is JobStatus.QUEUED
    failed = outages(store, job.id, 1)
    assert (failed.status, failed.outages, failed.crashes) == (JobStatus.FAILED, store.max_outages, 0)
    assert failed.error is not None
    assert (failed.error.code, failed.error.origin, failed.error.retryable) == ("worker_lost", "system", True)
    assert failed.error.detail.startswith(f"The job was given up after {store.max_outages} outages in a row ")
    assert store.claim("worker") is None
    assert [job_id for job_id, _ in store.endings.unwritten(10)] == [job.id]


def test_outages_between_which_a_job_comes_further_fail_none(store: JobStore) -> None:
    job = submit(store)
    for fraction in (0.1, 0.2, 0.3):
        record = outages(store, job.id, store.max_outages - 1, fraction)
        assert record.status is JobStatus.QUEUED
    stuck = outages(store, job.id, 1, 0.3)
    assert (stuck.status, stuck.outages) == (JobStatus.FAILED, 3 * (store.max_outages - 1) + 1)


@pytest.mark.parametrize("seen_by", ["who started the worker", "the worker itself"])
def test_whoever_sees_one_outage_too_many_ends_the_job(store: JobStore, seen_by: str) -> None:
    job = submit(store)
    outages(store, job.id, store.max_outages - 1)
    claim = store.claim("serve/1/10-a")
    assert claim is not None
    if seen_by == "the worker itself":
        store.requeue(job.id, claim.fence, Loss.OUTAGE, "…")
    else:
        assert store.release("serve/1/") == 1
    failed = store.get(job.id)
    assert failed is not None
    assert failed.status is JobStatus.FAILED
    assert store.reconcile().queued == 0
