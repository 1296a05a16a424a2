"""Convergence of minima: gap, slope, order, Richardson's extrapolation (diagnostics 1 and 2).

gap_n = E_n* − E_∞*, slope n · gap_n, order log(gap_m/gap_n)/log(n/m) for depths m < n, and E_∞* extrapolated from
them, (n E_n − m E_m)/(n − m) for order 1 (Richardson 1911). That the minima converge is theorem 2.1 of Thorpe and van
Gennip (2023); that they do so with order 1 follows from Euler's local error (`slope`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from worker.deeplimit.diagnostics.errors import Errors
from worker.deeplimit.diagnostics.measure.error_budget import ErrorBudget, interval_of_three, with_orders
from worker.deeplimit.diagnostics.measure.orders import Observation, order_from_three, too_noisy
from worker.deeplimit.diagnostics.measure.slope import slope_from_continuum, slope_from_depth, why_no_slope
from worker.deeplimit.diagnostics.subject import SMALL_SHARE, Subject
from worker.deeplimit.study.branches import BranchPoint


@dataclass(frozen=True)
class MinimaRow:
    """One depth: E_n*, gap E_n* − E_∞*, its order, slope n · gap, and C₁ predicted from this depth alone."""

    depth: int
    objective: float
    gap: float | None = None
    order: float | None = None
    slope: float | None = None
    predicted_slope: float | None = None
    error_budget: ErrorBudget | None = None
    withheld: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Minima:
    """The continuum's minimum and C₁, and the minima of every depth.

    ``richardson`` is (n_k^q E_k − n_{k−1}^q E_{k−1})/(n_k^q − n_{k−1}^q) of the last pair, q the expected order: 1 for
    the paper's networks. It is withheld where none is expected.
    """

    continuum: float | None
    richardson: float | None
    predicted_slope: float | None
    depths: list[MinimaRow]
    withheld: dict[str, str] = field(default_factory=dict)


def measure_minima(subject: Subject) -> Minima:
    """Measure how E_n* tends to E_∞*; without a continuum the order comes from three depths."""
    rows, withheld = [_row(subject, point) for point in subject.points], dict[str, str]()
    fit, slope = subject.continuum, None
    rows = _orders_of_three(subject, rows) if fit is None else _orders_of_gaps(subject, rows)
    richardson, reason = _richardson(subject)
    if reason is not None:
        withheld["richardson"] = reason
    if fit is not None:
        if (reason := why_no_slope(subject.problem)) is not None:
            withheld["predicted_slope"] = reason
        elif fit.solution.status.optimised:
            slope = slope_from_continuum(fit.flow, fit.parameters, fit.solution.u)
        else:
            withheld["predicted_slope"] = f"the optimisation of the continuum ended as {fit.solution.status.value}"
    return Minima(None if fit is None else fit.solution.objective, richardson, slope, rows, withheld)


def _row(subject: Subject, point: BranchPoint) -> MinimaRow:
    """Return a depth's row without its order."""
    objective, withheld = point.solution.objective, dict[str, str]()
    gap = predicted = None
    if (reason := why_no_slope(subject.problem)) is not None:
        withheld["predicted_slope"] = reason
    elif point.solution.status.optimised:
        predicted = slope_from_depth(point.network, point.solution.u)
    else:
        withheld["predicted_slope"] = f"the optimisation ended as {point.solution.status.value}"
    if subject.continuum is not None:
        gap = objective - subject.continuum.solution.objective
        reason = subject.unfit(point) or too_noisy(gap, subject.objective_error(point), SMALL_SHARE, "gap")
        if reason is not None:
            gap = None
            withheld |= {"gap": reason, "slope": reason}
    return MinimaRow(
        depth=point.depth,
        objective=objective,
        gap=gap,
        slope=None if gap is None else point.depth * gap,
        predicted_slope=predicted,
        withheld=withheld,
    )


def _orders_of_gaps(subject: Subject, rows: Sequence[MinimaRow]) -> list[MinimaRow]:
    errors = [subject.objective_errors(point) for point in subject.points]
    observations = [
        Observation(row.depth, None if row.gap is None else abs(row.gap), each.total, row.withheld.get("gap"))
        for row, each in zip(rows, errors, strict=True)
    ]
    for index, (before, after) in enumerate(pairwise(rows), start=1):
        if before.gap is not None and after.gap is not None and before.gap * after.gap <= 0.0:
            observations[index] = replace(observations[index], reason="the gap changes sign")
    return with_orders(rows, observations, errors)


def _orders_of_three(subject: Subject, rows: Sequence[MinimaRow]) -> list[MinimaRow]:
    complete = list(rows[:1])
    for index, row in enumerate(rows[1:], start=1):
        order = known = None
        if index == 1:
            reason: str | None = "without a continuum an order takes three depths"
        else:
            order, known, reason = _order_of_three(subject, subject.points[index - 2 : index + 1])
        withheld = row.withheld | ({} if reason is None else {"order": reason})
        complete.append(replace(row, order=order, error_budget=known, withheld=withheld))
    return complete


def _order_of_three(
    subject: Subject, points: Sequence[BranchPoint]
) -> tuple[float | None, ErrorBudget | None, str | None]:
    """Return the order of three minima, its budget, and why there is none."""
    errors = [subject.objective_errors(point) for point in points]
    reason = next((text for point in points if (text := subject.unfit(point)) is not None), None)
    a, b, c = (point.solution.objective for point in points)
    error = 2.0 * sum(each.total for each in errors)
    reason = reason or too_noisy(b - c, error, SMALL_SHARE / 2.0, "difference of the minima")
    if reason is not None:
        return None, None, reason
    depths = (points[0].depth, points[1].depth, points[2].depth)
    order = order_from_three(depths, (a, b, c))
    known = interval_of_three(depths, (a, b, c), [each.total for each in errors])
    reason = None if order is not None else "the minima do not change like a power of the depth"
    return order, ErrorBudget.of(sum(errors, Errors()), known if order is not None else None), reason


def _richardson(subject: Subject) -> tuple[float | None, str | None]:
    """Return the extrapolation of the last two minima, or why there is none."""
    if len(subject.points) < 2:
        return None, "Richardson's extrapolation takes two depths"
    coarse, fine = subject.points[-2:]
    order = subject.problem.expected_orders().get("minima")
    if order is None:
        return None, f"the scaling {subject.problem.regime.scaling.value} has no continuum problem to extrapolate to"
    reason = subject.unfit(coarse) or subject.unfit(fine)
    left, right = coarse.depth**order, fine.depth**order
    value = (right * fine.solution.objective - left * coarse.solution.objective) / (right - left)
    if reason is None and math.isfinite(value):
        return value, None
    return None, reason or "a minimum is not finite"
