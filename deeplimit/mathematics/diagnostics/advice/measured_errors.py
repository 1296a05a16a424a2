"""What the trained models tell of an error that falls with depth: its size at every depth, and the laws through it.

Minima obey E_n* − E_∞* = C₁/n + C₂/n² + O(n⁻³), where C₁ also comes from the adjoint (`slope`); predictions and
networks of another order q obey A n^{−q} + B n^{−q−1} + O(n^{−q−2}) (asymptotic error expansions of one-step methods:
Hairer, Nørsett and Wanner 1993, *Solving ordinary differential equations I*, section II.8).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from deeplimit.mathematics.diagnostics.advice.error_law import Datum, ErrorLaw, Fit, Floats
from deeplimit.mathematics.diagnostics.measure.minima import Minima, MinimaRow
from deeplimit.mathematics.diagnostics.measure.states import SupErrorRow, prediction_deviations
from deeplimit.mathematics.diagnostics.subject import Subject

_MOST_TERMS: Final = 3
_MOST_TERMS_ACROSS_KINKS: Final = 2
"""Where σ has kinks, errors have no third term: layers cross kinks or do not, from depth to depth."""
_ENDS: Final = 3
"""Rows that the laws near a depth may end with."""


@dataclass(frozen=True)
class MeasuredError:
    """One depth's error.

    Attributes
    ----------
    values
        (entries,) with their signs: the gap, or without a continuum the minimum; the deviations of all predictions.
    error
        What each may be off by.
    resolved
        Whether the values are known well enough to tell a law.
    size
        The largest |entry| as a table of the study has it, or None.
    """

    depth: int
    values: Floats
    error: float
    resolved: bool = True
    size: float | None = None

    @property
    def datum(self) -> Datum:
        """The row as a number that a law goes through."""
        return Datum(self.depth, self.values, self.error)


@dataclass(frozen=True)
class Size:
    """The largest |entry| at one depth, and what it may be off by."""

    depth: int
    value: float
    error: float

    def meets(self, wanted: float) -> bool | None:
        """Return whether it is at most what is wanted, or None where what is known of it does not tell."""
        if self.value + self.error <= wanted:
            return True
        return False if self.value - self.error > wanted else None


class MeasuredErrors:
    """The errors of all trained minimisers, by increasing depth.

    Parameters
    ----------
    order
        q, or None where none is expected.
    rows
        Of depths that may be used.
    first
        A beside what it may be off by, the latter None where it has no estimate of its own; None where A is not known.
    limit_known
        Whether the values tend to 0; else to a limit that the laws have to find.
    most_terms
        Of a law.
    reason
        Why there is no law, where there is none.
    """

    def __init__(
        self,
        order: float | None,
        rows: Sequence[MeasuredError],
        *,
        first: tuple[float, float | None] | None = None,
        limit_known: bool = True,
        most_terms: int = _MOST_TERMS,
        reason: str = "",
    ) -> None:
        self.rows = list(rows)
        self.order, self._limit_known, self._reason = order, limit_known, reason
        self._most_terms = most_terms
        self._first = None if first is None else self._checked(*first)

    def laws(self, ceiling: int | None = None) -> list[ErrorLaw]:
        """Return the laws that the rows near a depth tell, the finest by default.

        Those that end before the last row are among them: where numbers are known to a fixed error, larger ones tell
        more.
        """
        rows = self._usable(ceiling)
        firsts = [None] if self._first is None else [self._first, None]
        ends = range(len(rows), max(len(rows) - _ENDS, 0), -1)
        return [law for end in ends for law in self._laws(rows[:end], firsts)]

    def why_no_law(self) -> str:
        """Return what keeps the trained models from telling a law."""
        usable = self._usable(None)
        if self.order is None:
            return "it has no limit that is known to be approached"
        if not usable:
            return self._reason
        if len(usable) < len(self.rows):
            return "only one depth's error is resolved; lower training.gradient_tolerance and continuum.tolerance"
        return f"a law takes another depth; add depth {2 * usable[-1].depth}"

    def sizes(self) -> list[Size]:
        """Return the largest |entry| of every row; none where the limit is not known."""
        limit = self.limit()
        if limit is None:
            return []
        value, error = limit
        largest = [float(np.abs(row.values - value).max()) if row.size is None else row.size for row in self.rows]
        return [Size(row.depth, size, row.error + error) for row, size in zip(self.rows, largest, strict=True)]

    def limit(self) -> tuple[float, float] | None:
        """Return what the values tend to, and what it may be off by; None where no law tells."""
        if self._limit_known:
            return 0.0, 0.0
        found = []
        for law in self.laws():
            (value, noise), (coarser, _) = law.fit.limit(), law.coarser.limit()
            found.append((noise + abs(value - coarser), value))
        return (min(found)[1], min(found)[0]) if found else None

    def _usable(self, ceiling: int | None) -> list[MeasuredError]:
        rows = [row for row in self.rows if row.resolved]
        if ceiling is None:
            return rows
        deeper = next((index for index, row in enumerate(rows) if row.depth > ceiling), len(rows) - 1)
        return rows[: deeper + 1]

    def _laws(self, rows: Sequence[MeasuredError], firsts: Sequence[Datum | None]) -> Iterator[ErrorLaw]:
        order, unknown = self.order, [] if self._limit_known else [0.0]
        if order is None or not rows:
            return
        for terms, first in product(range(self._most_terms, 1, -1), firsts):
            powers = [*unknown, *(order + term for term in range(terms))]
            needed = len(powers) - (first is not None)
            if not 1 <= needed <= len(rows):
                continue
            used, leading = rows[-needed:], [] if first is None else [first]
            fit = Fit(powers, [*leading, *(row.datum for row in used)])
            coarser = Fit(powers[:-1], [*leading, *(row.datum for row in used[1:])])
            names = [f"discrete-{row.depth}" for row in used]
            basis = ", ".join(["continuum", *names] if first is not None and self._limit_known else names)
            yield ErrorLaw(order, fit, coarser, basis, used[-1].depth, anchored=first is not None)

    def _checked(self, first: float, error: float | None) -> Datum | None:
        """Return A as a number of a law, or None where the depths contradict it.

        Without an estimate of its own it is taken to be off by what sets it apart from the depths'.
        """
        known = [(law.fit.first(), law.coarser.first()) for law in self._laws(self._usable(None), [None])]
        if not known:
            usable = self._usable(None)
            if error is None and self._limit_known and self.order is not None and usable:
                error = abs(first - float(usable[-1].values[0]) * usable[-1].depth ** self.order)
            return Datum(None, np.array([first]), error or 0.0)
        off, apart = min(
            (noise + float(abs(value[0] - coarse[0])), float(abs(value[0] - first)))
            for (value, noise), (coarse, _) in known
        )
        if apart > off + (error or 0.0):
            return None
        return Datum(None, np.array([first]), apart if error is None else error)


def measured_gaps(subject: Subject, table: Minima | None) -> MeasuredErrors:
    """Return E_n* − E_∞* at every depth; without a continuum E_n*, whose limit the depths have to tell."""
    order = subject.problem.expected_orders().get("minima")
    if table is None:
        return MeasuredErrors(None, [], reason="no depth was trained")
    minima, rows = {row.depth: row for row in table.depths}, []
    for point in subject.points:
        row = minima[point.depth]
        if subject.unfit(point) is None:
            value = row.objective - (0.0 if table.continuum is None else table.continuum)
            resolved = table.continuum is None or row.gap is not None
            rows.append(MeasuredError(row.depth, np.array([value]), subject.objective_error(point), resolved))
    first: tuple[float, float | None] | None = None
    if order == 1.0 and table.continuum is not None and table.predicted_slope is not None:
        first = table.predicted_slope, table.predicted_slope_error
    elif order == 1.0 and table.continuum is None:
        fit = {row.depth for row in rows}
        first = _extrapolated_slope([row for row in table.depths if row.depth in fit], _most_terms(subject))
    return MeasuredErrors(
        order,
        rows,
        first=first,
        limit_known=table.continuum is not None,
        most_terms=_most_terms(subject),
        reason=_why_nothing(subject, table.depths[-1].withheld.get("gap") if table.depths else None),
    )


def measured_predictions(subject: Subject, rows: Sequence[SupErrorRow] | None) -> MeasuredErrors:
    """Return the deviations of all predictions from the continuum's at every depth, in the user's units."""
    order = subject.problem.expected_orders().get("states")
    if rows is None or subject.continuum is None:
        return MeasuredErrors(None, [], reason="there is no continuum model to compare with")
    measured, usable = {row.depth: row for row in rows}, []
    for point, deviations in zip(subject.points, prediction_deviations(subject), strict=True):
        row = measured[point.depth]
        if subject.unfit(point) is not None or not math.isfinite(row.sup_error):
            continue
        known = row.error_budget
        error = 0.0 if known is None else known.total
        values = deviations.detach().cpu().numpy().astype(np.float64).ravel()
        usable.append(MeasuredError(point.depth, values, error, row.sup_error > error, row.sup_error))
    return MeasuredErrors(order, usable, most_terms=_most_terms(subject), reason=_why_nothing(subject, None))


def _most_terms(subject: Subject) -> int:
    return _MOST_TERMS if subject.problem.smooth else _MOST_TERMS_ACROSS_KINKS


def _why_nothing(subject: Subject, reason: str | None) -> str:
    unfit = subject.unfit(subject.points[-1]) if subject.points else None
    return unfit or reason or "no depth tells a law"


def _extrapolated_slope(rows: Sequence[MinimaRow], most_terms: int) -> tuple[float, float] | None:
    """Return C₁ from its values at single depths, C₁(n) = C₁ + O(1/n), and what it may be off by."""
    known = [Datum(row.depth, np.array([row.predicted_slope]), 0.0) for row in rows if row.predicted_slope is not None]
    terms = min(len(known), most_terms)
    if terms < 2:
        return None
    value, coarser = (Fit(range(k), known[-k:]).limit()[0] for k in (terms, terms - 1))
    return value, abs(value - coarser)
