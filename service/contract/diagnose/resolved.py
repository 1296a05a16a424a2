"""A diagnose specification with nothing left open: what a job record holds, and what the worker is given."""

from typing import Literal

from service.contract.request import JobLimits, ResolvedRequest, Strict


class ResolvedNetworkWeights(Strict):
    """The weights of one network, kept as an artifact of the job."""

    depth: int
    dataset_id: str
    state_dim: int


class ResolvedDiagnoseSpec(ResolvedRequest):
    """A diagnose specification with nothing left open."""

    kind: Literal["diagnose"]
    networks: list[ResolvedNetworkWeights]
    residual_exponent: float
    limits: JobLimits
