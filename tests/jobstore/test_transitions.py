"""Whatever is called in whatever order, a job only ever moves as the contract allows."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from service.contract.job import TRANSITIONS, JobError, JobRecord, JobStatus, Loss, Progress
from service.jobstore import (
    IllegalTransition,
    JobActive,
    JobFinished,
    JobNotFound,
    JobStore,
    JobStoreError,
    LeaseState,
    StaleFence,
    keys,
)
from tests.support.job_records import expire_lease, submit

ENDS = [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED]
ERROR = JobError(code="x", detail="x", retryable=False, origin="system")
ACTIVE = {JobStatus.RUNNING, JobStatus.CANCELLING}


def test_the_table_of_moves_is_sound() -> None:
    assert set(TRANSITIONS) == set(JobStatus)
    assert {status for status in JobStatus if status.done} == set(ENDS)
    assert all(status not in after for status, after in TRANSITIONS.items())


class OneJob(RuleBasedStateMachine):
    """One job, every call with fences of every age, and the model: the last record seen."""

    def __init__(self, store: JobStore) -> None:
        super().__init__()
        self.store = store
        store.redis.flushall()

    @initialize()
    def create(self) -> None:
        self.last: JobRecord = submit(self.store)
        self.fence = 0
        self.deleted = False

    @rule()
    def claim(self) -> None:
        self.store.redis.zadd(keys.DEFERRED, {self.last.id: 0}, xx=True)  # what waits for its time has waited enough
        claim = self.store.claim("worker")
        ready = not self.deleted and self.last.status is JobStatus.QUEUED
        assert (claim is not None) == ready
        if claim is not None:
            assert claim.fence > self.fence
            self.fence = claim.fence

    @rule(age=st.integers(0, 2))
    def renew(self, age: int) -> None:
        state = self.store.renew(self.last.id, self.fence - age)
        if self.deleted or age or self.last.status not in ACTIVE:
            assert state is LeaseState.LOST
        elif self.last.status is JobStatus.CANCELLING:
            assert state is LeaseState.CANCEL_REQUESTED
        else:
            assert state is LeaseState.HELD

    @rule(age=st.integers(0, 1), fraction=st.floats(0.001, 1.0))
    def progress(self, age: int, fraction: float) -> None:
        self.store.redis.hdel(f"deeplimit:job:{self.last.id}", "progressed")
        self.store.report_progress(self.last.id, self.fence - age, Progress(phase="discrete", fraction=fraction))

    @rule(age=st.integers(0, 1), loss=st.sampled_from(Loss))
    def requeue(self, age: int, loss: Loss) -> None:
        try:
            self.store.requeue(self.last.id, self.fence - age, loss, "…")
        except StaleFence:
            assert age or self.deleted
        self.store.redis.zadd(keys.DEFERRED, {self.last.id: 0}, xx=True)  # where it waits its time, that has come

    @rule(age=st.integers(0, 1), end=st.sampled_from(ENDS))
    def finish(self, age: int, end: JobStatus) -> None:
        legal = (
            not age
            and not self.deleted
            and self.last.status in ACTIVE
            and end in TRANSITIONS[JobStatus(self.last.status)]
        )
        try:
            record = self.store.finish(self.last.id, self.fence - age, end, error=ERROR)
        except (StaleFence, IllegalTransition):
            assert not legal
        else:
            assert legal or record == self.last

    @rule()
    def lose_the_worker(self) -> None:
        if not self.deleted and self.last.status in ACTIVE:
            expire_lease(self.store, self.last.id)
        self.store.reconcile()

    @rule()
    def cancel(self) -> None:
        try:
            self.store.request_cancel(self.last.id)
        except JobFinished:
            assert self.last.status in {JobStatus.SUCCEEDED, JobStatus.FAILED}
        except JobNotFound:
            assert self.deleted

    @rule()
    def delete(self) -> None:
        try:
            self.store.delete(self.last.id)
            assert self.last.done
            self.deleted = True
        except JobActive:
            assert not self.last.done
        except JobStoreError:
            assert self.deleted

    @invariant()
    def the_record_and_the_indices_are_sound(self) -> None:
        self.moves_are_legal()
        self.indices_agree()

    def moves_are_legal(self) -> None:
        record = self.store.get(self.last.id)
        if record is None:
            assert self.deleted
            return
        before, self.last = self.last, record
        if record == before:
            return
        assert record.revision > before.revision
        assert record.status is before.status or record.status in TRANSITIONS[JobStatus(before.status)]
        assert before.attempt <= record.attempt
        assert before.crashes <= record.crashes <= self.store.max_crashes
        assert before.outages <= record.outages
        assert record.crashes < self.store.max_crashes or record.status is JobStatus.FAILED
        assert record.done == (record.finished_at is not None)
        if before.attempt == record.attempt and before.progress and record.progress:
            assert record.progress.fraction >= before.progress.fraction

    def indices_agree(self) -> None:
        status = None if self.deleted else self.last.status
        redis = self.store.redis
        assert self.store.queued() == (status is JobStatus.QUEUED)
        assert redis.zcard("deeplimit:leases") == (status in ACTIVE)
        assert redis.zcard("deeplimit:jobs") == (status is not None)
        for candidate in JobStatus:
            assert redis.zcard(f"deeplimit:jobs:status:{candidate}") == (candidate is status)


@pytest.fixture
def steady_store(store: JobStore) -> JobStore:
    """A store whose leases run out only when a test says so."""
    return JobStore(store.redis, lease_s=3600)


def test_a_job_only_moves_as_the_contract_allows(steady_store: JobStore) -> None:
    run_state_machine_as_test(
        lambda: OneJob(steady_store),  # type: ignore[arg-type]  # any factory will do, though its type says a class
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
