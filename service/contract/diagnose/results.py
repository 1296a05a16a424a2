"""What a finished diagnosis answers; as in `service.contract.results`, a field with a default may be absent."""

from pydantic import Field

from service.contract.results import Provenance
from service.contract.train.sequence import Classification
from service.contract.values.answer import Answer, Withheld
from service.contract.values.numbers import Finding


class PathNorms(Answer):
    """Size and regularity of one parameter of one network; A_i are the layers, flattened, t_i = i/n."""

    sup: Finding = Field(description="max ‖A_i‖.")
    l2: Finding = Field(description="((1/n) Σ ‖A_i‖²)^½.")
    R: Finding = Field(description="n Σ ‖A_i − A_{i−1}‖² + ‖A_0‖²: the regulariser with τ = 1, which H¹ limits bound.")
    seminorm: Finding = Field(description="n Σ ‖A_i − A_{i−1}‖².")
    root_sum_square: Finding = Field(description="(Σ ‖A_i‖²)^½, the statistic of Cohen et al. (2021).")
    root_sum_square_increments: Finding = Field(description="(Σ ‖A_i − A_{i−1}‖²)^½.")
    largest_increment: Finding = Field(description="max ‖A_i − A_{i−1}‖.")
    increment_correlation: Finding = Field(description="Of consecutive ones: 1 smooth, 0 Brownian, −½ white noise.")
    second_difference: Finding | None = Field(description="max n² ‖A_{i+1} − 2A_i + A_{i−1}‖; null below three layers.")
    boundary_0: Finding = Field(description="n ‖A_1 − A_0‖.")
    boundary_1: Finding = Field(description="n ‖A_{n−1} − A_{n−2}‖: tends to 0 for minimisers.")
    holder: Finding | None = Field(description="max ‖A_i − A_j‖ / |t_i − t_j|^½ over all pairs; at most √seminorm.")
    p_variation: dict[str, Finding] | None = Field(description="Sums for p = 1, 2, 3, over all partitions.")
    withheld: Withheld = Field(default={})


class DiagnosedNetwork(Answer):
    """One network; ``joint`` is (K, b) as one path."""

    depth: int
    state_dim: int
    dataset_id: str
    K: PathNorms
    b: PathNorms
    joint: PathNorms


class DiagnosisResultsFile(Answer):
    """Content of the artifact ``results`` of a diagnosis."""

    networks: list[DiagnosedNetwork]
    classification: Classification
    provenance: Provenance


class DiagnosisResults(DiagnosisResultsFile):
    """Answer of ``GET /v1/jobs/{id}/results`` for a diagnosis."""

    job_id: str
    links: dict[str, str]
