"""How far a study is: one number that never falls, from the work that each fit is expected to be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from deeplimit.mathematics.minimise import HistoryRow, Solution

TRAINED: Final = 0.999
"""The fraction when every model is trained and only diagnostics are left."""
_BEGUN: Final = 1e-4
"""The fraction before any iterate, which is above 0 to tell it from a study that waits."""


@dataclass(frozen=True)
class StudyProgress:
    """One accepted iterate of one fit.

    Attributes
    ----------
    phase
        ``starts``, ``discrete``, ``continuum``, ``follow_back``, ``sharpen`` or ``diagnostics``.
    model
        ``discrete-n``, ``continuum`` or ``diagnostics``.
    fraction
        Share of the expected work that is done, in (0, 1].
    """

    phase: str
    model: str
    iteration: int
    objective: float
    gradient_norm: float
    fraction: float


ProgressObserver = Callable[[StudyProgress], None]
"""Called after every accepted step; raising from it stops the study."""


class Meter:
    """Turns iterates into progress; a fit counts its expected work times the digits of gradient it has gained."""

    def __init__(self, observer: ProgressObserver | None, total: float, tolerance: float) -> None:
        self._observer = observer
        self._total = total
        self._tolerance = tolerance
        self._done = 0.0
        self._fraction = _BEGUN

    def expect(self, total: float) -> None:
        """Replace the expected total once more is known; the fraction still never falls."""
        self._total = max(total, self._done)

    def fit(self, phase: str, model: str, work: float) -> Callable[[HistoryRow], None]:
        """Return the observer of one fit, of the given expected work."""
        first: list[float] = []
        gained = 0.0

        def observe(row: HistoryRow) -> None:
            nonlocal gained
            if not first:
                first.append(max(row.gradient_norm, self._tolerance * 2.0))
            reached = max(row.gradient_norm, self._tolerance)
            span = math.log(first[0] / self._tolerance)
            if math.isfinite(reached) and span > 0.0:
                gained = max(gained, min(1.0, math.log(first[0] / reached) / span))
            share = (self._done + work * gained) / self._total
            self._fraction = max(self._fraction, min(share, TRAINED))
            self.report(phase, model, row)

        return observe

    def report(self, phase: str, model: str, row: HistoryRow) -> None:
        """Report an iterate without moving."""
        if self._observer is not None:
            self._observer(StudyProgress(phase, model, row.iteration, row.objective, row.gradient_norm, self._fraction))

    def finish(self, work: float) -> None:
        """Count a fit as done."""
        self._done += work
        self._fraction = max(self._fraction, min(self._done / self._total, TRAINED))


def diagnostics_checkpoint(observer: ProgressObserver | None, model: str, solution: Solution) -> Callable[[], None]:
    """Return what the diagnostics call now and then: the observer sees them as the study's last phase.

    ``model`` and its ``solution``, trained last, are what progress goes on showing.
    """
    count = 0

    def checkpoint() -> None:
        nonlocal count
        count += 1
        if observer is not None:
            observer(StudyProgress("diagnostics", model, count, solution.objective, solution.gradient_norm, TRAINED))

    return checkpoint
