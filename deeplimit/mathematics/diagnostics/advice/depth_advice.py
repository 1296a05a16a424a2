"""The smallest depth for a wanted error: measured where a trained depth tells, predicted by a law elsewhere.

A trained depth comes before every law: one that misses is never advised, and what is sought lies between the deepest
that misses and the coarsest from which on all meet. A law fills in between them and predicts beyond the finest depth,
with an interval, and is withheld where it does not hold; below the coarsest depth nothing is predicted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from deeplimit.mathematics.diagnostics.advice.error_law import LARGEST_COUNTED, LEAST_DEPTH, DepthRange, ErrorLaw
from deeplimit.mathematics.diagnostics.advice.measured_errors import (
    MeasuredErrors,
    Size,
    measured_gaps,
    measured_predictions,
)
from deeplimit.mathematics.diagnostics.advice.wanted import DepthAdvice, Quantity, Wanted
from deeplimit.mathematics.diagnostics.measure.minima import Minima
from deeplimit.mathematics.diagnostics.measure.states import SupErrorRow
from deeplimit.mathematics.diagnostics.subject import SMALL_SHARE, Subject

STANDARD: Final = (1e-2, 1e-3, 1e-4)
"""Gaps that advice is given for, relative to |E_∞|."""
_ASYMPTOTIC: Final = 1.0 / 3.0
"""A law holds beyond the finest depth where the terms behind the first are at most this share of its error."""
_RANGE: Final = 16
"""Times the finest depth that a law predicts, unless the terms behind the first are small beside it or it is known."""
_NARROW: Final = 0.02
"""Share of a depth that it may be off by to be given; one layer always may."""


@dataclass(frozen=True)
class Bracket:
    """What training alone tells of the smallest depth.

    Attributes
    ----------
    floor
        One more than the deepest that misses, at least 2.
    ceiling
        The coarsest from which on all meet, or None.
    coarsest
        Whether that is the coarsest trained, so that coarser ones may do as well.
    """

    floor: int
    ceiling: int | None
    coarsest: bool

    @classmethod
    def of(cls, sizes: Sequence[Size], wanted: float) -> Bracket:
        """Return what the measured errors tell."""
        ceiling, floor = None, LEAST_DEPTH
        for size in reversed(sizes):
            if size.meets(wanted):
                ceiling = size.depth
                continue
            floor = next((s.depth + 1 for s in reversed(sizes) if s.meets(wanted) is False), LEAST_DEPTH)
            break
        return cls(floor, ceiling, bool(sizes) and ceiling == sizes[0].depth)


@dataclass(frozen=True)
class Predicted:
    """What a law predicts, why it is not to be relied on, or None, and the depth that would mend that, or None."""

    law: ErrorLaw
    range: DepthRange
    doubt: str | None = None
    remedy: int | None = None

    @property
    def width(self) -> float:
        """Between the bounds."""
        return math.inf if self.range.high is None else self.range.high - self.range.low


def advise_standard_gaps(
    subject: Subject, table: Minima | None, predictions: Sequence[SupErrorRow] | None
) -> list[DepthAdvice]:
    """Return the depths for the standard gaps; none where the networks have no limit."""
    gaps = measured_gaps(subject, table)
    limit = None if table is None else table.continuum
    if table is not None and limit is None:
        extrapolated = gaps.limit()
        limit = None if extrapolated is None else extrapolated[0]
    if not limit:
        return []
    deviations = measured_predictions(subject, predictions)
    return [
        advise(Wanted(Quantity.GAP, relative * abs(limit)), gaps, deviations, relative=relative)
        for relative in STANDARD
    ]


def advise(
    wanted: Wanted, measured: MeasuredErrors, predictions: MeasuredErrors, *, relative: float | None = None
) -> DepthAdvice:
    """Return the depth for a wanted error.

    Parameters
    ----------
    measured
        The wanted quantity at every depth.
    predictions
        The prediction errors, which are told beside the depth.
    relative
        A wanted gap beside |E_∞|.
    """
    depth, interval, basis, reason = _smallest(wanted, measured)
    withheld = {} if reason is None else {"depth": reason}
    expected = None
    if depth is not None:
        expected, reason = _expected(predictions, depth)
        withheld |= {} if reason is None else {"prediction_error": reason}
    by_gap = wanted.quantity is Quantity.GAP
    return DepthAdvice(
        gap=wanted.error if by_gap else None,
        depth=depth,
        basis=basis,
        relative=relative,
        prediction_error=expected,
        wanted_prediction_error=None if by_gap else wanted.error,
        depth_interval=interval,
        withheld=withheld,
    )


def predict(wanted: Wanted, measured: MeasuredErrors, bracket: Bracket) -> Predicted | None:
    """Return what the best law predicts: one without doubts before others, then the one that knows the depth best."""
    if not measured.rows:
        return None
    floor, top = max(bracket.floor, measured.rows[0].depth), bracket.ceiling or LARGEST_COUNTED
    found, trained = [], [row.depth for row in measured.rows]
    for law in measured.laws(bracket.ceiling):
        depths = law.depths_for(wanted.error, floor, top)
        if depths is None:
            continue
        low = bracket.floor if depths.low == floor else depths.low
        depths = DepthRange(low, depths.depth, bracket.ceiling if depths.high is None else depths.high)
        found.append(_judged(law, depths, bracket, trained))
    return min(found, key=lambda each: (each.doubt is not None, each.width), default=None)


def _smallest(wanted: Wanted, measured: MeasuredErrors) -> tuple[int | None, tuple[int, int] | None, str, str | None]:
    """Return the depth, its interval, what tells it, and why it is withheld."""
    bracket = Bracket.of(measured.sizes(), wanted.error)
    ceiling = bracket.ceiling
    predicted = None if bracket.coarsest else predict(wanted, measured, bracket)
    interval = None
    if predicted is not None and predicted.range.high is not None:
        interval = predicted.range.low, predicted.range.high
    if predicted is not None and predicted.doubt is None:
        depth = predicted.range.depth
        # A depth that was trained and neither meets nor misses gives way to the next one, where that was found to meet.
        open_ = depth in [row.depth for row in measured.rows] and ceiling == depth + 1
        if depth != ceiling and not open_:
            return depth, interval, predicted.law.basis, None
    if ceiling is not None:
        return (
            ceiling,
            (bracket.floor if interval is None else interval[0], ceiling),
            f"discrete-{ceiling}, as trained",
            None,
        )
    if predicted is not None:
        return None, interval, "", predicted.doubt
    if measured.laws():
        return None, None, "", f"no depth that can be counted meets the {wanted.quantity.words}"
    return None, None, "", f"no trained model predicts the {wanted.quantity.words}: {measured.why_no_law()}"


def _judged(law: ErrorLaw, depths: DepthRange, bracket: Bracket, trained: Sequence[int]) -> Predicted:
    """Return a prediction with what speaks against it: not asymptotic, too far, or not known well enough."""
    if bracket.ceiling is None:
        rest = law.rest(depths.depth)
        if rest > _ASYMPTOTIC:
            further = 2 * law.finest
            doubt = (
                f"{rest:.0%} of the error at depth {law.finest} is not the first term of its law; add depth {further}"
            )
            return Predicted(law, depths, doubt, further)
        if not law.anchored and rest > SMALL_SHARE and depths.depth > _RANGE * law.finest:
            further = math.ceil(depths.depth / _RANGE)
            doubt = f"about {depths.depth} layers are too many to be predicted from {law.finest}; add depth {further}"
            return Predicted(law, depths, doubt, further)
    allowed = max(1.0, _NARROW * depths.depth)
    if depths.high is not None and max(depths.depth - depths.low, depths.high - depths.depth) <= allowed:
        return Predicted(law, depths)
    more = "or more" if depths.high is None else f"to {depths.high}"
    remedy = f"add depth {depths.depth}"
    deeper: int | None = depths.depth
    if depths.depth in trained or law.noisy(depths.depth):
        remedy, deeper = "lower training.gradient_tolerance and continuum.tolerance", None
    return Predicted(
        law, depths, f"{depths.low} {more} layers are needed, by what is known of the errors; {remedy}", deeper
    )


def _expected(predictions: MeasuredErrors, depth: int) -> tuple[float | None, str | None]:
    """Return the prediction error at a depth, measured or predicted, or why it is not known."""
    sizes = predictions.sizes()
    if not sizes:
        return None, predictions.why_no_law()
    trained = next((size.value for size in sizes if size.depth == depth), None)
    if trained is not None:
        return trained, None
    laws = predictions.laws(depth) if depth > sizes[0].depth else []
    value, error = min((law.largest(depth) for law in laws), key=lambda each: each[1], default=(0.0, math.inf))
    if error <= SMALL_SHARE * value:
        return value, None
    if math.isinf(error):
        return None, predictions.why_no_law() if depth > sizes[0].depth else "it is coarser than every trained depth"
    return None, f"the estimated error {error:.1e} is not small beside the prediction error {value:.1e}"
