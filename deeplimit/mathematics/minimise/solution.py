"""What a minimisation is asked, and what it gives back: a value with a status, never an exception."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from typing import Final, Protocol

import torch
from torch import Tensor

from deeplimit.mathematics.minimise.lbfgs import InverseHessian
from deeplimit.mathematics.model.objective import Evaluation
from deeplimit.mathematics.watch import EVALUATED_S, passed

_UNITS: Final = 8.0
"""Units in the last place that sums over samples and layers are taken to err by."""


class Status(StrEnum):
    """How a minimisation ended."""

    CONVERGED = "converged"
    STATIONARY_NONSMOOTH = "stationary_nonsmooth"
    MAX_ITERATIONS = "max_iterations"
    STALLED = "stalled"
    DIVERGED = "diverged"
    TIME_LIMIT = "time_limit"

    @property
    def optimised(self) -> bool:
        """Whether the point may stand for a minimiser; how well, the error estimate says."""
        return self in (Status.CONVERGED, Status.STATIONARY_NONSMOOTH)


class HessianProducts(Protocol):
    """The Hessian at one point."""

    def hessian_product(self, v: Tensor) -> Tensor:
        """Return the Hessian applied to v."""


class Objective(Protocol):
    """What can be minimised."""

    def evaluate(self, u: Tensor) -> Evaluation:
        """Return value and gradient at u."""

    def linearise(self, u: Tensor) -> HessianProducts:
        """Return the Hessian at u."""


@dataclass(frozen=True)
class Budget:
    """When to stop.

    Attributes
    ----------
    gradient_tolerance
        Converged when ‖∂E/∂u‖ ≤ gradient_tolerance · max(1, |E|).
    max_iterations
        L-BFGS iterations plus Hessian-vector products.
    deadline
        In seconds of ``time.monotonic``, or None.
    smooth
        Whether E is continuously differentiable; if not, ending on a kink is an answer.
    """

    gradient_tolerance: float = 1e-7
    max_iterations: int = 2000
    deadline: float | None = None
    smooth: bool = True

    def reached(self, evaluation: Evaluation) -> bool:
        """Whether the gradient is small enough."""
        return gradient_norm(evaluation) <= self.gradient_tolerance * max(1.0, abs(evaluation.objective))

    def out_of_time(self) -> bool:
        """Whether the deadline has passed."""
        return passed(self.deadline)

    @property
    def last(self) -> float | None:
        """Until when an evaluation may go on, in seconds of ``time.monotonic``, or None."""
        return None if self.deadline is None else self.deadline + EVALUATED_S


@dataclass(frozen=True)
class HistoryRow:
    """One accepted iterate."""

    iteration: int
    objective: float
    terms: dict[str, float]
    gradient_norm: float


Observer = Callable[[HistoryRow], None]
"""Called after every accepted step; raising from it is how a caller stops a fit."""


@dataclass
class Solution:
    """A point and what is known about it.

    Attributes
    ----------
    u
        Flat increment coordinates.
    evaluation
        E and its gradient at u.
    error_estimate
        Estimated E(u) − E at the local minimum that u is near.
    iterations, evaluations, hessian_products
        L-BFGS iterations; evaluations of E with its gradient; products used by Newton-CG.
    history
        The start and every accepted iterate.
    inverse
        What was learnt of the inverse Hessian, for models nearby; None where that is not to be used.
    """

    u: Tensor
    evaluation: Evaluation
    status: Status
    error_estimate: float
    iterations: int = 0
    evaluations: int = 0
    hessian_products: int = 0
    wall_time_s: float = 0.0
    history: list[HistoryRow] = field(default_factory=list)
    inverse: InverseHessian | None = field(default=None, repr=False)

    @property
    def objective(self) -> float:
        """E at the solution."""
        return self.evaluation.objective

    @property
    def gradient_norm(self) -> float:
        """‖∂E/∂u‖ at the solution."""
        return gradient_norm(self.evaluation)

    @property
    def evaluated(self) -> bool:
        """Whether E was evaluated at u, or anywhere: the time limit may have come before."""
        return self.evaluations > 0

    @property
    def work(self) -> int:
        """L-BFGS iterations plus Hessian-vector products."""
        return self.iterations + self.hessian_products

    def after(self, earlier: Sequence[Solution]) -> Solution:
        """Return this solution with the counts and the history of those that it was continued from as well."""
        every, rows, done = [*earlier, self], list[HistoryRow](), 0
        for solution in every:
            rows += [replace(row, iteration=row.iteration + done) for row in solution.history]
            done += solution.iterations
        return replace(
            self,
            iterations=sum(each.iterations for each in every),
            evaluations=sum(each.evaluations for each in every),
            hessian_products=sum(each.hessian_products for each in every),
            wall_time_s=sum(each.wall_time_s for each in every),
            history=rows,
        )


def gradient_norm(evaluation: Evaluation) -> float:
    """Return ‖∂E/∂u‖."""
    return float(torch.linalg.vector_norm(evaluation.gradient)) if evaluation.norm is None else evaluation.norm


def rounding(evaluation: Evaluation) -> float:
    """Return how far rounding may move E: `_UNITS` in the last place of its largest term."""
    largest = max(map(abs, evaluation.terms.values()), default=0.0)
    return _UNITS * unit(evaluation.gradient.dtype) * max(largest, abs(evaluation.objective))


@cache
def unit(dtype: torch.dtype) -> float:
    """Return the unit in the last place of 1; asking torch is as dear as the rest of a line search."""
    return torch.finfo(dtype).eps
