"""A diagnose specification with nothing left open: what a job record holds, and what the worker is given."""

from typing import Literal

from service.contract.request import JobLimits, Metadata, Strict


class ResolvedNetworkWeights(Strict):
    """The weights of one network, kept as an artifact of the job."""

    depth: int
    dataset_id: str
    state_dim: int


class ResolvedDiagnoseSpec(Strict):
    """A diagnose specification with nothing left open."""

    kind: Literal["diagnose"]
    name: str | None
    metadata: Metadata
    external_id: str | None
    networks: list[ResolvedNetworkWeights]
    residual_exponent: float
    limits: JobLimits
