"""What becomes of a specification that holds up: a plan of a job that can be queued; and what it may refer to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from service.contract.job import ArtifactRef

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.contract.data.dataset import DatasetRecord
    from service.contract.data.sources import TargetKind
    from service.contract.estimate import Estimate
    from service.contract.job import JobRecord
    from service.contract.request import ResolvedRequest
    from service.contract.values.arrays import Table
    from service.contract.values.limits import Limits


@dataclass(frozen=True, slots=True)
class InlineSamples:
    """Samples of a body: inputs (S, features), targets (S,) or (S, m) or none, and what a target is to the loss."""

    inputs: Table
    targets: Table | None
    target_kind: TargetKind


@dataclass(frozen=True, slots=True)
class InlineArrays:
    """Other arrays of a body, by name."""

    arrays: Mapping[str, Table]


Given = ArtifactRef | InlineSamples | InlineArrays
"""What a job is given: an object that exists already, or what becomes one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A specification that holds up, ready to be queued.

    Attributes
    ----------
    given
        What the job is given, by its keys in the job's record.
    cuda_at
        Pointer of the field that asks for a CUDA device; None where none does.
    """

    spec: ResolvedRequest
    estimate: Estimate
    given: Mapping[str, Given]
    cuda_at: str | None = None


class References(Protocol):
    """What a specification may refer to, and the limits that it is checked against."""

    @property
    def limits(self) -> Limits:
        """The published limits."""

    def dataset(self, dataset_id: str) -> DatasetRecord | None:
        """Return what is known of an uploaded data set; None where there is none of this id."""

    def job(self, job_id: str) -> JobRecord | None:
        """Return a job's record; None where there is none of this id."""

    def results(self, record: JobRecord) -> dict[str, Any]:
        """Return the results of a job that has some, as its worker wrote them."""
