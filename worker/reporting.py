"""Progress on its way from the training loop to the job store: thinned out, and never falling."""

import time
from collections.abc import Callable
from typing import Final

from service.contract.job import Progress

LINE_INTERVAL_S: Final = 0.1
"""Least time between two lines from the trainer; an iteration can be much shorter."""

STORE_INTERVAL_S: Final = 0.52
"""Least time between two writes; a little over what the store demands, so that none is dropped there."""


class ThinnedReport:
    """The executor's ``report``: passes on the first progress at once, then what is newest at most every 0.1 s."""

    def __init__(self, send: Callable[[Progress], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._clock = clock
        self._next = float("-inf")
        self._fraction = 0.0
        self._phase: tuple[str, str | None] | None = None

    def __call__(self, progress: Progress) -> None:
        """Report progress."""
        now = self._clock()
        phase = (progress.phase, progress.model)
        if now < self._next and phase == self._phase:
            return
        self._next = now + LINE_INTERVAL_S
        self._phase = phase
        self._fraction = max(self._fraction, progress.fraction)
        self._send(progress.model_copy(update={"fraction": self._fraction}))


class LatestProgress:
    """What the supervisor holds back until the store takes progress again, so that the last word is not lost."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._next = float("-inf")

    def put(self, progress: Progress) -> None:
        """Replace what waits."""
        self._progress = progress

    @property
    def due(self) -> float:
        """Time of the monotonic clock from which :meth:`take` gives something; infinite where nothing waits."""
        return float("inf") if self._progress is None else self._next

    def take(self, now: float) -> Progress | None:
        """Give what waits, if the time has come."""
        if now < self.due:
            return None
        progress, self._progress = self._progress, None
        self._next = now + STORE_INTERVAL_S
        return progress
