"""The smallest depth for a wanted error, from what the trained models predict (diagnostic 2 put to use).

Minima obey E_n* − E_∞* = C₁/n + C₂/n² + O(n⁻³): C₁ comes from the adjoint (`slope`), C₂ from what it leaves of a
measured gap, as in Richardson's extrapolation. Predictions and networks of another order q obey A n^{−q} + B n^{−q−1},
with both constants from measured errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from worker.deeplimit.diagnostics.minima import Minima
from worker.deeplimit.diagnostics.states import SupErrorRow
from worker.deeplimit.diagnostics.subject import SMALL, Subject

STANDARD: Final = (1e-2, 1e-3, 1e-4)
"""Gaps that advice is given for, relative to |E_∞|."""
LEAST_DEPTH: Final = 2
MOST_DEPTH: Final = 2**40
_AGREES: Final = 0.5


@dataclass(frozen=True)
class ErrorLaw:
    """An error that falls like A n^{−q} + B n^{−q−1}.

    Attributes
    ----------
    order, first, second
        q > 0, A and B.
    basis
        The models that A and B come from.
    """

    order: float
    first: float
    second: float
    basis: str

    def at(self, depth: float) -> float:
        """Return the error at one depth."""
        return float((self.first + self.second / depth) / depth**self.order)

    def depth_for(self, wanted: float) -> int | None:
        """Return the smallest depth ≥ 2 from which on |error| ≤ wanted, or None above `MOST_DEPTH`.

        Where A and B have opposite signs the error vanishes at some depth and grows again behind it: all deeper
        networks must meet the wanted error, too.
        """
        if not wanted > 0.0:
            raise ValueError("the wanted error must be positive")
        low, high = LEAST_DEPTH, LEAST_DEPTH
        while self._worst_from(high) > wanted:
            low, high = high + 1, 2 * high
            if high > MOST_DEPTH:
                return None
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._worst_from(middle) <= wanted else (middle + 1, high)
        return low

    def _worst_from(self, depth: int) -> float:
        """Return the largest |error| at this depth and beyond; it never grows with depth."""
        here = abs(self.at(depth))
        if self.first * self.second >= 0.0:
            return here
        peak = min(-(self.order + 1.0) * self.second / (self.order * self.first), float(MOST_DEPTH))
        return max(here, abs(self.at(peak))) if depth < peak else here


@dataclass(frozen=True)
class GapCheck:
    """What training at the advised depth found.

    Attributes
    ----------
    depth
        Trained; below the advised one where a limit stopped it.
    gap
        E_n* − E_∞*, or None where it could not be resolved.
    met
        Whether it is within the wanted gap, or None.
    detail
        What stopped or withheld it, or None.
    """

    depth: int | None
    gap: float | None
    met: bool | None
    detail: str | None


@dataclass(frozen=True)
class DepthAdvice:
    """The smallest depth for a wanted gap.

    Attributes
    ----------
    gap
        Wanted |E_n* − E_∞*|.
    depth
        Or None, when nothing predicts it.
    basis
        The models whose numbers predict it.
    relative
        The gap beside |E_∞|, for the standard ones.
    prediction_error
        Largest deviation from the continuum's predictions to be expected at this depth.
    check
        Of a gap that the study was asked for.
    """

    gap: float
    depth: int | None
    basis: str
    relative: float | None = None
    prediction_error: float | None = None
    check: GapCheck | None = None


def depth_advice(
    subject: Subject, table: Minima | None, predictions: Sequence[SupErrorRow] | None
) -> list[DepthAdvice]:
    """Return the depths for the standard gaps; none where no trained model predicts any."""
    law = gap_law(subject, table)
    limit = continuum_minimum(table, law)
    if law is None or limit is None or limit == 0.0:
        return []
    return [advise(relative * abs(limit), law, prediction_law(subject, predictions), relative) for relative in STANDARD]


def advise(gap: float, law: ErrorLaw, predictions: ErrorLaw | None, relative: float | None = None) -> DepthAdvice:
    """Return the advice for one gap."""
    depth = law.depth_for(gap)
    expected = None if depth is None or predictions is None else abs(predictions.at(depth))
    return DepthAdvice(gap, depth, law.basis, relative, expected)


def gap_law(subject: Subject, table: Minima | None) -> ErrorLaw | None:
    """Return how E_n* − E_∞* falls with depth, or None where no trained model tells.

    C₁ of the continuum, else of the two finest depths, extrapolated; C₂ from the finest gap that resolves it. Where C₁
    is not given, or the finest gap contradicts it, both constants are fitted to the two finest gaps.
    """
    if table is None or not subject.problem.regime.has_continuum:
        return None
    order = subject.problem.regime.expected_orders()["minima"]
    rows = [row for row in table.depths if row.gap is not None]
    slope = table.predicted_slope
    if order == 1.0 and slope is not None:
        observed = rows[-1].slope if rows else None
        if observed is None or abs(slope - observed) <= _AGREES * abs(observed):
            return _with_second_term(subject, table, slope)
    if rows:
        return _fitted(order, [(row.depth, row.gap) for row in rows if row.gap is not None])
    if order == 1.0 and subject.continuum is None:
        return _without_continuum(table)
    return None


def prediction_law(subject: Subject, rows: Sequence[SupErrorRow] | None) -> ErrorLaw | None:
    """Return how the largest deviation of predictions falls with depth, fitted to the two finest depths."""
    order = subject.problem.regime.expected_orders()["states"]
    usable = [(row.depth, row.sup_error) for row in rows or [] if "sup_error" not in row.withheld]
    return _fitted(order, usable) if usable else None


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
        if n**2 * subject.objective_error(point) <= SMALL * abs(second):
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


def _fitted(order: float, values: Sequence[tuple[int, float]]) -> ErrorLaw:
    """Both constants from the two finest values; the first alone from a single one."""
    pairs = list(pairwise(values))
    if not pairs:
        n, value = values[-1]
        return ErrorLaw(order, value * n**order, 0.0, f"discrete-{n}")
    (m, coarse), (n, fine) = pairs[-1]
    second = (coarse * m**order - fine * n**order) / (1.0 / m - 1.0 / n)
    return ErrorLaw(order, fine * n**order - second / n, second, f"discrete-{m}, discrete-{n}")
