"""What a finished train job answers: models, losses, fitted parameters; the diagnostics have modules of their own."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field

from service.contract.results import Metrics, Provenance
from service.contract.train.diagnostics import Diagnostics, PerParameter
from service.contract.values.answer import Answer, Withheld
from service.contract.values.numbers import Finding

METADATA_KEY: Final = "deeplimit"
"""Of what a parameters file says of itself."""


class SolutionStatus(StrEnum):
    """How the fit of one model ended."""

    CONVERGED = "converged"
    STATIONARY_NONSMOOTH = "stationary_nonsmooth"
    MAX_ITERATIONS = "max_iterations"
    STALLED = "stalled"
    DIVERGED = "diverged"
    TIME_LIMIT = "time_limit"


class LegendreBasis(Answer):
    """Shifted Legendre polynomials P_k(2t−1), k = 0..degree."""

    family: Literal["legendre"]
    degree: int


class PiecewiseLinearBasis(Answer):
    """Continuous piecewise-linear functions with nodes i/cells, i = 0..cells."""

    family: Literal["piecewise_linear"]
    cells: int


Basis = Annotated[LegendreBasis | PiecewiseLinearBasis, Field(discriminator="family")]


class ArraySummary(Answer):
    """Shape and type of one array."""

    shape: list[int]
    dtype: Literal["float64", "float32"]


class ParametersSummary(Answer):
    """Where the fitted parameters are; the API adds ``href``."""

    href: str | None = None
    arrays: dict[str, ArraySummary]
    sha256: str = Field(description="Of the safetensors file.")


class _ModelResult(Answer):
    model: str
    status: SolutionStatus
    objective: Finding | None = Field(
        description="E, regularisation included. Null, and what is made of it, where the time limit came before it was"
        " evaluated: `parameters` are then those that its training would have begun with."
    )
    terminal_loss: Finding | None = Field(description="Mean over the training samples.")
    regularisation: PerParameter | None = Field(description="Each with its α; of two-layer blocks K's includes V's.")
    running_cost: Finding | None = Field(default=None, description="With its weight; present when there is one.")
    gradient_norm: Finding | None = Field(description="In increment coordinates.")
    iterations: int = Field(description="Of L-BFGS.")
    evaluations: int
    hessian_products: int = Field(description="Used by Newton-CG.")
    wall_time_s: Finding
    train: Metrics | None = Field(description="Null where the time limit came before.")
    validation: Metrics | None = Field(description="Likewise, and where no data were held out.")
    withheld: Withheld = Field(default={})
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


class StudySamples(Answer):
    """Samples that were trained on, and held out for validation."""

    train: int
    validation: int


class StudyData(Answer):
    """What the study was about; names are null where there are none."""

    samples: StudySamples
    features: int
    inputs: list[str] | None = Field(description="Names of the input columns.")
    targets: list[str] | None = Field(description="Names of the target columns.")
    classes: list[str] | None = Field(description="What the classes 0..m-1, or -1 and 1, are called, in this order.")


class ResultsFile(Answer):
    """Content of the artifact ``results``: what `Results` holds without links."""

    data: StudyData | None = Field(default=None, description="Absent from results of earlier versions.")
    models: list[ModelResult]
    diagnostics: Diagnostics
    provenance: Provenance


class Results(ResultsFile):
    """Answer of ``GET /v1/jobs/{id}/results``."""

    job_id: str
    links: dict[str, str]


class RegularisationHistory(Answer):
    """Each regulariser with its α, per iteration."""

    K: list[Finding]
    b: list[Finding]
    W: list[Finding]
    c: list[Finding]


class ModelLosses(Answer):
    """History of one fit: lists with one entry per iteration, and the metrics at its end."""

    model: str
    objective: list[Finding]
    terminal_loss: list[Finding]
    regularisation: RegularisationHistory
    gradient_norm: list[Finding]
    running_cost: list[Finding] | None = Field(default=None, description="With its weight; present when there is one.")
    train: Metrics | None
    validation: Metrics | None
    withheld: Withheld = Field(default={})


class Losses(Answer):
    """Content of the artifact ``losses`` and answer of ``GET /v1/jobs/{id}/results/losses``."""

    job_id: str
    models: list[ModelLosses]


class Standardisation(Answer):
    """How data were scaled; ``None`` where they were not."""

    mean: list[Finding] | None
    scale: list[Finding] | None
    target_mean: list[Finding] | None
    target_scale: list[Finding] | None


class ParametersMetadata(Answer):
    """JSON under the key `METADATA_KEY` of a parameters file's metadata."""

    model: str
    input_dim: int
    state_dim: int
    standardisation: Standardisation
    basis: Basis | None = None
    steps: int | None = Field(default=None, description="Of the continuum's training; null for networks.")
    resolved_steps: int | None = Field(
        default=None,
        description="Runge-Kutta steps that resolve the continuum on all of the job's data, as evaluations find them;"
        " null for networks, where the activation is not smooth, and where the time limit came before.",
    )

    @classmethod
    def of_file(cls, content: bytes) -> Self:
        """Read them from a parameters file: a safetensors file starts with the length of its JSON header."""
        length = int.from_bytes(content[:8], "little")
        return cls.model_validate_json(json.loads(content[8 : 8 + length])["__metadata__"][METADATA_KEY])


Vector = list[Any]
"""Nested lists of numbers; left to the array library, as one model per number would take minutes."""


class DiscreteParameters(Answer):
    """Fitted parameters of one depth."""

    model: str
    K: Vector = Field(description="(n, d, d); (n, w, d) in two-layer blocks")
    b: Vector = Field(description="(n, d); (n, w) in two-layer blocks")
    V: Vector | None = Field(default=None, description="(n, d, w) of two-layer blocks, else absent")
    W: Vector = Field(description="(m, d)")
    c: Vector = Field(description="(m,)")
    input_dim: int
    state_dim: int
    standardisation: Standardisation


class GridValues(Answer):
    """Parameters on G equispaced points of [0, 1], both ends included."""

    t: list[Finding]
    K: Vector = Field(description="(G, d, d)")
    b: Vector = Field(description="(G, d)")
    V: Vector | None = Field(default=None, description="(G, d, w) of two-layer blocks, else absent")


class Coefficients(Answer):
    """Coefficients in the basis: (degree + 1) or (cells + 1) of them."""

    K: Vector
    b: Vector
    V: Vector | None = Field(default=None, description="Of two-layer blocks, else absent.")


class ContinuumParameters(Answer):
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
