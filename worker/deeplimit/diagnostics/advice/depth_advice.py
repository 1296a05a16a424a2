"""The smallest depth for a wanted error, from what the trained models predict (diagnostics 2 and 5 put to use).

Minima obey E_n* − E_∞* = C₁/n + C₂/n² + O(n⁻³): C₁ comes from the adjoint (`slope`), C₂ from what it leaves of a
measured gap, as in Richardson's extrapolation. Predictions and networks of another order q obey A n^{−q} + B n^{−q−1},
with both constants from measured errors (asymptotic error expansions of one-step methods: Hairer, Nørsett and Wanner
1993, *Solving ordinary differential equations I*, section II.8).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from worker.deeplimit.diagnostics.advice.error_law import ErrorLaw, fitted
from worker.deeplimit.diagnostics.measure.minima import Minima
from worker.deeplimit.diagnostics.measure.states import SupErrorRow
from worker.deeplimit.diagnostics.subject import SMALL_SHARE, Subject

STANDARD: Final = (1e-2, 1e-3, 1e-4)
"""Gaps that advice is given for, relative to |E_∞|."""
_AGREES: Final = 0.5


class Quantity(StrEnum):
    """What falls with depth, and may be wanted small."""

    GAP = "gap"
    PREDICTION_ERROR = "prediction_error"

    @property
    def words(self) -> str:
        """The name in a sentence."""
        return self.value.replace("_", " ")


@dataclass(frozen=True)
class Wanted:
    """What a network is wanted to achieve.

    Attributes
    ----------
    quantity
        The gap, |E_n* − E_∞*|; or the prediction error, the largest deviation of a prediction from the continuum's, in
        the user's units.
    error
        Its largest wanted size, absolute.

    Raises
    ------
    ValueError
        If the error is not positive.
    """

    quantity: Quantity
    error: float

    def __post_init__(self) -> None:
        if not self.error > 0.0:
            raise ValueError(f"the wanted {self.quantity.words} must be positive")


@dataclass(frozen=True)
class DepthCheck:
    """What training at the advised depth found.

    Attributes
    ----------
    depth
        Trained; below the advised one where a limit stopped it.
    gap, prediction_error
        E_n* − E_∞*, and the largest deviation of a prediction from the continuum's; None where there is none or it
        could not be resolved.
    met
        Whether the one that was wanted is small enough, or None.
    detail
        What stopped or withheld it, or None.
    """

    depth: int | None = None
    gap: float | None = None
    prediction_error: float | None = None
    met: bool | None = None
    detail: str | None = None


@dataclass(frozen=True)
class DepthAdvice:
    """The smallest depth for a wanted gap, or for a wanted prediction error.

    Attributes
    ----------
    gap, wanted_prediction_error
        What is wanted; one of them is None.
    depth
        Or None, when nothing predicts it.
    basis
        The models whose numbers predict it.
    relative
        The gap beside |E_∞|, for the standard ones.
    prediction_error
        Largest deviation from the continuum's predictions to be expected at this depth.
    check
        Of what the study was asked for.
    """

    gap: float | None
    depth: int | None
    basis: str
    relative: float | None = None
    prediction_error: float | None = None
    check: DepthCheck | None = None
    wanted_prediction_error: float | None = None


def advise_standard_gaps(
    subject: Subject, table: Minima | None, predictions: Sequence[SupErrorRow] | None
) -> list[DepthAdvice]:
    """Return the depths for the standard gaps; none where no trained model predicts any."""
    law = gap_law(subject, table)
    limit = continuum_minimum(table, law)
    if law is None or limit is None or limit == 0.0:
        return []
    expected = prediction_law(subject, predictions)
    return [
        advise(Wanted(Quantity.GAP, relative * abs(limit)), law, expected, relative=relative) for relative in STANDARD
    ]


def advise(
    wanted: Wanted, law: ErrorLaw | None, predictions: ErrorLaw | None, *, relative: float | None = None
) -> DepthAdvice:
    """Return the depth for a wanted error.

    Parameters
    ----------
    law
        Of the wanted quantity; None where no trained model predicts it.
    predictions
        Of the prediction error, which is told beside the depth, or None.
    relative
        A wanted gap beside |E_∞|.
    """
    depth = None if law is None else law.depth_for(wanted.error)
    by_gap = wanted.quantity is Quantity.GAP
    return DepthAdvice(
        gap=wanted.error if by_gap else None,
        depth=depth,
        basis="" if law is None else law.basis,
        relative=relative,
        prediction_error=None if depth is None or predictions is None else abs(predictions.at(depth)),
        wanted_prediction_error=None if by_gap else wanted.error,
    )


def gap_law(subject: Subject, table: Minima | None) -> ErrorLaw | None:
    """Return how E_n* − E_∞* falls with depth, or None where no trained model tells.

    C₁ of the continuum, else of the two finest depths, extrapolated; C₂ from the finest gap that resolves it. Where C₁
    is not given, or the finest gap contradicts it, both constants are fitted to the two finest gaps.
    """
    order = subject.problem.expected_orders().get("minima")
    if table is None or order is None:
        return None
    rows = [row for row in table.depths if row.gap is not None]
    slope = table.predicted_slope
    if order == 1.0 and slope is not None:
        observed = rows[-1].slope if rows else None
        if observed is None or abs(slope - observed) <= _AGREES * abs(observed):
            return _with_second_term(subject, table, slope)
    if rows:
        return fitted(order, [(row.depth, row.gap) for row in rows if row.gap is not None])
    if order == 1.0 and subject.continuum is None:
        return _without_continuum(table)
    return None


def prediction_law(subject: Subject, rows: Sequence[SupErrorRow] | None) -> ErrorLaw | None:
    """Return how the largest deviation of predictions falls with depth, fitted to the two finest depths.

    None where no depth tells: without a continuum, or where no minimisation ended.
    """
    order = subject.problem.expected_orders().get("states")
    fit = {point.depth for point in subject.points if subject.unfit(point) is None}
    usable = [row for row in rows or [] if row.depth in fit and math.isfinite(row.sup_error)]
    if not usable or order is None:
        return None
    law = fitted(order, [(row.depth, row.sup_error) for row in usable])
    return replace(law, uncertainty=uncertainty(usable[-1]))


def uncertainty(row: SupErrorRow) -> float:
    """Return the estimated error of a measured deviation, from all its sources."""
    known = row.error_budget
    return 0.0 if known is None else known.optimisation + known.integration + known.discretisation


def continuum_minimum(table: Minima | None, law: ErrorLaw | None) -> float | None:
    """Return E_∞*, or without a continuum its extrapolation from the finest depth."""
    if table is None or table.continuum is not None:
        return None if table is None else table.continuum
    if law is None or not table.depths:
        return None
    return table.depths[-1].objective - law.at(table.depths[-1].depth)


def _with_second_term(subject: Subject, table: Minima, slope: float) -> ErrorLaw:
    """C₂ = n(n · gap − C₁), where the gap's error times n² is small beside it."""
    rows = {row.depth: row for row in table.depths}
    for point in reversed(subject.points):
        gap = rows[point.depth].gap
        if gap is None:
            continue
        n = float(point.depth)
        second = n * (n * gap - slope)
        if n**2 * subject.objective_error(point) <= SMALL_SHARE * abs(second):
            return ErrorLaw(1.0, slope, second, f"continuum, discrete-{point.depth}")
    return ErrorLaw(1.0, slope, 0.0, "continuum")


def _without_continuum(table: Minima) -> ErrorLaw | None:
    """C₁ extrapolated from its values at two depths, C₁(n) = C₁ + O(1/n); C₂ from the difference of their minima."""
    found = [(row.depth, row.predicted_slope, row.objective) for row in table.depths if row.predicted_slope is not None]
    if not found:
        return None
    if len(found) == 1:
        return ErrorLaw(1.0, found[0][1], 0.0, f"discrete-{found[0][0]}")
    (m, coarse, E_m), (n, fine, E_n) = found[-2:]
    slope = (n * fine - m * coarse) / (n - m)
    second = (E_m - E_n - slope * (1.0 / m - 1.0 / n)) / (1.0 / m**2 - 1.0 / n**2)
    return ErrorLaw(1.0, slope, second, f"discrete-{m}, discrete-{n}")
