"""Branches: one minimiser followed across depths, and when two points are the same minimum."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from deeplimit.mathematics.minimise import Solution
from deeplimit.mathematics.minimise.certificate import Certificate
from deeplimit.mathematics.model.objective import Evaluation
from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from deeplimit.mathematics.model.symmetry import aligned, alignment_is_exhaustive, distance, norm
from deeplimit.mathematics.model.transfer import Model, recover
from deeplimit.mathematics.problem.learning_problem import LAYERED, Problem
from deeplimit.mathematics.study.continuum_fit import ContinuumFit
from deeplimit.mathematics.study.training import Follow
from deeplimit.mathematics.watch import OutOfTimeError

NEAR_BEST: Final = 0.1
"""Minima within this share of the best objective at the coarsest depth are carried."""
MOST_CARRIED: Final = 4
"""Distinct minima that are carried, unless all are to be followed."""
EQUAL: Final = 1e-7
"""Objectives that differ relatively by less are equal, however sharply they were minimised."""
_LEAST_SCALE: Final = 1e-12
"""Objectives below this are as good as 0."""
_ALIKE: Final = 2e-3
"""Parameters of one minimum differ by less than this share of their size, at the usual tolerances of the gradient."""
_ALIKE_NONSMOOTH: Final = 5e-2
"""The same where E has kinks, on which minimisations end less sharply."""
_LEAST_SIZE: Final = 1e-3
"""Parameters smaller than this are compared as if they had this size."""
_NORMAL_QUANTILE: Final = 1.959963984540054
"""Quantile of 97.5 %, for two-sided intervals of 95 %."""


@dataclass
class BranchPoint:
    """A minimiser at one depth.

    Attributes
    ----------
    at_recovery
        E_n at the recovery sequence of the limit with this solution, kept by `continuation.at_recovery`.
    at_lift
        E_∞ at the projection of the lift, of this solution, to the basis of that limit; by `continuation.at_lift`.
    """

    network: ResidualNetwork
    parameters: DiscreteParameters
    solution: Solution
    certificate: Certificate | None = None
    at_recovery: tuple[Solution, Evaluation] | None = None
    at_lift: tuple[Solution, Solution, float] | None = None

    @property
    def depth(self) -> int:
        """Depth n."""
        return self.network.depth

    @property
    def name(self) -> str:
        """``discrete-n``."""
        return f"discrete-{self.depth}"

    @property
    def model(self) -> ResidualNetwork:
        """The discretised objective that ``solution`` is a stationary point of."""
        return self.network


class StationaryPoint(Protocol):
    """What a minimisation ended at: a ``BranchPoint`` or a ``ContinuumFit``."""

    solution: Solution
    certificate: Certificate | None

    @property
    def name(self) -> str:
        """Name of the model."""

    @property
    def model(self) -> Model:
        """The discretised objective that ``solution`` is a stationary point of."""


class BranchStatus(StrEnum):
    """What became of a branch."""

    PERSISTS = "persists"
    MERGES = "merges"
    BIFURCATES = "bifurcates"
    NOT_CARRIED = "not_carried"
    LEFT = "left"
    SADDLE = "saddle"

    @property
    def carried(self) -> bool:
        """Whether the branch goes on to the next depth."""
        return self in (BranchStatus.PERSISTS, BranchStatus.BIFURCATES)


@dataclass
class Branch:
    """One minimiser followed across depths.

    Attributes
    ----------
    starts
        How many starts led to it.
    points
        By depth.
    followed
        Whether there was the time to find out which depths are on the branch of its limit.
    left
        Depths that continuation from the limit does not reach: their minimisers are not on the branch.
    merged_into
        Index of the branch it coincided with from some depth on, when ``status`` is ``merges``.
    left_saddles
        By model: the first saddle that its prolongation led to there, which was left for a lower minimum.
    """

    starts: int
    points: dict[int, BranchPoint] = field(default_factory=dict)
    continuum: ContinuumFit | None = None
    status: BranchStatus = BranchStatus.PERSISTS
    merged_into: int | None = None
    left: list[int] = field(default_factory=list)
    followed: bool = True
    left_saddles: dict[str, StationaryPoint] = field(default_factory=dict)

    def bifurcate(self, saddle: StationaryPoint) -> None:
        """Note that the branch led to a saddle, which was left for a lower minimum."""
        self.left_saddles[saddle.name] = saddle
        self.status = BranchStatus.BIFURCATES

    @property
    def latest(self) -> BranchPoint:
        """The point at the largest depth that is finite: what the next depth starts from."""
        finite = [n for n, point in self.points.items() if math.isfinite(point.solution.objective)]
        return self.points[max(finite or self.points)]

    @property
    def outcome(self) -> BranchStatus:
        """What became of it in the end: a limit that no depth is on the branch of does not persist."""
        away = bool(self.points) and all(depth in self.left for depth in self.points)
        return BranchStatus.LEFT if away and self.status is BranchStatus.PERSISTS else self.status

    @property
    def limit(self) -> BranchPoint | ContinuumFit | None:
        """The continuum model, or without one the finest depth; None of a branch without models."""
        if self.continuum is not None:
            return self.continuum
        return self.points[max(self.points)] if self.points else None

    @property
    def last(self) -> tuple[str, Solution]:
        """The continuum's name and solution, or those of the latest depth."""
        if self.continuum is not None:
            return self.continuum.name, self.continuum.solution
        return self.latest.name, self.latest.solution

    @property
    def level(self) -> float:
        """What branches are ranked by: E_∞, else E at the finest depth; infinite when not carried to the end."""
        if not self.status.carried or self.limit is None:
            return math.inf
        value = self.limit.solution.objective
        return value if math.isfinite(value) else math.inf


