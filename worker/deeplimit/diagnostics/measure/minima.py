"""Convergence of minima: gap, slope, order, Richardson's extrapolation (diagnostics 1 and 2).

gap_n = E_n* − E_∞*, slope n · gap_n, order log(gap_m/gap_n)/log(n/m) for depths m < n, and E_∞* extrapolated from
them, (n E_n − m E_m)/(n − m) for order 1 (Richardson 1911). That the minima converge is theorem 2.1 of Thorpe and van
Gennip (2023); that they do so with order 1 follows from Euler's local error (`slope`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise

from worker.deeplimit.diagnostics.measure.error_budget import ErrorBudget, Errors, budget, interval_of_three
from worker.deeplimit.diagnostics.measure.orders import Measured, observed_orders, order_from_three, too_noisy
from worker.deeplimit.diagnostics.measure.slope import slope_from_continuum, slope_from_depth, why_no_slope
from worker.deeplimit.diagnostics.subject import SMALL, Subject
from worker.deeplimit.study.branches import BranchPoint


@dataclass
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


@dataclass
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


def minima(subject: Subject) -> Minima:
    """Measure how E_n* tends to E_∞*; without a continuum the order comes from three depths."""
    rows = [_row(subject, point) for point in subject.points]
    if subject.continuum is not None:
        measured = [
            Measured(row.depth, _magnitude(row.gap), subject.objective_error(point), row.withheld.get("gap"))
            for row, point in zip(rows, subject.points, strict=True)
        ]
        for index, (before, after) in enumerate(pairwise(rows), start=1):
            if before.gap is not None and after.gap is not None and before.gap * after.gap <= 0.0:
                measured[index] = replace(measured[index], reason="the gap changes sign")
        for row, (order, reason) in zip(rows, observed_orders(measured), strict=True):
            row.order = order
            if reason is not None:
                row.withheld["order"] = reason
        errors = [subject.objective_errors(point) for point in subject.points]
        budget(rows, measured, errors, [row.order for row in rows])
    else:
        _orders_of_three(subject, rows)
    table = Minima(None, None, None, rows)
    _richardson(subject, table)
    fit = subject.continuum
    if fit is not None:
        table.continuum = fit.solution.objective
        if (reason := why_no_slope(subject.problem)) is not None:
            table.withheld["predicted_slope"] = reason
        elif fit.solution.status.optimised:
            table.predicted_slope = slope_from_continuum(fit.flow, fit.parameters, fit.solution.u)
        else:
            table.withheld["predicted_slope"] = (
                f"the optimisation of the continuum ended as {fit.solution.status.value}"
            )
    return table


def _row(subject: Subject, point: BranchPoint) -> MinimaRow:
    row = MinimaRow(point.depth, point.solution.objective)
    unfit = subject.unfit(point)
    if (reason := why_no_slope(subject.problem)) is not None:
        row.withheld["predicted_slope"] = reason
    elif point.solution.status.optimised:
        row.predicted_slope = slope_from_depth(point.network, point.solution.u)
    else:
        row.withheld["predicted_slope"] = f"the optimisation ended as {point.solution.status.value}"
    if subject.continuum is None:
        return row
    gap = row.objective - subject.continuum.solution.objective
    reason = unfit or too_noisy(gap, subject.objective_error(point), SMALL, "gap")
    if reason is None:
        row.gap, row.slope = gap, point.depth * gap
    else:
        row.withheld.update(gap=reason, slope=reason)
    return row


def _orders_of_three(subject: Subject, rows: list[MinimaRow]) -> None:
    for index in range(1, len(rows)):
        row = rows[index]
        if index == 1:
            row.withheld["order"] = "without a continuum an order takes three depths"
            continue
        points = subject.points[index - 2 : index + 1]
        errors = [subject.objective_errors(point) for point in points]
        reason = next((text for point in points if (text := subject.unfit(point)) is not None), None)
        a, b, c = (point.solution.objective for point in points)
        error = 2.0 * sum(each.total for each in errors)
        reason = reason or too_noisy(b - c, error, SMALL / 2.0, "difference of the minima")
        if reason is None:
            depths = (points[0].depth, points[1].depth, points[2].depth)
            row.order = order_from_three(depths, (a, b, c))
            known = interval_of_three(depths, (a, b, c), [each.total for each in errors])
            row.error_budget = ErrorBudget.of(sum(errors, Errors()), known if row.order is not None else None)
            reason = None if row.order is not None else "the minima do not change like a power of the depth"
        if reason is not None:
            row.withheld["order"] = reason


def _richardson(subject: Subject, table: Minima) -> None:
    if len(subject.points) < 2:
        table.withheld["richardson"] = "Richardson's extrapolation takes two depths"
        return
    coarse, fine = subject.points[-2:]
    order = subject.problem.expected_orders().get("minima")
    if order is None:
        scaling = subject.problem.regime.scaling.value
        table.withheld["richardson"] = f"the scaling {scaling} has no continuum problem to extrapolate to"
        return
    reason = subject.unfit(coarse) or subject.unfit(fine)
    left, right = coarse.depth**order, fine.depth**order
    value = (right * fine.solution.objective - left * coarse.solution.objective) / (right - left)
    if reason is None and math.isfinite(value):
        table.richardson = value
    else:
        table.withheld["richardson"] = reason or "a minimum is not finite"


def _magnitude(gap: float | None) -> float | None:
    return None if gap is None else abs(gap)
