"""What every diagnostic looks at, and how well it is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from torch import Tensor

from worker.deeplimit.branches import BranchPoint
from worker.deeplimit.continuum import ContinuumFit, curvature_floor
from worker.deeplimit.problem import Problem
from worker.deeplimit.study import Study

SMALL: Final = 0.1
"""An error is small beside a number when it is below this share of it."""


@dataclass(frozen=True)
class Subject:
    """The verdict branch of a study.

    Attributes
    ----------
    points
        Minimisers by increasing depth.
    continuum
        The continuum model, or None.
    data
        ``train`` or ``validation``: what ``inputs`` (S', d), lifted, are.
    prediction_scale
        (m,) factors from scaled targets back to the user's units, or None.
    """

    study: Study
    inputs: Tensor
    data: str
    prediction_scale: Tensor | None = None

    @property
    def problem(self) -> Problem:
        """The learning problem."""
        return self.study.problem

    @cached_property
    def points(self) -> list[BranchPoint]:
        """Minimisers by increasing depth."""
        return [point for _, point in sorted(self.study.verdict_branch.points.items())]

    @property
    def continuum(self) -> ContinuumFit | None:
        """The continuum model of the verdict branch."""
        return self.study.verdict_branch.continuum

    def objective_error(self, point: BranchPoint) -> float:
        """Estimated error of a gap E_n* − E_∞*: optimisation at both, integration and basis in the continuum."""
        return point.solution.error_estimate + (self.continuum.error if self.continuum is not None else 0.0)

    def parameter_error(self, point: BranchPoint) -> float:
        """Estimated distance from the exact minimisers in increment coordinates, √(2 error/λ) at depth n and ∞.

        λ is taken as 2 min α, the Hessian's value in directions that the data do not see.
        """
        errors = [point.solution.error_estimate]
        if self.continuum is not None:
            errors.append(self.continuum.basis_error + self.continuum.solution.error_estimate)
        floor = curvature_floor(self.problem)
        return math.fsum(math.sqrt(2.0 * max(error, 0.0) / floor) for error in errors)

    def unfit(self, point: BranchPoint) -> str | None:
        """Return why nothing may be said about convergence at a depth, or None."""
        if not point.solution.status.optimised:
            return f"the optimisation at depth {point.depth} ended as {point.solution.status.value}"
        if point.depth in self.study.verdict_branch.left:
            return f"depth {point.depth} is not on the verdict branch"
        if self.continuum is not None and not self.continuum.solution.status.optimised:
            return f"the optimisation of the continuum ended as {self.continuum.solution.status.value}"
        return None
