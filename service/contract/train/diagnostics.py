"""What a study says about the theorem: the diagnostics of a finished job."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from service.contract.train.certificates import (
    Certificates,
    Compactness,
    ErrorBudget,
    EulerLagrange,
    IndependentCheck,
    Regularity,
)
from service.contract.train.sequence import Classification, DepthAdvice
from service.contract.values.answer import Answer, Withheld
from service.contract.values.numbers import Finding


class PerParameter(Answer):
    """One number for each of θ = (K, b, W, c)."""

    K: Finding | None
    b: Finding | None
    W: Finding | None
    c: Finding | None


class PerParameterTotal(PerParameter):
    """One number for each of θ = (K, b, W, c), of two-layer blocks for V too, and the root of the sum of squares."""

    V: Finding | None = Field(default=None, description="Of two-layer blocks, else absent.")
    total: Finding | None


class PerLayerParameter(Answer):
    """One number for each parameter that depends on the layer."""

    K: Finding | None
    b: Finding | None
    V: Finding | None = Field(default=None, description="Of two-layer blocks, else absent.")


class Assumption(Answer):
    """One assumption of the theorem."""

    name: str
    holds: bool | None
    detail: str


class MinimaRow(Answer):
    """Minimum at one depth against the continuum's."""

    depth: int
    objective: Finding | None
    gap: Finding | None = None
    order: Finding | None = None
    slope: Finding | None = None
    predicted_slope: Finding | None = None
    predicted_slope_error: Finding | None = Field(
        default=None, description="Estimated distance of predicted_slope from the exact C₁, absolute."
    )
    error_budget: ErrorBudget | None = None
    withheld: Withheld


class Minima(Answer):
    """Convergence of minima."""

    continuum: Finding | None = None
    richardson: Finding | None = None
    richardson_error: Finding | None = Field(
        default=None, description="Estimated distance of richardson from E_∞*, absolute."
    )
    predicted_slope: Finding | None = None
    predicted_slope_error: Finding | None = Field(
        default=None, description="Estimated distance of predicted_slope from the exact C₁, absolute."
    )
    depths: list[MinimaRow]
    withheld: Withheld = Field(default={})


class MinimisersRow(Answer):
    """Distance of one depth's minimiser from the continuum's."""

    depth: int
    tl2: PerParameterTotal | None
    h1_seminorm: PerLayerParameter | None
    order: dict[str, Finding | None] | None = None
    error_budget: ErrorBudget | None = None
    withheld: Withheld = Field(default={})


class ConsecutiveRow(Answer):
    """Distance between the minimisers of two depths."""

    depths: list[int]
    tl2: PerParameterTotal | None
    order: dict[str, Finding | None] | None = None
    error_budget: ErrorBudget | None = None
    withheld: Withheld = Field(default={})


class Minimisers(Answer):
    """Convergence of minimisers in TL²; ``depths`` needs the continuum."""

    depths: list[MinimisersRow] | None = None
    consecutive: list[ConsecutiveRow]


class SupErrorRow(Answer):
    """Largest deviation from the continuum at one depth."""

    depth: int
    sup_error: Finding | None
    order: Finding | None = None
    error_budget: ErrorBudget | None = None
    withheld: Withheld = Field(default={})


class States(Answer):
    """Convergence of trajectories."""

    depths: list[SupErrorRow]


class Predictions(States):
    """Convergence of predictions."""

    data: Literal["train", "validation"]


class ExcessRow(Answer):
    """Objective of a transferred parameter above the minimum it is compared with."""

    depth: int
    objective: Finding | None
    excess: Finding | None
    order: Finding | None = None
    error_budget: ErrorBudget | None = None
    withheld: Withheld = Field(default={})


class Bracket(Answer):
    """Excesses by depth: never below zero but for optimisation error."""

    depths: list[ExcessRow]


class Frequency(Answer):
    """How often random starts led somewhere, with the 95 % interval of the chance (Wilson)."""

    share: Finding
    interval: list[Finding]


class Branch(Answer):
    """One minimiser followed across depths; with ``saddle``, a higher stationary point that was left for a minimum."""

    branch: int
    verdict: bool = Field(description="Whether the verdict is about this branch.")
    starts: int = Field(description="Starts that found it.")
    frequency: Frequency | None = None
    objectives: dict[str, Finding | None] = Field(description="By depth, and 'continuum'.")
    lambda_min: dict[str, Finding | None] = Field(
        default={}, description="Least curvature by depth and of the continuum."
    )
    status: str = Field(description="persists, merges, bifurcates, not_carried, left or saddle.")
    left_at: list[int] = Field(default=[], description="Depths at which the branch was left.")
    detail: str | None = None


class UnseenMinima(Answer):
    """The chance that one more start leads to a minimum that was not found, Good's and Turing's; 95 % interval."""

    estimate: Finding
    interval: list[Finding]
    minima: int = Field(description="Distinct minima that the starts found.")
    starts: int


class VerdictAnswer(Answer):
    """Which depth to use, and what it buys."""

    depth: int | None = Field(description="Null where nothing that is to be believed gives one.")
    metric: Literal["accuracy", "r2", "objective"] = Field(
        description="What is compared; the objective, where neither accuracy nor r2 is defined."
    )
    data: Literal["train", "validation"] = Field(description="What the metric is of.")
    at_depth: Finding | None = Field(description="The metric's value; null where the depth was not trained.")
    in_the_limit: Finding | None
    confidence: Literal["confirmed", "measured", "predicted", "undecided"] = Field(
        description="confirmed: the error that was asked for was met at this depth when it was trained; measured, at"
        " trained depths; predicted, and not trained; undecided."
    )
    change: str | None = Field(description="Which field to change, and to what, in a sentence.")


class VerdictFinding(Answer):
    """One thing that the study says."""

    code: str = Field(description="One of those that the documentation explains; new ones may come.")
    about: str = Field(description="The part of the diagnostics that it is about.")
    holds: bool | None = Field(description="Null where that is not known, or nothing is asked.")
    level: Literal["main", "detail"] = Field(description="main: in plain words; detail: in the terms of the theory.")
    text: str
    advice: str | None = Field(description="What to change, in a sentence.")
    href: str | None = Field(description="Where the documentation explains it.")


class Verdict(Answer):
    """Whether the study converges, which depth to use, and what can be said of it."""

    converges: bool | None = Field(description="Null when undecided.")
    summary: str | None = Field(
        default=None,
        description="One sentence, which begins with Yes., No. or Cannot tell:. Absent from earlier results.",
    )
    answer: VerdictAnswer | None = Field(default=None, description="Absent from results of earlier versions.")
    findings: list[VerdictFinding] = Field(
        default=[], description="The main ones first. Absent from results of earlier versions."
    )
    statements: list[str] = Field(description="The sentences of the details.")


class Diagnostics(Answer):
    """The convergence diagnostics; parts that need a continuum are absent without one, and null where withheld."""

    assumptions: list[Assumption]
    minima: Minima | None = None
    minimisers: Minimisers | None = None
    states: States | None = None
    predictions: Predictions | None = None
    recovery: Bracket | None = None
    lift: Bracket | None = None
    branches: list[Branch]
    unseen_minima: UnseenMinima | None = None
    classification: Classification | None = None
    depth_advice: list[DepthAdvice] | None = None
    certificates: Certificates | None = None
    euler_lagrange: EulerLagrange | None = None
    regularity: Regularity | None = None
    compactness: Compactness | None = None
    independent_check: IndependentCheck | None = None
    verdict: Verdict
    withheld: Withheld = Field(default={})
