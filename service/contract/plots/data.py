"""The numbers that each plot is drawn from, and answer of ``GET /v1/jobs/{id}/plots/{name}`` as JSON.

Histories and curves are thinned to what can be seen, and most numbers have six significant digits; results hold all.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from service.contract.plots.index import PlotName
from service.contract.values.answer import Answer
from service.contract.values.numbers import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

Point = list[Finding]
"""Two numbers."""


class MinimumAtDepth(Answer):
    """One depth: its minimum, and n times its gap to the continuum's."""

    depth: int
    objective: Finding
    slope: Finding | None = Field(description="n (E_n - E_∞).")
    converged: bool = Field(description="Whether the minimisation ended at a minimum.")


class MinimaData(Answer):
    """Minima against depth, and n·gap against 1/n."""

    plot: Literal["minima"] = "minima"
    depths: list[MinimumAtDepth]
    limit: Finding | None = Field(description="E_∞, trained as a continuum or extrapolated.")
    limit_is: Literal["trained", "stopped", "extrapolated"] | None = Field(
        description="stopped: trained as a continuum, which did not end at a minimum."
    )
    predicted_slope: Finding | None = Field(description="C₁ of E_n = E_∞ + C₁/n + …, from the continuum alone.")


class OrderPoint(Answer):
    """One value; its sign is kept."""

    depth: int
    value: Finding


class OrderSeries(Answer):
    """One quantity that should vanish as depth grows."""

    quantity: str
    label: str
    expected: Finding | None = Field(description="The order that is expected, if one is.")
    order: Finding | None = Field(description="Observed between the last two depths.")
    points: list[OrderPoint]


class OrdersData(Answer):
    """What falls with depth, and how fast."""

    plot: Literal["orders"] = "orders"
    between: bool = Field(description="Without a continuum: values lie between a depth, the coarser, and the next.")
    series: list[OrderSeries]


class Curve(Answer):
    """Values of one model over time."""

    model: str
    depth: int | None = Field(description="Null for the continuum.")
    points: list[Point] = Field(description="(t, value), t a part of the horizon.")


class Entry(Answer):
    """One entry of a parameter."""

    parameter: Literal["K", "b", "V"]
    index: list[int] = Field(description="Row, and column of a matrix, from 1.")
    curves: list[Curve]


class ParametersData(Answer):
    """Fitted parameters of every depth over the continuum's."""

    plot: Literal["parameters"] = "parameters"
    entries: list[Entry]
    of: int = Field(description="How many entries there are; those that vary most are shown.")


class TrainingCurve(Answer):
    """History of one fit."""

    model: str
    depth: int | None
    status: str
    converged: bool
    iterations: int
    excess: list[Point] = Field(description="(iteration, E - E at the end), where it is positive.")
    gradient_norm: list[Point] = Field(description="(iteration, ‖∂E‖).")


class TrainingData(Answer):
    """How the objective and its gradient fell."""

    plot: Literal["training"] = "training"
    tolerance: Finding = Field(description="Of the gradient norm.")
    models: list[TrainingCurve]


class Path(Answer):
    """Trajectories of one model."""

    model: str
    depth: int | None
    t: list[Finding] = Field(description="(T,), parts of the horizon.")
    states: list[list[list[Finding]]] = Field(
        description="(T, S, p): states, or where they have more than two entries their `projection`."
    )


class Projection(Answer):
    """Two directions that show the most of the states."""

    centre: list[Finding] = Field(description="(d,)")
    directions: list[list[Finding]] = Field(description="(2, d), orthonormal.")
    explained: Finding = Field(description="Share of the states' variance that lies in them.")


class TrajectoriesData(Answer):
    """Some samples on their way through the networks."""

    plot: Literal["trajectories"] = "trajectories"
    samples: int = Field(description="How many training samples there are.")
    inputs: list[list[Finding]] = Field(description="(S, f), standardised as the networks take them.")
    targets: list[Finding] | None = Field(description="(S,), of numbers: the first target, as it is learned.")
    classes: list[str] | None = Field(description="(S,), of classes: the true one.")
    projection: Projection | None
    models: list[Path]


class Boundary(Answer):
    """Where one model's prediction changes class."""

    model: str
    depth: int | None
    lines: list[list[Point]]


class BoundarySample(Answer):
    """One sample, in the units of the data."""

    x: Finding
    y: Finding
    label: str


class BoundariesData(Answer):
    """Decision boundaries of every depth, in the units of the inputs."""

    plot: Literal["decision_boundaries"] = "decision_boundaries"
    axes: list[str] = Field(description="Names of the two inputs.")
    x: Point = Field(description="Range that is shown.")
    y: Point
    samples: int
    shown: list[BoundarySample]
    models: list[Boundary]


class BranchMinimum(Answer):
    """Minimum of one model on a branch."""

    model: str
    objective: Finding


class BranchLine(Answer):
    """Minima along one branch."""

    branch: int
    verdict: bool
    status: str
    starts: int
    points: list[BranchMinimum]


class BranchesData(Answer):
    """The distinct minima that the starts found."""

    plot: Literal["branches"] = "branches"
    models: list[str] = Field(description="Depths in their order, then 'continuum'.")
    branches: list[BranchLine]


PLOT_DATA: Final[Mapping[PlotName, type[Answer]]] = MappingProxyType(
    {
        PlotName.MINIMA: MinimaData,
        PlotName.ORDERS: OrdersData,
        PlotName.PARAMETERS: ParametersData,
        PlotName.TRAINING: TrainingData,
        PlotName.TRAJECTORIES: TrajectoriesData,
        PlotName.DECISION_BOUNDARIES: BoundariesData,
        PlotName.BRANCHES: BranchesData,
    }
)
"""The numbers of every plot, which say by ``plot`` of which they are."""
