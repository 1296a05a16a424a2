"""What a finished job answers: the worker writes these, the API serves them, and OpenAPI shows them.

A field with a default may be absent: write with `to_json`, which leaves out what was not set and keeps what was set to
null. Numbers that are not finite go out as the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.contract.numbers import Finding


class _Result(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


def to_json(model: BaseModel) -> bytes:
    """Write a result.

    Parameters
    ----------
    model
        Of this module.

    Returns
    -------
    bytes
        Strict JSON in UTF-8, without the fields that were never set.
    """
    return model.model_dump_json(exclude_unset=True).encode()


class SolutionStatus(StrEnum):
    """How the fit of one model ended."""

    CONVERGED = "converged"
    STATIONARY_NONSMOOTH = "stationary_nonsmooth"
    MAX_ITERATIONS = "max_iterations"
    STALLED = "stalled"
    DIVERGED = "diverged"
    TIME_LIMIT = "time_limit"


class PerParameter(_Result):
    """One number for each of θ = (K, b, W, c)."""

    K: Finding | None
    b: Finding | None
    W: Finding | None
    c: Finding | None


class PerParameterTotal(PerParameter):
    """One number for each of θ = (K, b, W, c), and the root of the sum of squares."""

    total: Finding | None


class PerLayerParameter(_Result):
    """One number for each parameter that depends on the layer."""

    K: Finding | None
    b: Finding | None


class Metrics(_Result):
    """Quality of the predictions: ``accuracy`` for classes, ``r2`` for numbers."""

    terminal_loss: Finding | None
    accuracy: Finding | None = None
    r2: Finding | None = None


class LegendreBasis(_Result):
    """Shifted Legendre polynomials P_k(2t−1), k = 0..degree."""

    family: Literal["legendre"]
    degree: int


class PiecewiseLinearBasis(_Result):
    """Continuous piecewise-linear functions with nodes i/cells, i = 0..cells."""

    family: Literal["piecewise_linear"]
    cells: int


Basis = Annotated[LegendreBasis | PiecewiseLinearBasis, Field(discriminator="family")]


class ArraySummary(_Result):
    """Shape and type of one array."""

    shape: list[int]
    dtype: Literal["float64", "float32"]


class ParametersSummary(_Result):
    """Where the fitted parameters are; the API adds ``href``."""

    href: str | None = None
    arrays: dict[str, ArraySummary]
    sha256: str = Field(description="Of the safetensors file.")


class _ModelResult(_Result):
    model: str
    status: SolutionStatus
    objective: Finding | None = Field(description="E, regularisation included.")
    terminal_loss: Finding | None = Field(description="Mean over the training samples.")
    regularisation: PerParameter | None = Field(description="Each with its α.")
    gradient_norm: Finding | None = Field(description="In increment coordinates.")
    iterations: int = Field(description="Of L-BFGS.")
    evaluations: int
    hessian_products: int = Field(description="Used by Newton-CG.")
    wall_time_s: Finding
    train: Metrics | None
    validation: Metrics | None
    parameters: ParametersSummary | None


class DiscreteResult(_ModelResult):
    """The network of one depth."""

    kind: Literal["discrete"]
    depth: int


class ContinuumResult(_ModelResult):
    """The continuum limit."""

    kind: Literal["continuum"]
    basis: Basis | None
    steps: int | None = Field(description="Of the integrator.")
    tolerance_reached: Finding | None = Field(description="Estimated relative error of the objective.")
    limited: str | None = Field(default=None, description="What kept the asked tolerance from being reached.")


ModelResult = Annotated[DiscreteResult | ContinuumResult, Field(discriminator="kind")]

Withheld = Annotated[dict[str, str], Field(description="For each field that is null: the reason.")]


class Assumption(_Result):
    """One assumption of the theorem."""

    name: str
    holds: bool | None
    detail: str


class MinimaRow(_Result):
    """Minimum at one depth against the continuum's."""

    depth: int
    objective: Finding | None
    gap: Finding | None = None
    order: Finding | None = None
    slope: Finding | None = None
    predicted_slope: Finding | None = None
    withheld: Withheld


class Minima(_Result):
    """Convergence of minima."""

    continuum: Finding | None = None
    richardson: Finding | None = None
    predicted_slope: Finding | None = None
    depths: list[MinimaRow]
    withheld: Withheld = {}


class MinimisersRow(_Result):
    """Distance of one depth's minimiser from the continuum's."""

    depth: int
    tl2: PerParameterTotal | None
    h1_seminorm: PerLayerParameter | None
    order: dict[str, Finding | None] | None = None
    withheld: Withheld = {}


class ConsecutiveRow(_Result):
    """Distance between the minimisers of two depths."""

    depths: list[int]
    tl2: PerParameterTotal | None
    order: dict[str, Finding | None] | None = None
    withheld: Withheld = {}


