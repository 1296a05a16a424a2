"""What a trainer is given, what it gives back, and how a job can end otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from service.artifacts import ArtifactStore
from service.contract.job import ArtifactRef


@dataclass(frozen=True)
class JobInput:
    """One attempt at a job.

    Parameters
    ----------
    job_id, fence
        The attempt; results go where `service.contract.names.results_path` says.
    spec
        Resolved specification.
    artifacts
        Where data is read from and results are written to.
    data_ref
        Data that was inline or uploaded, where the job has some.
    given
        Every object that the job's record names, by its key there.
    """

    job_id: str
    fence: int
    spec: Mapping[str, Any]
    artifacts: ArtifactStore
    data_ref: ArtifactRef | None
    given: Mapping[str, ArtifactRef] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """Objects that a finished job has written, by their keys in the job's record."""

    artifacts: Mapping[str, ArtifactRef] = field(default_factory=dict)


class UserError(Exception):
    """The job cannot be done as it was specified, and whoever submitted it can mend that.

    Parameters
    ----------
    code
        For programs.
    detail
        For people; it must not repeat input values.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Stopped(Exception):  # noqa: N818 - not an error: the executor did as should_stop asked
    """The executor stopped because it was asked to."""
