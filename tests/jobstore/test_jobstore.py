"""The job store against a real Valkey: what each call does, and that a repeated one does nothing more."""

import threading
from datetime import UTC, datetime
from queue import SimpleQueue

import pytest
from redis.exceptions import OutOfMemoryError

from service.contract.job import (
    ArtifactRef,
    JobError,
    JobStatus,
    Loss,
    Progress,
    Revision,
    WorkerInfo,
)
from service.contract.names import QUEUE
from service.jobstore import (
    IdempotencyKeyReused,
    IllegalTransition,
    JobActive,
    JobFinished,
    JobNotFound,
    JobQuery,
    JobStore,
    LeaseState,
    QueueFull,
    RevisionFeed,
    StaleFence,
    Unsettled,
    connect,
)
from tests.support.job_records import claimed, expire_lease, new_job, submit

REF = ArtifactRef(path="jobs/x", sha256="0" * 64, bytes=1, media_type="application/json")
ERROR = JobError(code="nothing_usable", detail="…", retryable=False, origin="user")


def progress(fraction: float) -> Progress:
    return Progress(phase="discrete", model="discrete-8", fraction=fraction, objective=0.1, gradient_norm=3e-5)


def test_a_record_comes_back_as_it_was_written(store: JobStore) -> None:
    before = datetime.now(UTC)
    spec = {"alpha": 1e-3, "pi": 3.141592653589793, "depths": [8, 16], "nothing": None}
    record = submit(
        store, spec=spec, name="two moons ☾", metadata={"plate": "A-17"}, external_id="x/1", artifacts={"data": REF}
    )
    assert record == store.get(record.id)
    assert record.spec == spec
    assert (record.status, record.revision, record.attempt) == (JobStatus.QUEUED, 1, 1)
    assert (record.name, record.external_id, record.metadata) == ("two moons ☾", "x/1", {"plate": "A-17"})
    assert record.artifacts == {"data": REF}
    assert before <= record.created_at <= datetime.now(UTC)
    assert {record.progress, record.error, record.started_at, record.finished_at} == {None}
    assert record.model_dump_json().count("Z") >= 2  # RFC 3339, UTC


def test_nothing_is_known_of_an_unknown_job(store: JobStore) -> None:
    assert store.get("unknown") is None
    with pytest.raises(JobNotFound):
        store.request_cancel("unknown")
    with pytest.raises(JobNotFound):
        store.delete("unknown")
    with pytest.raises(StaleFence):
        store.finish("unknown", 1, JobStatus.SUCCEEDED)
    with pytest.raises(StaleFence):
        store.requeue("unknown", 1, Loss.CRASH, "…")
    assert store.renew("unknown", 1) is LeaseState.LOST


def test_an_idempotency_key_finds_its_job(store: JobStore) -> None:
    assert store.replayed("key", "body") is None
    first, replayed = store.create(new_job(), idempotency_key="key", body_sha256="body")
    assert not replayed
    second, replayed = store.create(new_job(), idempotency_key="key", body_sha256="body")
    assert replayed
    assert second == first == store.replayed("key", "body")
    assert store.queued() == 1
    with pytest.raises(IdempotencyKeyReused):
        store.create(new_job(), idempotency_key="key", body_sha256="another")
    with pytest.raises(IdempotencyKeyReused):
        store.replayed("key", "another")
    store.request_cancel(first.record.id)
    store.delete(first.record.id)
    assert store.replayed("key", "another") is None


def test_a_job_is_answered_as_it_is_kept(store: JobStore) -> None:
    job = new_job(spec={"alpha": 1e-3}, name="n", metadata={"a": 1}, external_id="x", artifacts={"data": REF})
    Unsettled(store.redis).announce(job.id)
    created, _ = store.create(job, idempotency_key=None, body_sha256="body")
    assert created == store.kept(job.id)
    assert created.whole() == store.get(job.id)
    assert store.kept("unknown") is None


def test_a_repeated_create_gives_the_same_job(store: JobStore) -> None:
    job = new_job()
    first = store.create(job, idempotency_key="key", body_sha256="body", hint="h")
    assert store.create(job, idempotency_key="key", body_sha256="body", hint="h") == first
    assert store.queued() == store.redis.llen(QUEUE) == 1


def test_a_full_queue_takes_no_more(redis_url: str) -> None:
    with connect(redis_url) as client:
        store = JobStore(client, max_queued=1)
        submit(store)
        with pytest.raises(QueueFull):
            submit(store)
        assert len(store.list(JobQuery(limit=10)).items) == 1


def test_jobs_are_claimed_oldest_first(store: JobStore) -> None:
    jobs = [submit(store).id for _ in range(3)]
    claims = [store.claim("worker") for _ in range(4)]
    assert [claim.record.id for claim in claims if claim] == jobs
    assert claims[3] is None
    assert store.queued() == 0


def test_a_claim_whose_reply_was_lost_is_given_again(store: JobStore) -> None:
    submit(store)
    other = submit(store)
    arguments: list[str | int] = ["worker", "operation", 10**7]
    first = store._scripts["claim"](args=arguments)
    assert store._scripts["claim"](args=arguments) == first
    following = store.claim("worker")
    assert following is not None
    assert following.record.id == other.id


