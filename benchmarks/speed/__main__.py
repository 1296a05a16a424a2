"""Take figures anew: every benchmark of speed, or those that are named.

Run from the project's root:  make bench [ARGS="[--quick] [--to FOLDER] [name ...]"]

A whole run writes to ``benchmarks/results``, from which ``python -m benchmarks.speed.figures`` makes the tables and the
plot of ``benchmarks/README.md``, and takes about a quarter of an hour on two idle cores; a quick one writes to
``build/bench`` and takes about a minute. Rows are written as they come.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import equivalents, gpu
from benchmarks.speed import gradient, training
from benchmarks.speed.figures import write_figures
from benchmarks.speed.measure import PASSING, PRINTED, RESULTS, Record, missing

if TYPE_CHECKING:
    from collections.abc import Callable


def _continuum(folder: Path, *, quick: bool) -> None:
    if absent := missing("torchdiffeq"):
        print(f"continuum: left out, {absent}")
        return
    from benchmarks.speed import continuum  # noqa: PLC0415 - the reference framework may be missing

    continuum.main(folder, quick=quick)


def _gpu(folder: Path, *, quick: bool) -> None:
    if quick or not gpu.available():
        print(f"gpu: left out, {'only whole runs use it' if quick else 'this machine has no CUDA'}")
        return
    gpu.main(folder, on_cpu=False)


def _printed(module: str, folder: Path, *, quick: bool) -> None:
    """Run a script that prints sentences, and keep these."""
    if quick:
        print(f"{module}: left out, only whole runs have it")
        return
    record = Record(module, folder, quick=quick)
    command = [sys.executable, "-m", f"benchmarks.{module}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        for line in running.stdout or ():
            record.add(said=line.strip())
    if running.returncode:
        raise SystemExit(f"benchmarks.{module} ended with {running.returncode}")


BENCHMARKS: dict[str, Callable[..., None]] = {
    "gradient": gradient.main,
    "continuum": _continuum,
    "equivalents": equivalents.main,
    "training": training.main,
    "gpu": _gpu,
    **{module: partial(_printed, module) for module in PRINTED},
}


def main(arguments: list[str]) -> None:
    """Run what is asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure this package against others.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHMARKS)}; all without")
    parser.add_argument("--quick", action="store_true", help="small sizes and limits, in about a minute")
    parser.add_argument("--to", type=Path, help="folder for the JSON files")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    folder = given.to or (PASSING if given.quick else RESULTS)
    for name in given.names or BENCHMARKS:
        begun = time.monotonic()
        BENCHMARKS[name](folder, quick=given.quick)
        print(f"  {name} took {time.monotonic() - begun:.0f} s", flush=True)
    if folder.resolve() == RESULTS:
        write_figures()


if __name__ == "__main__":
    main(sys.argv[1:])
