"""One attempt at a job of any kind."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from service.contract.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.contract.job import Progress
    from worker.executor import JobInput, Outcome

    Executor = Callable[[JobInput, Callable[[Progress], None], Callable[[], bool]], Outcome]


def executor_of(kind: str) -> Executor:
    """Import the function that does jobs of one kind."""
    module, _, function = KINDS[kind].executor.partition(":")
    executor: Executor = getattr(importlib.import_module(module), function)
    return executor


for _kind in KINDS:
    executor_of(_kind)  # imported while the trainer warms up, not when a job waits


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
    return executor_of(job.spec["kind"])(job, report, should_stop)