def test_many_workers_never_get_the_same_job(redis_url: str, store: JobStore) -> None:
    jobs = {submit(store).id for _ in range(60)}
    claims: SimpleQueue[str] = SimpleQueue()

    def work() -> None:
        with connect(redis_url) as client:
            mine = JobStore(client)
            while (claim := mine.claim("worker")) is not None:
                claims.put(claim.record.id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [claims.get_nowait() for _ in range(claims.qsize())]
    assert len(taken) == len(jobs)
    assert set(taken) == jobs


def test_finish_records_the_end_once(store: JobStore) -> None:
    claim = claimed(store, artifacts={"data": REF})
    done = store.finish(claim.record.id, claim.fence, JobStatus.SUCCEEDED, artifacts={"results": REF})
    assert done.status is JobStatus.SUCCEEDED
    assert set(done.artifacts) == {"data", "results"}
    assert done.finished_at == done.updated_at
    assert store.finish(done.id, claim.fence, JobStatus.SUCCEEDED, artifacts={"results": REF}) == done
    with pytest.raises(StaleFence):
        store.finish(done.id, claim.fence, JobStatus.FAILED, error=ERROR)
    with pytest.raises(JobFinished) as refusal:
        store.request_cancel(done.id)
    assert refusal.value.record == done
    assert store.renew(done.id, claim.fence) is LeaseState.LOST


def test_a_running_job_does_not_end_cancelled_unasked(store: JobStore) -> None:
    claim = claimed(store)
    with pytest.raises(IllegalTransition):
        store.finish(claim.record.id, claim.fence, JobStatus.CANCELLED)
    with pytest.raises(IllegalTransition):
        store.finish(claim.record.id, claim.fence, JobStatus.QUEUED)
    assert store.get(claim.record.id) == claim.record


def test_a_failure_keeps_its_error(store: JobStore) -> None:
    claim = claimed(store)
    assert store.finish(claim.record.id, claim.fence, JobStatus.FAILED, error=ERROR).error == ERROR


def test_cancel_of_a_waiting_job_ends_it(store: JobStore) -> None:
    job = submit(store)
    cancelled = store.request_cancel(job.id).record
    assert cancelled.status is JobStatus.CANCELLED
    assert cancelled.finished_at is not None
    assert store.claim("worker") is None
    assert store.request_cancel(job.id).record == cancelled


def test_cancel_of_a_running_job_reaches_its_worker(store: JobStore) -> None:
    claim = claimed(store)
    asked = store.request_cancel(claim.record.id).whole()
    assert asked.status is JobStatus.CANCELLING
    assert store.request_cancel(asked.id).whole() == asked
    assert store.renew(asked.id, claim.fence) is LeaseState.CANCEL_REQUESTED
    assert store.report_progress(asked.id, claim.fence, progress(0.5)) is LeaseState.CANCEL_REQUESTED
    assert store.get(asked.id) == asked
    assert store.finish(asked.id, claim.fence, JobStatus.CANCELLED).status is JobStatus.CANCELLED


@pytest.mark.parametrize("end", [JobStatus.SUCCEEDED, JobStatus.FAILED])
def test_a_fit_may_end_just_before_it_is_cancelled(store: JobStore, end: JobStatus) -> None:
    claim = claimed(store)
    store.request_cancel(claim.record.id)
    assert store.finish(claim.record.id, claim.fence, end).status is end


def test_progress_is_thinned_out_and_never_falls(store: JobStore) -> None:
    claim = claimed(store)
    job_id, fence = claim.record.id, claim.fence
    assert store.report_progress(job_id, fence, progress(0.3)) is LeaseState.HELD
    assert store.report_progress(job_id, fence, progress(0.4)) is LeaseState.HELD  # too soon
    first = store.get(job_id)
    assert first is not None
    assert (first.revision, first.progress) == (3, progress(0.3))
    store.redis.hset(f"deeplimit:job:{job_id}", "progressed", 0)
    store.report_progress(job_id, fence, progress(0.2))
    second = store.get(job_id)
    assert second is not None
    assert second.progress is not None
    assert second.progress.fraction == 0.3


def test_progress_keeps_every_digit_and_infinities(store: JobStore) -> None:
    claim = claimed(store)
    exact = Progress(phase="discrete", fraction=0.1 + 0.2, objective=float("inf"), gradient_norm=1 / 3)
    store.report_progress(claim.record.id, claim.fence, exact)
    record = store.get(claim.record.id)
    assert record is not None
    assert record.progress == exact


def test_a_lost_worker_costs_an_attempt(store: JobStore) -> None:
    job = submit(store)
    fences = []
    after = job
    for attempt in (1, 2, 3):
        claim = store.claim("worker")
        assert claim is not None
        assert claim.record.attempt == attempt
        assert claim.record.progress is None
        store.report_progress(job.id, claim.fence, progress(0.5))
        fences.append(claim.fence)
        after = store.requeue(job.id, claim.fence, Loss.CRASH, "its trainer process died")
        assert store.requeue(job.id, claim.fence, Loss.CRASH, "its trainer process died") == after
        assert (after.crashes, after.outages) == (attempt, 0)
        store.redis.hdel(f"deeplimit:job:{job.id}", "progressed")
    assert 0 < fences[0] < fences[1] < fences[2]
    assert after.status is JobStatus.FAILED
    assert after.attempt == 3
    assert after.error is not None
    assert after.error.code == "worker_lost"
    assert "its trainer process died" in after.error.detail


def test_a_job_given_back_keeps_its_attempt_and_its_place(store: JobStore) -> None:
    claim = claimed(store)
    submit(store)
    back = store.requeue(claim.record.id, claim.fence, Loss.RETURNED, "its worker was stopped")
    assert (back.status, back.attempt, back.crashes, back.outages) == (JobStatus.QUEUED, 1, 0, 0)
    again = store.claim("worker")
    assert again is not None
    assert again.record.id == claim.record.id
    assert again.fence > claim.fence


def test_a_stale_fence_is_refused(store: JobStore) -> None:
    old = claimed(store)
    store.requeue(old.record.id, old.fence, Loss.OUTAGE, "…")
    new = store.claim("worker")
    assert new is not None
    with pytest.raises(StaleFence):
        store.requeue(old.record.id, old.fence, Loss.OUTAGE, "…")
    with pytest.raises(StaleFence):
        store.finish(old.record.id, old.fence, JobStatus.SUCCEEDED)
    assert store.renew(old.record.id, old.fence) is LeaseState.LOST
    assert store.report_progress(old.record.id, old.fence, progress(0.9)) is LeaseState.LOST
    assert store.get(new.record.id) == new.record


def test_a_lease_that_is_renewed_holds_and_one_that_is_not_is_lost(store: JobStore) -> None:
    kept, lost = claimed(store), claimed(store)
    silence = threading.Event()
    for _ in range(6):
        silence.wait(0.05)
        assert store.renew(kept.record.id, kept.fence) is LeaseState.HELD
    report = store.reconcile()
    assert (report.requeued, report.cancelled, report.queued) == (1, 0, 1)
    assert store.renew(kept.record.id, kept.fence) is LeaseState.HELD
    assert store.renew(lost.record.id, lost.fence) is LeaseState.LOST


def test_reconcile_ends_what_was_to_be_cancelled(store: JobStore) -> None:
    cancelling = claimed(store)
    store.request_cancel(cancelling.record.id)
    expire_lease(store, cancelling.record.id)
    assert store.reconcile().cancelled == 1


def test_delete_forgets_all_of_an_ended_job(store: JobStore) -> None:
    store.delete(store.request_cancel(submit(store).id).record.id)
    before = set(store.redis.keys())  # what is known of the kinds stays
    claim = claimed(store, external_id="x")
    with pytest.raises(JobActive):
        store.delete(claim.record.id)
    done = store.finish(claim.record.id, claim.fence, JobStatus.SUCCEEDED)
    assert store.delete(done.id) == done
    left = {key for key in set(store.redis.keys()) - before if store.redis.ttl(key) == -1}
    assert left == set()
    with pytest.raises(JobNotFound):
        store.delete(done.id)


def test_a_delete_whose_reply_was_lost_gives_the_same_answer(store: JobStore) -> None:
    job = submit(store)
    store.request_cancel(job.id)
    arguments: list[str | int] = [job.id, "operation", 10_000]
    first = store._scripts["delete"](args=arguments)
    assert store._scripts["delete"](args=arguments) == first


def test_silent_workers_are_forgotten(store: JobStore) -> None:
    loud = WorkerInfo(id="a", hostname="h", pid=1, devices=("cpu", "cuda:0"), torch="2")
    store.register_worker(loud, 30)
    store.register_worker(loud.model_copy(update={"id": "b"}), 0.001)
    threading.Event().wait(0.01)
    assert store.workers() == [loud]
    store.unregister_worker("a")
    assert store.workers() == []


def test_every_revision_is_announced(store: JobStore) -> None:
    heard: SimpleQueue[Revision | None] = SimpleQueue()
    feed = RevisionFeed(store.redis, heard.put)
    feed.start()
    feed.listen(30)
    assert heard.get(timeout=5) is None  # subscribed
    claim = claimed(store)
    store.report_progress(claim.record.id, claim.fence, progress(0.5))
    store.finish(claim.record.id, claim.fence, JobStatus.SUCCEEDED)
    announced = [heard.get(timeout=5) for _ in range(4)]
    feed.stop()
    assert [(r.revision, r.status) for r in announced if r] == [
        (1, JobStatus.QUEUED),
        (2, JobStatus.RUNNING),
        (3, JobStatus.RUNNING),
        (4, JobStatus.SUCCEEDED),
    ]


def test_readiness_writes(store: JobStore) -> None:
    store.ready()
    store.redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(OutOfMemoryError):
            store.ready()
    finally:
        store.redis.config_set("maxmemory", "0")
