"""One attempt at a job of any kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worker.execution import diagnose, evaluate
from worker.execution import train as run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service.contract.job import Progress
    from worker.executor import JobInput, Outcome

    Executor = Callable[[JobInput, Callable[[Progress], None], Callable[[], bool]], Outcome]

EXECUTORS: Final[Mapping[str, Executor]] = {
    "train": run.execute,
    "evaluate": evaluate.execute,
    "diagnose": diagnose.execute,
}
"""By the ``kind`` of the specification."""


def execute(job: JobInput, report: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Outcome:
    """Do what the job asks for and write its results.

    Parameters
    ----------
    job
        The attempt.
    report
        Takes progress.
    should_stop
        Asked again and again.

    Raises
    ------
    UserError
        If the job cannot be done as specified, or nothing usable came out.
    Stopped
        If ``should_stop`` said so.
    """
    return EXECUTORS[job.spec["kind"]](job, report, should_stop)
