"""An executor that takes time and misbehaves on request, for tests of what is around the training.

``training.max_iterations`` is the number of steps of 10 ms; ``training.seed`` says how it behaves.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from enum import IntEnum

from service.artifacts import ArtifactCorruptError, ArtifactNotFoundError
from service.contract.job import Progress
from service.contract.names import RESULTS
from service.contract.values.media_types import JSON
from worker.executor import JobInput, Outcome, Stopped, UserError

STEP_S = 0.01
LARGE_BYTES = 2**20
KEEP_STEPS = 20
NOTHING = {
    "models": [],
    "diagnostics": {
        "assumptions": [],
        "minima": {"continuum": None, "depths": [], "withheld": {}},
        "branches": [],
        "verdict": {"converges": None, "statements": []},
    },
    "provenance": {"spec_sha256": "", "seed": 0, "torch": "", "device": "cpu", "dtype": "float64", "version": ""},
}
"""Results without a model."""


class Behaviour(IntEnum):
    POLITE = 0
    DEAF = 1  # does not ask whether it should stop
    DYING = 2
    RAISING = 3
    REFUSING = 4
    HUNG = 5  # deaf, and holds the interpreter's lock against SIGTERM's handler
    SILENT = 6  # reports nothing until its last step
    LARGE = 7  # leaves results of LARGE_BYTES
    KEEPING = 8  # keeps a checkpoint every KEEP_STEPS, and goes on from the newest that is whole


def execute(job: JobInput, report: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Outcome:
    steps = job.spec["training"]["max_iterations"]
    behaviour = Behaviour(job.spec["training"]["seed"])
    sys.stdout.write("a library that prints\n")
    if behaviour is Behaviour.HUNG:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    kept = deque(job.checkpoints, maxlen=2)
    for step in range(_begin(job) + 1, steps + 1):
        time.sleep(STEP_S)
        if behaviour is Behaviour.KEEPING and step % KEEP_STEPS == 0:
            kept.appendleft(job.checkpoint(str(step), json.dumps({"step": step}).encode()))
            job.keeping.commit(list(kept))
        if behaviour is Behaviour.SILENT and step < steps:
            continue
        report(Progress(phase="discrete", model="discrete-8", fraction=step / steps, objective=1.0 / step))
        if behaviour in {Behaviour.POLITE, Behaviour.KEEPING} and should_stop():
            raise Stopped
    if behaviour is Behaviour.DYING:
        os.kill(os.getpid(), signal.SIGSEGV)
    if behaviour is Behaviour.RAISING:
        raise ZeroDivisionError
    if behaviour is Behaviour.REFUSING:
        raise UserError("nothing_usable", "Every depth diverged.")
    results = json.dumps(NOTHING).encode().ljust(LARGE_BYTES if behaviour is Behaviour.LARGE else 0)
    return Outcome({RESULTS: job.write(RESULTS, results, JSON)})


def _begin(job: JobInput) -> int:
    """Return the step that an earlier attempt came to."""
    for reference in job.checkpoints:
        with contextlib.suppress(ArtifactCorruptError, ArtifactNotFoundError):
            step: int = json.loads(job.artifacts.get(reference))["step"]
            return step
    return 0
