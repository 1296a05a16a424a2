"""The Γ-limit's two inequalities, made numbers (diagnostic 3).

lift excess = E_∞(lift of θ_n) − E_∞* ≥ 0 and recovery excess = E_n(recovery of θ_∞) − E_n* ≥ 0, both O(n⁻²): the
discrete counterparts of the lim inf and lim sup inequalities of Thorpe and van Gennip (2023), theorem 2.1. Both are
non-negative because the minima are minima; a negative one says that a lower minimum exists. Unlike a minimum, an excess
is moved to first order by the error of the parameters that are transferred.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from deeplimit.mathematics.diagnostics.correction import Correction
from deeplimit.mathematics.diagnostics.errors import Errors
from deeplimit.mathematics.diagnostics.measure.error_budget import ErrorBudget, with_orders
from deeplimit.mathematics.diagnostics.measure.orders import Observation, too_noisy
from deeplimit.mathematics.diagnostics.subject import SAFETY, Subject
from deeplimit.mathematics.minimise.certificate import Certificate
from deeplimit.mathematics.minimise.solution import gradient_norm, rounding
from deeplimit.mathematics.model.coordinates import PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.model.objective import Evaluation
from deeplimit.mathematics.model.transfer import lift, recover
from deeplimit.mathematics.study.branches import BranchPoint

_ROUNDINGS: Final = 16.0


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

    def measure(point: BranchPoint) -> tuple[float, float, Errors]:
        # Every cell is a whole number of steps: the lift has kinks at the nodes only.
        steps = point.depth * max(2, math.ceil(fit.flow.steps / point.depth))
        basis = PiecewiseLinearIncrements(point.depth)
        flow, finer = (Flow(subject.problem, basis, count) for count in (steps, 2 * steps))
        u = flow.encode(lift(point.parameters))
        objective, at = finer.value(u), flow.evaluate(u)
        stepped = Errors(integration=_left(subject, at, objective))
        correction, change = subject.network_correction(point), 0.0
        if correction.u is not None:
            corrected = lift(point.network.parameters(correction.u))
            change = abs(flow.value(flow.encode(corrected)) - at.objective)
        moved = _moved(at, change, correction, subject.certificates.continuum)
        return objective, objective - fit.solution.objective, subject.limit_errors + stepped + moved

    return _rows(subject, measure)


def recovery_excess(subject: Subject) -> list[ExcessRow]:
    """Return E_n(recovery of θ_∞) − E_n* for each depth."""

    def measure(point: BranchPoint) -> tuple[float, float, Errors]:
        network, correction, change = point.network, subject.limit_correction, 0.0
        at = network.evaluate(network.encode(recover(subject.limit.parameters, point.depth)))
        if correction.limit is not None:
            change = abs(network.value(network.encode(recover(correction.limit, point.depth))) - at.objective)
        moved = _moved(at, change, correction, subject.certificates.depths.get(point.depth))
        return at.objective, at.objective - point.solution.objective, subject.minimum_errors(point) + moved

    return _rows(subject, measure)


def _moved(at: Evaluation, change: float, correction: Correction, certificate: Certificate | None) -> Errors:
    """Return by how much E is moved at a transferred point by the distance of what was transferred from its minimiser.

    That is the change along the Newton step, and what the distance δ that it leaves does. Neither the lift nor sampling
    makes a distance in increment coordinates longer. The point is no minimiser, so that E moves to first order: by
    (‖g‖ + ½ λ_max δ) δ, without λ_max by 2 ‖g‖ δ.
    """
    slope = gradient_norm(at)
    if certificate is None or certificate.lambda_max is None:
        return correction.errors(SAFETY * change, 2.0 * slope)
    return correction.errors(SAFETY * change, slope + 0.5 * certificate.lambda_max * correction.remainder)


def _left(subject: Subject, at: Evaluation, finer: float) -> float:
    """Return the error of E with halved steps, from E before; a change of a few roundings is one itself."""
    change, noise = abs(finer - at.objective), rounding(at)
    return change + noise if change < _ROUNDINGS * noise else SAFETY * subject.left_by_halving * change


def _rows(subject: Subject, measure: Callable[[BranchPoint], tuple[float, float, Errors]]) -> list[ExcessRow]:
    rows, observations, errors = [], [], []
    for point in subject.points:
        subject.checkpoint()
        objective, excess, each = measure(point)
        rows.append(ExcessRow(point.depth, objective, excess))
        reason = subject.unfit(point) or too_noisy(excess, each.total, 1.0, "excess")
        observations.append(Observation(point.depth, excess, each.total, reason))
        errors.append(each)
    return with_orders(rows, observations, errors)