class Minimisers(_Result):
    """Convergence of minimisers in TL²; ``depths`` needs the continuum."""

    depths: list[MinimisersRow] | None = None
    consecutive: list[ConsecutiveRow]


class SupErrorRow(_Result):
    """Largest deviation from the continuum at one depth."""

    depth: int
    sup_error: Finding | None
    order: Finding | None = None
    withheld: Withheld = {}


class States(_Result):
    """Convergence of trajectories."""

    depths: list[SupErrorRow]


class Predictions(States):
    """Convergence of predictions."""

    data: Literal["train", "validation"]


class ExcessRow(_Result):
    """Objective of a transferred parameter above the minimum it is compared with."""

    depth: int
    objective: Finding | None
    excess: Finding | None
    order: Finding | None = None
    withheld: Withheld = {}


class Bracket(_Result):
    """Excesses by depth: never below zero but for optimisation error."""

    depths: list[ExcessRow]


class Branch(_Result):
    """One minimiser followed across depths."""

    branch: int
    verdict: bool = Field(description="Whether the verdict is about this branch.")
    starts: int = Field(description="Starts that found it.")
    objectives: dict[str, Finding | None] = Field(description="By depth, and 'continuum'.")
    status: str
    left_at: list[int] = Field(default=[], description="Depths at which the branch was left.")
    detail: str | None = None


class Verdict(_Result):
    """Whether the study converges, and what can be said of it."""

    converges: bool | None = Field(description="Null when undecided.")
    statements: list[str]


class Diagnostics(_Result):
    """The convergence diagnostics; parts that need a continuum are absent without one."""

    assumptions: list[Assumption]
    minima: Minima | None = None
    minimisers: Minimisers | None = None
    states: States | None = None
    predictions: Predictions | None = None
    recovery: Bracket | None = None
    lift: Bracket | None = None
    branches: list[Branch]
    verdict: Verdict


class Provenance(_Result):
    """What the numbers came from."""

    spec_sha256: str
    seed: int
    torch: str
    device: str
    dtype: Literal["float64", "float32"]
    version: str
    wall_time_s: Finding | None = None


class ResultsFile(_Result):
    """Content of the artifact ``results``: what `Results` holds without links."""

    models: list[ModelResult]
    diagnostics: Diagnostics
    provenance: Provenance


class Results(ResultsFile):
    """Answer of ``GET /v1/jobs/{id}/results``."""

    job_id: str
    links: dict[str, str]


class RegularisationHistory(_Result):
    """Each regulariser with its α, per iteration."""

    K: list[Finding]
    b: list[Finding]
    W: list[Finding]
    c: list[Finding]


class ModelLosses(_Result):
    """History of one fit: lists with one entry per iteration, and the metrics at its end."""

    model: str
    objective: list[Finding]
    terminal_loss: list[Finding]
    regularisation: RegularisationHistory
    gradient_norm: list[Finding]
    train: Metrics | None
    validation: Metrics | None


class Losses(_Result):
    """Content of the artifact ``losses`` and answer of ``GET /v1/jobs/{id}/results/losses``."""

    job_id: str
    models: list[ModelLosses]


class Standardisation(_Result):
    """How data were scaled; ``None`` where they were not."""

    mean: list[Finding] | None
    scale: list[Finding] | None
    target_mean: list[Finding] | None
    target_scale: list[Finding] | None


class ParametersMetadata(_Result):
    """JSON under the key ``deeplimit`` of a parameters file's metadata."""

    model: str
    input_dim: int
    state_dim: int
    standardisation: Standardisation
    basis: Basis | None = None


Vector = list[Any]
"""Nested lists of numbers; left to the array library, as one model per number would take minutes."""


class DiscreteParameters(_Result):
    """Fitted parameters of one depth."""

    model: str
    K: Vector = Field(description="(n, d, d)")
    b: Vector = Field(description="(n, d)")
    W: Vector = Field(description="(m, d)")
    c: Vector = Field(description="(m,)")
    input_dim: int
    state_dim: int
    standardisation: Standardisation


class GridValues(_Result):
    """Parameters on G equispaced points of [0, 1], both ends included."""

    t: list[Finding]
    K: Vector = Field(description="(G, d, d)")
    b: Vector = Field(description="(G, d)")


class Coefficients(_Result):
    """Coefficients in the basis: (degree + 1) or (cells + 1) of them."""

    K: Vector
    b: Vector


class ContinuumParameters(_Result):
    """Fitted parameters of the continuum."""

    model: Literal["continuum"]
    basis: Basis
    coefficients: Coefficients
    W: Vector
    c: Vector
    grid: GridValues | None = None
    input_dim: int
    state_dim: int
    standardisation: Standardisation
