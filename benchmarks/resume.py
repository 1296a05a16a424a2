"""What a killed job costs: work that is done twice, and what its checkpoints take of one that nobody kills.

A trainer is killed at 10, 50 and 90 % of the processor time of an undisturbed run, five times each, and another one
goes on. Times are of the processor: those of both attempts, less the undisturbed one, were repeated. Where a processor
is shared that is off by as much as its speed changes, so what lies between the last checkpoint and the kill is shown
too. Parameters must be the very same. What checkpoints take is the median over pairs of runs with and without them,
one after the other; what they took by their own count is in the trainer's log, on standard error. A virtual machine
that has yet to be given the memory which files go through pays for it once: what is written is deleted each time.

Run from the project's root:  .venv/bin/python -m benchmarks.resume
``--quick`` takes a job of seconds and kills it once at each place, to see that it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from service.contract.train.request import TrainSpec
from service.contract.train.resolve import resolve_train
from service.contract.values.limits import LIMITS
from worker.trainer_process import Event, Said, TrainerProcess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JOB: Mapping[str, Any] = {
    "data": {"source": "builtin", "name": "digits"},
    "discrete": {"depths": [4, 8, 16, 32]},
    "continuum": None,
    "training": {"starts": 2},
}
QUICK: Mapping[str, Any] = {
    "data": {"source": "builtin", "name": "breast_cancer"},
    "discrete": {"depths": [8, 16]},
    "training": {"starts": 2},
}
SHARES = (0.1, 0.5, 0.9)
PAIRS, KILLS = 6, 5
NEVER_S = 1e6
LOOK_S = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")


class Attempt:
    """One attempt of a fresh trainer."""

    def __init__(self, order: Mapping[str, Any], every_s: float, checkpoints: Sequence[Any] = ()) -> None:
        os.environ["DEEPLIMIT_CHECKPOINT_S"] = str(every_s)
        self.checkpoints = list(checkpoints)
        self.hashes: dict[str, str] | None = None
        self.seconds = self.kept_at = 0.0
        self._order = {**order, "checkpoints": self.checkpoints}

    def run(self, until: float = float("inf")) -> Attempt:
        """Have it go on to its end, or until it has taken so many seconds of the processor."""
        events: SimpleQueue[Event] = SimpleQueue()
        with TrainerProcess("worker.execution:execute", events.put) as trainer:
            begun = None
            while self.hashes is None and self.seconds < until:
                with suppress(Empty):
                    begun = self._hear(events.get(timeout=LOOK_S), trainer, begun)
                if begun is not None:
                    self.seconds = _processor(trainer.pid) - begun
        return self

    def _hear(self, event: Event, trainer: TrainerProcess, begun: float | None) -> float | None:
        if not isinstance(event, Said):
            raise TypeError(event)
        match event.message["type"]:
            case "ready":
                begun = _processor(trainer.pid)
                trainer.say(self._order)
            case "checkpoint":
                self.checkpoints = event.message["checkpoints"]
                self.kept_at = self.seconds
            case "done":
                refs = event.message["artifacts"]
                self.hashes = {key: ref["sha256"] for key, ref in refs.items() if key.startswith("parameters/")}
            case "progress" | "tick":
                pass
            case other:
                raise RuntimeError(other, event.message)
        return begun


def _processor(pid: int) -> float:
    """Return the seconds that a process has had of the processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def main() -> None:
    """Print what was repeated, and what checkpoints take."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a job of seconds")
    quick = parser.parse_args().quick
    every_s = 0.5 if quick else 5.0
    body = {"kind": "train", "plots": False, **(QUICK if quick else JOB)}
    spec = resolve_train(TrainSpec.model_validate(body, context=LIMITS)).spec
    with tempfile.TemporaryDirectory() as place:
        os.environ |= {"DEEPLIMIT_DATA_DIR": place, "DEEPLIMIT_LOG_LEVEL": "info"}
        ordered = {"type": "run", "spec": json.loads(spec.model_dump_json()), "given": {}}

        def attempt(job: str, fence: int, every_s: float, checkpoints: Sequence[Any] = ()) -> Attempt:
            return Attempt({**ordered, "job_id": job, "fence": fence}, every_s, checkpoints)

        def to_its_end(attempt: Attempt) -> Attempt:
            attempt.run()
            shutil.rmtree(Path(place) / "artifacts")  # as the service does: or each would fill memory of its own
            return attempt

        begun = time.monotonic()
        to_its_end(attempt("warm", 0, every_s))  # compiles and fills caches, so that it counts for nobody
        wall = time.monotonic() - begun
        pairs = [
            (to_its_end(attempt("without", turn, NEVER_S)), to_its_end(attempt("undisturbed", turn, every_s)))
            for turn in range(1 if quick else PAIRS)
        ]
        whole = statistics.median(with_them.seconds for _, with_them in pairs)
        ratios = [with_them.seconds / without.seconds for without, with_them in pairs]
        hashes = pairs[0][1].hashes
        print(f"undisturbed: {whole:.1f} s of the processor, {wall:.1f} s of wall time")
        print(f"with checkpoints {_listed(ratios, '.3f')} of the time without: median {statistics.median(ratios):.3f}")
        for share in SHARES:
            repeated, since, same = [], [], 0
            for turn in range(1 if quick else KILLS):
                job = f"killed-{share:g}-{turn}"
                killed = attempt(job, 1, every_s).run(share * whole)
                again = to_its_end(attempt(job, 2, every_s, killed.checkpoints))
                repeated.append(killed.seconds + again.seconds - whole)
                since.append(killed.seconds - killed.kept_at)
                same += again.hashes == hashes
            were = f"{_listed(repeated, '.1f')} s were repeated, the last checkpoint was {_listed(since, '.1f')} s old"
            print(f"killed at {share:.0%}: {were}; {same} of {len(repeated)} with the same parameters", flush=True)


def _listed(values: Sequence[float], form: str) -> str:
    return ", ".join(format(value, form) for value in values)


if __name__ == "__main__":
    main()