_Item = TypeVar("_Item")
Facts = tuple[float, float, DiscreteParameters]
"""What `same_minimum` compares: E, its error estimate, and θ at one depth."""


def same_minimum(problem: Problem, left: Facts, right: Facts) -> bool:
    """Whether two points (E, error estimate, θ at one depth) are one minimum up to the exact symmetries.

    Where the nearest image is not found for certain, equal objectives decide alone.
    """
    scale = max(abs(left[0]), abs(right[0]), _LEAST_SCALE)
    if not abs(left[0] - right[0]) <= max(EQUAL * scale, 2.0 * (left[1] + right[1])):
        return False
    if not alignment_is_exhaustive(problem):
        return True
    tolerance = (_ALIKE if problem.smooth else _ALIKE_NONSMOOTH) * max(norm(left[2]), _LEAST_SIZE)
    reach = _reach(problem, left[1]) + _reach(problem, right[1])
    return distance(left[2], aligned(problem, left[2], right[2])) <= max(tolerance, reach)


def _reach(problem: Problem, error: float) -> float:
    """Return how far from its minimum, in the norm of ``distance``, a point of this error may be; 0 if nothing says.

    That is √(2 error/λ) in increment coordinates, λ the curvature of the regularisers. Of minimisers near 0, which have
    no size of their own to compare with, it decides.
    """
    floor = problem.curvature_floor
    if not floor > 0.0:
        return 0.0
    stretch = max(1.0, *(math.sqrt(1.0 / problem.tau(name) + 0.5) for name in LAYERED))
    return stretch * math.sqrt(2.0 * max(error, 0.0) / floor)


def nearest_image(point: BranchPoint, reference: DiscreteParameters) -> BranchPoint:
    """Return the image of a point under the exact symmetries that is nearest to other parameters of its depth.

    The point itself where it was not evaluated, or there is no time to evaluate the image.
    """
    network = point.network
    if not point.solution.evaluated:
        return point
    image = aligned(network.problem, reference, point.parameters)
    if image is point.parameters:
        return point
    u = network.encode(image)
    try:
        evaluation = network.evaluate(u)
    except OutOfTimeError:
        return point
    certificate = None if point.certificate is None else replace(point.certificate, vector=None)
    solution = replace(point.solution, u=u, evaluation=evaluation, inverse=None)  # that is of the other image
    return BranchPoint(network, image, solution, certificate)


def cluster(problem: Problem, items: Iterable[_Item], facts: Callable[[_Item], Facts]) -> list[list[_Item]]:
    """Group the finite points into distinct minima, lowest first, and each group's lowest point first."""
    groups: list[list[_Item]] = []
    finite = [item for item in items if math.isfinite(facts(item)[0])]
    for item in sorted(finite, key=lambda candidate: facts(candidate)[0]):
        for group in groups:
            if same_minimum(problem, facts(group[0]), facts(item)):
                group.append(item)
                break
        else:
            groups.append([item])
    return groups


def point_facts(point: BranchPoint) -> Facts:
    """Return what ``same_minimum`` compares."""
    return point.solution.objective, point.solution.error_estimate, point.parameters


def continuum_facts(fit: ContinuumFit, depth: int = 64) -> Facts:
    """Return what ``same_minimum`` compares, the continuum's parameters sampled."""
    return fit.solution.objective, fit.error, recover(fit.parameters, depth)


def found_interval(successes: int, starts: int) -> tuple[float, float]:
    """Return the 95 % interval of the chance that a start leads to a minimum (Wilson 1927)."""
    z = _NORMAL_QUANTILE
    share, scale = successes / starts, 1.0 + z * z / starts
    centre = (share + z * z / (2.0 * starts)) / scale
    half = z / scale * math.sqrt(share * (1.0 - share) / starts + z * z / (4.0 * starts * starts))
    return max(0.0, centre - half), min(1.0, centre + half)


def select(objectives: Sequence[float], follow: Follow = Follow.BEST) -> list[bool]:
    """Return which of the distinct minima, lowest first, are carried to every depth."""
    if follow is Follow.ALL:
        return [True] * len(objectives)
    most = objectives[0] + NEAR_BEST * abs(objectives[0])
    # The first even where it is not finite: what became of every depth is to be told.
    return [index == 0 or (index < MOST_CARRIED and value <= most) for index, value in enumerate(objectives)]


def merge_coinciding(problem: Problem, branches: Sequence[Branch], facts: Callable[[Branch], Facts | None]) -> None:
    """Mark every persisting branch that now coincides with an earlier one."""
    kept: list[tuple[int, Facts]] = []
    for index, branch in enumerate(branches):
        mine = facts(branch) if branch.status.carried else None
        if mine is None:
            continue
        for other, theirs in kept:
            if same_minimum(problem, theirs, mine):
                branch.status, branch.merged_into = BranchStatus.MERGES, other
                break
        else:
            kept.append((index, mine))
