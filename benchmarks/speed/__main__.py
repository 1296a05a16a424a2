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
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import equivalents, gpu
from benchmarks.speed import gradient, starts, training
from benchmarks.speed.figures import write_figures
from benchmarks.speed.measure import PASSING, RESULTS, Record, missing

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


def _service(folder: Path, *, quick: bool) -> None:
    if quick:
        print("service: left out, only whole runs start one")
        return
    record = Record("service", folder, quick=quick)
    command = [sys.executable, "-m", "benchmarks.service"]
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        record.add(said=line)


BENCHMARKS: dict[str, Callable[..., None]] = {
    "gradient": gradient.main,
    "starts": starts.main,
    "continuum": _continuum,
    "equivalents": equivalents.main,
    "training": training.main,
    "service": _service,
    "gpu": _gpu,
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
    if folder == RESULTS:
        write_figures()


if __name__ == "__main__":
    main(sys.argv[1:])
