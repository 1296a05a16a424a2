"""The executor of train jobs, which hangs in its second model until it is told to stop; unless it is only to finish."""

import time

from service.contract.job import Progress
from worker.execution import execute as execute_in_time
from worker.executor import JobInput, Outcome, Report, ShouldStop

HANGS_IN = "discrete-16"


def execute(job: JobInput, report: Report, should_stop: ShouldStop) -> Outcome:
    def hang(progress: Progress) -> None:
        report(progress)
        while progress.model == HANGS_IN and not job.finish_only and not should_stop():
            time.sleep(0.01)  # the fault itself: nothing happens

    return execute_in_time(job, hang, should_stop)
