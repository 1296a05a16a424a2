"""One attempt at a job of any kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deeplimit.mathematics.kernels import choice
from deeplimit.mathematics.problem import datasets
from service.contract.kinds import KINDS
from worker.executor import load_executor

if TYPE_CHECKING:
    from worker.executor import JobInput, Outcome, Report, ShouldStop

for _kind in KINDS.values():
    load_executor(_kind.executor)  # imported while the trainer warms up, not when a job waits


def prepare() -> None:
    """Have ready what the first job would wait for and be billed for; run beside a trainer that takes jobs already."""
    datasets.prepare()  # first, as the other may have to compile
    choice.prepare()


def execute(job: JobInput, report: Report, should_stop: ShouldStop) -> Outcome:
    """Do what the job asks for and write its results: a `worker.executor.Executor`."""
    return load_executor(KINDS[job.spec["kind"]].executor)(job, report, should_stop)
