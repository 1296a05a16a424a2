"""Sixteen starts of one study against as many studies of one start: two moons, S = 200, d = 4.

Each study minimises from its random starts, tells the minima apart and certifies them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.speed.measure import Record, in_turns, one_thread
from benchmarks.speed.problems import problem
from deeplimit.mathematics.study.sweep import run_study
from deeplimit.mathematics.study.training import Training

if TYPE_CHECKING:
    from pathlib import Path

STARTS = 16


def measured(depth: int, starts: int, repeats: int) -> dict[str, object]:
    """Return the row of one depth; its ratio is that of one study to all the others together."""
    given = problem("moons", 4)

    def together() -> None:
        run_study(given, (depth,), None, Training(starts=starts))

    def apart() -> None:
        for seed in range(starts):
            run_study(given, (depth,), None, Training(starts=1, seed=seed))

    seconds = in_turns({"together": together, "apart": apart}, repeats)
    return {
        "depth": depth,
        "starts": starts,
        "together_s": seconds["together"],
        "apart_s": seconds["apart"],
        "ratio": seconds["together"] / seconds["apart"],
    }


def main(folder: Path, *, quick: bool) -> None:
    """Write a row for each depth."""
    record = Record("starts", folder, quick=quick)
    with one_thread():
        for depth in (8,) if quick else (8, 16):
            record.add(**measured(depth, 4 if quick else STARTS, 1 if quick else 3))
