"""Progress of a job made of known pieces of work, and the moments at which it can be stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from service.contract.job import Progress
from worker.executor import Stopped, UserError

if TYPE_CHECKING:
    from worker.executor import Report, ShouldStop


class Ticker:
    """Counts pieces of work.

    Parameters
    ----------
    pieces
        How many there are, at least 1.
    phase
        Name that progress is reported under.
    report, should_stop
        What the executor is given.
    wall_time_s
        Time the job may take.
    started
        When it began, as `worker.executor.JobInput` has it.
    """

    def __init__(
        self,
        pieces: int,
        phase: str,
        report: Report,
        should_stop: ShouldStop,
        wall_time_s: float,
        started: float | None,
    ) -> None:
        self._pieces = pieces
        self._done = 0
        self._phase = phase
        self._report = report
        self._should_stop = should_stop
        self._started = time.monotonic() if started is None else started
        self._wall_time_s = wall_time_s
        self.model: str | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def check(self) -> None:
        """Look, within a piece, whether the job may go on.

        Raises
        ------
        Stopped, UserError
            The job is to stop, or its time is up.
        """
        if self._should_stop():
            raise Stopped
        if self.elapsed > self._wall_time_s:
            raise UserError("wall_time_exceeded", f"The job took longer than its limit of {self._wall_time_s:g} s.")

    def tick(self) -> None:
        """One more piece is done; raises as `check` does."""
        self.check()
        self._done = min(self._done + 1, self._pieces)
        fraction = self._done / self._pieces
        self._report(
            Progress(
                phase=self._phase,
                model=self.model,
                fraction=fraction,
                eta_s=self.elapsed * (1.0 - fraction) / fraction,
            )
        )
