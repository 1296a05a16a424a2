"""How far a study is: one number that never falls, from the work that each fit and each diagnostic is expected to be.

Work is counted in gradients of one layer (expected_work.py). What is left is known only as
the study goes on: branches are found, depths are added, a branch is minimised on. The fraction then stays where it is,
and what is left of it is shared out anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from deeplimit.mathematics.minimise import HistoryRow, Solution
from deeplimit.mathematics.watch import look

_BEGUN: Final = 1e-4
"""The fraction before any iterate, which is above 0 to tell it from a study that waits."""
_HALFWAY: Final = 8
"""Checkpoints after which half of a diagnostic is taken to be done; how many there will be is not known."""
DIAGNOSTICS: Final = "diagnostics"
"""The phase in which nothing is trained."""


class Stage(StrEnum):
    """What work is expected of."""

    TRAINING = "training"
    SEARCH = "search"
    SHARPENING = "sharpening"
    DIAGNOSTICS = "diagnostics"


@dataclass(frozen=True)
class StudyProgress:
    """One accepted iterate of one fit, or one step of a diagnostic.

    Attributes
    ----------
    phase
        ``starts``, ``discrete``, ``continuum``, ``follow_back``, ``sharpen`` or ``diagnostics``.
    model
        ``discrete-n`` or ``continuum``; with the diagnostics the one that was trained last.
    fraction
        Share of the expected work that is done, in (0, 1].
    part
        In words, what of the phase is under way.
    """

    phase: str
    model: str
    iteration: int
    objective: float
    gradient_norm: float
    fraction: float
    part: str = ""


ProgressObserver = Callable[[StudyProgress], None]
"""Called after every accepted step; raising from it stops the study."""


class Meter:
    """Turns iterates into progress; a fit counts its expected work times the digits of gradient it has gained."""

    def __init__(self, observer: ProgressObserver | None) -> None:
        self._observer = observer
        self._left = dict.fromkeys(Stage, 0.0)
        self._fraction = self._end = _BEGUN

    @classmethod
    def of(cls, observer: ProgressObserver | Self | None) -> Self:
        """Return the meter itself, or a new one for an observer."""
        return observer if isinstance(observer, cls) else cls(observer)  # type: ignore[arg-type]  # no meter is left

    def expect(self, stage: Stage, work: float) -> None:
        """Replace the work that is expected to be left of a stage; the fraction stays where it is."""
        self._left[stage] = work

    def fit(self, phase: str, model: str, work: float, tolerance: float) -> Callable[[HistoryRow], None]:
        """Return the observer of one fit, of the given expected work, which ends at a gradient of the tolerance."""
        return self.fits(phase, model, work, tolerance, 1)[0]

    def fits(
        self, phase: str, model: str, work: float, tolerance: float, count: int
    ) -> list[Callable[[HistoryRow], None]]:
        """Return the observers of fits that go on side by side, of the given expected work together."""
        begun, share = self._fraction, self.begin(Stage.TRAINING, work)
        gained = [0.0] * count

        def observer(index: int) -> Callable[[HistoryRow], None]:
            first: list[float] = []

            def observe(row: HistoryRow) -> None:
                if not first:
                    first.append(max(row.gradient_norm, tolerance * 2.0))
                reached = max(row.gradient_norm, tolerance)
                span = math.log(first[0] / tolerance)
                if math.isfinite(reached) and span > 0.0:
                    gained[index] = max(gained[index], min(1.0, math.log(first[0] / reached) / span))
                self._fraction = max(self._fraction, begun + share * sum(gained) / count)
                at = (row.iteration, row.objective, row.gradient_norm)
                self.report(StudyProgress(phase, model, *at, self._fraction))

            return observe

        return [observer(index) for index in range(count)]

    def ticking(
        self, phase: str, model: str, solution: Solution, work: float, stop: Callable[[], bool]
    ) -> Callable[[], bool]:
        """Return ``stop``, which is asked before every step of a piece of the given work, so that it reports them."""
        begun, share, count = self._fraction, self.begin(Stage.TRAINING, work), 0

        def ask() -> bool:
            nonlocal count
            fraction = self.advance(begun + share * count / (count + _HALFWAY))
            count += 1
            at = (solution.iterations, solution.objective, solution.gradient_norm)
            self.report(StudyProgress(phase, model, *at, fraction))
            return stop()

        return ask

    def begin(self, stage: Stage, work: float) -> float:
        """Begin a piece of a stage; return the share of the whole that it is. What nobody expected counts as well."""
        self._left[stage] = max(self._left[stage], work)
        share = (1.0 - self._fraction) * work / max(sum(self._left.values()), work) if work > 0.0 else 0.0
        self._end = self._fraction + share
        return share

    def finish(self, work: float, stage: Stage = Stage.TRAINING) -> None:
        """Count the piece that was begun as done."""
        self._fraction = max(self._fraction, min(self._end, 1.0))
        self._left[stage] = max(self._left[stage] - work, 0.0)

    def advance(self, fraction: float) -> float:
        """Move to a fraction within the piece that was begun; return where the study is then."""
        self._fraction = max(self._fraction, min(fraction, self._end, 1.0))
        return self._fraction

    def report(self, at: StudyProgress) -> None:
        """Report progress, with its part in words."""
        if self._observer is not None:
            told = at if at.part else StudyProgress(**{**vars(at), "part": _words(at.phase, at.model)})
            self._observer(told)


class DiagnosticsProgress:
    """What the diagnostics call now and then: the observer sees them, part by part, as the study's last phase.

    Parameters
    ----------
    work
        Expected of each part, in layers of a fit.
    words
        What each part is called.
    model, solution
        Trained last: what progress goes on showing.
    """

    def __init__(
        self, meter: Meter, work: Mapping[str, float], words: Mapping[str, str], model: str, solution: Solution
    ) -> None:
        self._meter, self._work, self._words = meter, work, words
        self._model, self._solution = model, solution
        self._part, self._count, self._calls = "", 0, 0
        self._begun = self._share = 0.0
        meter.expect(Stage.DIAGNOSTICS, sum(work.values()))

    def begin(self, part: str) -> None:
        """Say that a part begins, and the one before it has ended."""
        self.end()
        self._part, self._count = part, 0
        self._begun = self._meter.advance(0.0)
        self._share = self._meter.begin(Stage.DIAGNOSTICS, self._work.get(part, 0.0))
        self()

    def end(self) -> None:
        """Say that the part has ended."""
        if self._part:
            self._meter.finish(self._work.get(self._part, 0.0), Stage.DIAGNOSTICS)
            self._part = ""

    def __call__(self) -> None:
        """Report one more step of the part; what the observer, or a watch, raises is passed on."""
        look()
        # The end of a part is not reached before it is told: how many steps there will be is not known.
        fraction = self._meter.advance(self._begun + self._share * self._count / (self._count + _HALFWAY))
        self._count, self._calls = self._count + 1, self._calls + 1
        found = self._solution
        told = self._words.get(self._part, "")
        self._meter.report(
            StudyProgress(
                DIAGNOSTICS,
                self._model,
                self._calls,
                found.objective,
                found.gradient_norm,
                fraction,
                told or DIAGNOSTICS,
            )
        )


def begin_part(checkpoint: Callable[[], None], part: str) -> None:
    """Tell a checkpoint that counts parts which one begins; any other is only called."""
    if isinstance(checkpoint, DiagnosticsProgress):
        checkpoint.begin(part)
    else:
        checkpoint()


def _words(phase: str, model: str) -> str:
    place = "the continuum limit" if model == "continuum" else f"the network of depth {model.removeprefix('discrete-')}"
    words = {
        "starts": f"random starts of {place}",
        "follow_back": f"following the optimum back to {place}",
        "sharpen": f"more digits of {place}",
    }
    return words.get(phase, place)
