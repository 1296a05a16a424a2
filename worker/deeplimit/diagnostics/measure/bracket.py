"""The Γ-limit's two inequalities, made numbers (diagnostic 3).

lift excess = E_∞(lift of θ_n) − E_∞* ≥ 0 and recovery excess = E_n(recovery of θ_∞) − E_n* ≥ 0, both O(n⁻²): the
discrete counterparts of the lim inf and lim sup inequalities of Thorpe and van Gennip (2023), theorem 2.1. Both are
non-negative because the minima are minima; a negative one says that a lower minimum exists.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from worker.deeplimit.diagnostics.measure.error_budget import ErrorBudget, with_orders
from worker.deeplimit.diagnostics.measure.orders import Observation, too_noisy
from worker.deeplimit.diagnostics.subject import Subject
from worker.deeplimit.model.coordinates import PiecewiseLinearIncrements
from worker.deeplimit.model.flow import Flow
from worker.deeplimit.model.transfer import lift, recover
from worker.deeplimit.study.branches import BranchPoint


@dataclass(frozen=True)
class ExcessRow:
    """One depth: the objective of what was transferred, and how far it is above the minimum."""

    depth: int
    objective: float
    excess: float
    order: float | None = None
    error_budget: ErrorBudget | None = None
    withheld: dict[str, str] = field(default_factory=dict)


def lift_excess(subject: Subject) -> list[ExcessRow]:
    """Return E_∞(lift of θ_n) − E_∞* for each depth."""
    fit = subject.limit

    def measure(point: BranchPoint) -> tuple[float, float]:
        # Every cell is a whole number of steps: the lift has kinks at the nodes only.
        steps = point.depth * max(2, math.ceil(fit.flow.steps / point.depth))
        flow = Flow(subject.problem, PiecewiseLinearIncrements(point.depth), steps)
        objective = flow.value(flow.encode(lift(point.parameters)))
        return objective, objective - fit.solution.objective

    return _rows(subject, measure)


def recovery_excess(subject: Subject) -> list[ExcessRow]:
    """Return E_n(recovery of θ_∞) − E_n* for each depth."""

    def measure(point: BranchPoint) -> tuple[float, float]:
        recovered = point.network.encode(recover(subject.limit.parameters, point.depth))
        objective = point.network.value(recovered)
        return objective, objective - point.solution.objective

    return _rows(subject, measure)


def _rows(subject: Subject, measure: Callable[[BranchPoint], tuple[float, float]]) -> list[ExcessRow]:
    rows, observations = [], []
    errors = [subject.objective_errors(point) for point in subject.points]
    for point, each in zip(subject.points, errors, strict=True):
        subject.checkpoint()
        objective, excess = measure(point)
        rows.append(ExcessRow(point.depth, objective, excess))
        reason = subject.unfit(point) or too_noisy(excess, each.total, 1.0, "excess")
        observations.append(Observation(point.depth, excess, each.total, reason))
    return with_orders(rows, observations, errors)
