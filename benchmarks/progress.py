"""What progress says at a quarter, half and three quarters of a study, by its time and by its counted work.

Run from the project's root:  .venv/bin/python -m benchmarks.progress [NAME ...]
of moons, breast_cancer, digits, sharpened, networks (without a continuum) and tiny (20 samples, d = 2).
"""

import sys
import time
from dataclasses import replace

import torch

from benchmarks.diagnostics import Example, built_in, moons
from benchmarks.ledger import Ledger
from deeplimit.mathematics.study.progress import StudyProgress
from deeplimit.mathematics.trained_study import train

QUARTERS = (0.25, 0.5, 0.75)


def small_example(name: str) -> Example:
    """Return one of six studies of a few seconds by name."""
    if name == "tiny":
        return moons(8, 16, 32, 64, samples=20, state_dim=2)
    if name == "breast_cancer":
        return built_in(name, 8, 16, 32, 64)
    if name == "digits":
        return built_in(name, 4, 8, tolerance=1e-3)
    study = moons(8, 16, 32, 64, 128)
    if name == "networks":
        return replace(study, continuum=None)
    if name == "sharpened":
        return replace(study, training=replace(study.training, gradient_tolerance=1e-3))
    return moons()


def fractions(study: Example) -> dict[str, list[float]]:
    """Return what progress said at each quarter of the time, and of the work that kernels did."""
    ledger, rows = Ledger(), list[tuple[float, float, float]]()

    def observe(at: StudyProgress) -> None:
        rows.append((time.thread_time(), ledger.total, at.fraction))

    begun = time.thread_time()
    with ledger.watching():
        train(study.problem, study.depths, study.continuum, study.training, observer=observe)
    ended = {"time": (begun, time.thread_time()), "work": (0.0, ledger.total)}
    return {
        clock: [_at(rows, index, first + part * (last - first)) for part in QUARTERS]
        for index, (clock, (first, last)) in enumerate(ended.items())
    }


def _at(rows: list[tuple[float, float, float]], clock: int, moment: float) -> float:
    return max((row[2] for row in rows if row[clock] <= moment), default=0.0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for argument in sys.argv[1:] or ["moons", "breast_cancer", "digits", "sharpened", "networks", "tiny"]:
        said = fractions(small_example(argument))
        told = ", ".join(f"by {clock} " + " ".join(f"{each:.2f}" for each in found) for clock, found in said.items())
        print(f"{argument:14s} at a quarter, half and three quarters: {told}", flush=True)
