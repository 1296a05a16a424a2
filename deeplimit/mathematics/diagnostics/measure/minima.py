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

from deeplimit.mathematics.diagnostics.errors import Errors
from deeplimit.mathematics.diagnostics.measure.error_budget import ErrorBudget, interval_of_three, with_orders
from deeplimit.mathematics.diagnostics.measure.orders import Observation, order_from_three, too_noisy
from deeplimit.mathematics.diagnostics.measure.slope_error import PredictedSlope, predicted_slopes
from deeplimit.mathematics.diagnostics.subject import SMALL_SHARE, Subject
from deeplimit.mathematics.study.branches import BranchPoint


@dataclass(frozen=True)
class MinimaRow:
    """One depth: E_n*, gap E_n* − E_∞*, its order, slope n · gap, and C₁ predicted from this depth alone.

    ``predicted_slope_error`` is the estimated distance of the latter from the exact C₁, absolute.
    """

    depth: int
    objective: float
    gap: float | None = None
    order: float | None = None
    slope: float | None = None
    predicted_slope: float | None = None
    predicted_slope_error: float | None = None
    error_budget: ErrorBudget | None = None
    withheld: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Minima:
    """The continuum's minimum and C₁, and the minima of every depth.

    ``richardson`` is (n_k^q E_k − n_{k−1}^q E_{k−1})/(n_k^q − n_{k−1}^q) of the last pair, q the expected order: 1 for
    the paper's networks. It is withheld where none is expected. ``richardson_error`` and ``predicted_slope_error`` are
    estimates of the distance from E_∞* and from the exact C₁, absolute.
    """

    continuum: float | None
    richardson: float | None
    richardson_error: float | None
    predicted_slope: float | None
    predicted_slope_error: float | None
    depths: list[MinimaRow]
    withheld: dict[str, str] = field(default_factory=dict)


def measure_minima(subject: Subject) -> Minima:
    """Measure how E_n* tends to E_∞*; without a continuum the order comes from three depths."""
    slope, predicted = predicted_slopes(subject)
    rows = [_row(subject, point, each) for point, each in zip(subject.points, predicted, strict=True)]
    withheld: dict[str, str] = {}
    fit = subject.continuum
    rows = _orders_of_three(subject, rows) if fit is None else _orders_of_gaps(subject, rows)
    if fit is not None and slope.reason is not None:
        withheld["predicted_slope"] = slope.reason
    richardson, error, reason = _richardson(subject)
    if reason is not None:
        withheld["richardson" if richardson is None else "richardson_error"] = reason
    return Minima(
        continuum=None if fit is None else fit.solution.objective,
        richardson=richardson,
        richardson_error=error,
        predicted_slope=slope.value,
        predicted_slope_error=slope.error,
        depths=rows,
        withheld=withheld,
    )


def _row(subject: Subject, point: BranchPoint, predicted: PredictedSlope) -> MinimaRow:
    """Return a depth's row without its order."""
    objective, gap = point.solution.objective, None
    withheld = {} if predicted.reason is None else {"predicted_slope": predicted.reason}
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
        predicted_slope=predicted.value,
        predicted_slope_error=predicted.error,
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


def _richardson(subject: Subject) -> tuple[float | None, float | None, str | None]:
    """Return the extrapolation of the last two minima, its error, and why one of them is not given."""
    if len(subject.points) < 2:
        return None, None, "Richardson's extrapolation takes two depths"
    order = subject.problem.expected_orders().get("minima")
    if order is None:
        scaling = subject.problem.regime.scaling.value
        return None, None, f"the scaling {scaling} has no continuum problem to extrapolate to"
    coarse, fine = subject.points[-2:]
    reason = subject.unfit(coarse) or subject.unfit(fine)
    value, noise = _extrapolated(subject, coarse, fine, order)
    if reason is not None or not math.isfinite(value):
        return None, None, reason or "a minimum is not finite"
    remainder = _remainder(subject, order, value)
    if remainder is None:
        return value, None, "the size of the next term takes three depths, or a continuum"
    error = noise + remainder
    if error < abs(value):
        return value, error, None
    return None, error, f"its estimated error {error:.1e} is not below the value {value:.1e}: it takes deeper networks"


def _remainder(subject: Subject, order: float, value: float) -> float | None:
    """Return what the term of order q + 1 leaves in an extrapolation, or None where nothing tells.

    It is known by the extrapolation one depth earlier; where there is none, only by the trained limit.
    """
    last = subject.points[-3:]
    if len(last) == 3 and subject.unfit(last[0]) is None:
        before, noise = _extrapolated(subject, last[0], last[1], order)
        return max(1.0, _next_term(last, order)) * (abs(value - before) + noise)
    fit = subject.continuum
    return None if fit is None else abs(value - fit.solution.objective) + fit.error


def _extrapolated(subject: Subject, coarse: BranchPoint, fine: BranchPoint, order: float) -> tuple[float, float]:
    """Return (n^q E_n − m^q E_m)/(n^q − m^q) for depths m < n, and the errors of the minima in it."""
    left, right = coarse.depth**order, fine.depth**order
    value = (right * fine.solution.objective - left * coarse.solution.objective) / (right - left)
    errors = [subject.minimum_errors(point).total for point in (coarse, fine)]
    return value, (right * errors[1] + left * errors[0]) / (right - left)


def _next_term(points: Sequence[BranchPoint], order: float) -> float:
    """Return the share of the last two extrapolations' difference that the term of order q + 1 leaves in the last."""
    before, after = ((1.0 / n - 1.0 / m) / (n**order - m**order) for m, n in pairwise(point.depth for point in points))
    return float(abs(after / (before - after)))
