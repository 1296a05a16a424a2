"""A job as both sides of the queue see it: its states, the legal moves between them, and its record."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from service.contract.values.numbers import Finding


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def done(self) -> bool:
        """Whether the job has ended; a status that is done never changes."""
        return not TRANSITIONS[self]


TRANSITIONS: Final[Mapping[JobStatus, frozenset[JobStatus]]] = {
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.CANCELLED}),
    # back to queued: the worker was lost, or stopped and gave the job back
    JobStatus.RUNNING: frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLING, JobStatus.QUEUED}),
    # a fit may end in the instant between the wish to cancel it and the trainer reading that wish
    JobStatus.CANCELLING: frozenset({JobStatus.CANCELLED, JobStatus.SUCCEEDED, JobStatus.FAILED}),
    JobStatus.SUCCEEDED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}
"""The legal moves. The job store's scripts are given this table and refuse every other move."""


Status = Annotated[
    JobStatus | str,
    Field(union_mode="left_to_right", description="One of these, or one of a later version that runs beside this one."),
]
"""Status of a record: another text is one of a later version, to be shown as it is and never to be changed."""

SCHEMA_VERSION: Final = 1
"""Version of the record. A field or a state may be added without a new one: versions keep what they do not know. It is
raised where an earlier version would do wrong by a job. That one shows what it can read of such a record, neither
cancels nor deletes the job, and its workers leave it in the queue."""


def is_done(status: JobStatus | str) -> bool:
    """Return whether a status is known, and one of a job that has ended."""
    return isinstance(status, JobStatus) and status.done


class _Frozen(BaseModel):
    # non-finite numbers are a legitimate finding (a diverged depth) and JSON has no other way to write them
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class _Carried(_Frozen):
    """Part of a record that keeps the fields which a later version wrote."""

    model_config = ConfigDict(extra="allow")


class Progress(_Carried):
    """How far a running job has come; null until the first iteration."""

    phase: str = Field(
        description="Part of the job: starts, discrete, continuum, follow_back, sharpen, diagnostics, plots."
    )
    part: str | None = Field(default=None, description="In words, what of the phase is under way.")
    model: str | None = Field(default=None, description="Model being fitted, such as discrete-64.")
    fraction: float = Field(gt=0.0, le=1.0, description="Part of the work that is done; never falls within an attempt.")
    eta_s: Finding | None = Field(
        default=None, description="Estimate of the seconds left; null until enough was done to tell."
    )
    objective: Finding | None = Field(default=None, description="Objective at the last iteration.")
    gradient_norm: Finding | None = Field(default=None, description="Norm of its gradient.")


class Loss(StrEnum):
    """Why an attempt gave no result, and so what that costs its job."""

    CRASH = "crash"
    """Its trainer died of itself: some of these, and the job fails."""
    OUTAGE = "outage"
    """Its worker or host was lost, or its lease ran out: many of these in a row without progress, and the job fails."""
    UNSTORED = "unstored"
    """Objects could not be read or written: nothing is counted, and the job waits a while, longer each time."""
    NOT_UNDERSTOOD = "not_understood"
    """Its worker is of a version that cannot read it: likewise."""
    OVERRUN = "overrun"
    """It was far over its limit of wall time: the next attempt finishes what there is; if that is, too, the job fails.
    """
    RETURNED = "returned"
    """Its worker gave it back in good order: nothing is counted."""


class JobError(_Carried):
    """Why a job failed."""

    code: str
    detail: str
    retryable: bool = Field(description="Whether the same job may succeed if it is submitted again.")
    origin: Literal["user", "system"]

    @classmethod
    def out_of_time(cls, detail: str) -> Self:
        """Return the error of a job that came to nothing within its limit of wall time."""
        return cls(code="wall_time_exceeded", detail=detail, retryable=False, origin="user")


class ArtifactRef(_Carried):
    """An object that was written once: where it is, and what it holds."""

    path: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0)]
    media_type: str


class JobRecord(_Frozen):
    """All that is known of a job. Times are UTC and serialise as RFC 3339."""

    id: str
    kind: str
    status: Status
    schema_version: int = SCHEMA_VERSION
    revision: int = Field(description="Rises by one with every change; the ETag.")
    attempt: int = Field(description="Number of the current attempt, from 1.")
    crashes: int = Field(default=0, description="Attempts whose trainer died of itself; a few, and the job fails.")
    outages: int = Field(
        default=0, description="Attempts whose worker or host was lost; many in a row, and the job fails."
    )
    overruns: int = Field(default=0, description="Attempts that were stopped far over the limit of wall time.")
    name: str | None = None
    external_id: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    progress: Progress | None = None
    error: JobError | None = None
    created_at: datetime
    started_at: datetime | None = Field(default=None, description="When a worker first claimed it.")
    finished_at: datetime | None = None
    updated_at: datetime
    spec: dict[str, Any] = Field(default_factory=dict, description="Resolved specification; empty in a listing.")
    spec_sha256: str
    artifacts: dict[str, ArtifactRef] = Field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether the job has ended, as far as this version knows."""
        return is_done(self.status)

    @property
    def understood(self) -> bool:
        """Whether this version may change the record: it knows its state, and no later version keeps it away."""
        return isinstance(self.status, JobStatus) and self.schema_version <= SCHEMA_VERSION


class NewJob(_Frozen):
    """What the caller of :meth:`service.jobstore.JobStore.create` decides; the store adds state and times.

    The id comes from the caller because objects are written under it before the record exists.
    """

    id: Annotated[str, Field(pattern="^[a-z0-9-]{8,64}$")]
    kind: str
    spec: str = Field(description="Resolved specification as JSON.")
    spec_sha256: str
    name: str | None = None
    external_id: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    artifacts: dict[str, ArtifactRef] = Field(default_factory=dict)


class Revision(_Frozen):
    """Announcement that a job has a new revision."""

    job_id: str
    revision: int
    status: Status

    @property
    def done(self) -> bool:
        """Whether the job has ended, as far as this version knows."""
        return is_done(self.status)


class WorkerInfo(_Frozen):
    """What a live worker says of itself."""

    model_config = ConfigDict(extra="ignore")  # one of a later version may say more

    id: str
    hostname: str
    pid: int
    devices: tuple[str, ...] = Field(description="Devices that the trainer's torch sees: cpu, cuda:0, …")
    torch: str | None = Field(default=None, description="Version of torch.")
