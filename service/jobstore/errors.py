"""What the job store refuses."""

# ruff: noqa: N818 - each name says what was refused; the base class says that it is an error
from service.contract.job import JobRecord


class JobStoreError(Exception):
    """Base of all refusals, with the job's record where the refusal is about its state.

    A Redis that cannot be reached is not one: that stays ``redis.RedisError``.
    """

    def __init__(self, record: JobRecord | None = None) -> None:
        super().__init__("" if record is None else f"job {record.id} is {record.status}")
        self.record = record


class JobNotFound(JobStoreError):
    """No job has this id."""


class JobFinished(JobStoreError):
    """The job has ended in another way, so it cannot be cancelled."""


class JobActive(JobStoreError):
    """The job has not ended, so it cannot be deleted."""


class StaleFence(JobStoreError):
    """The caller no longer holds the job: its lease ran out or another attempt has begun."""


class IllegalTransition(JobStoreError):
    """The contract knows no such move."""


class IdempotencyKeyReused(JobStoreError):
    """The idempotency key was used before, with another body."""


class QueueFull(JobStoreError):
    """As many jobs wait as may."""


class RecordNotUnderstood(JobStoreError):
    """The record is damaged, or a later version wrote it; nothing was changed."""


class JobLate(JobStoreError):
    """Making the job took so long that the objects it was given were taken for nobody's, and are gone."""


class InvalidCursor(JobStoreError):
    """The cursor is not one that a listing gave out."""
