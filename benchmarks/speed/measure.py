"""How everything here is measured and written down: processor time, in turns, on a machine that is named."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.util
import json
import os
import platform
import statistics
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
"""Figures of whole runs, which are kept."""
PASSING = ROOT / "build" / "bench"
"""Figures of quick runs."""
PRINTED = ("service.overhead", "service.bodies", "service", "starts", "diagnostics", "memory")
"""Scripts of ``benchmarks`` that print sentences, which whole runs keep as they are."""
MEASURE = "CPU seconds of the process, one thread, medians of repeats taken in turns"
_LIBRARIES = ("torch", "numpy", "scipy", "numba", "torchdiffeq")
_LEAST = 0.02
"""CPU seconds that one measurement lasts, at least: the clock's ticks do not show then."""


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Give every library one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


def machine() -> dict[str, Any]:
    """Return what the figures depend on: processor, cores, versions."""
    versions = {}
    for name in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    return {"processor": _processor(), "cores": os.cpu_count(), "python": platform.python_version(), **versions}


def missing(module: str) -> str | None:
    """Return why a reference framework cannot be measured, or None where it is installed."""
    if importlib.util.find_spec(module) is not None:
        return None
    return f"{module} is not installed; the extra bench has it"


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def in_turns(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the CPU seconds of one call of each, the median of repeats that take turns.

    The first call of each is not counted. Short ones are repeated within a measurement.
    """
    often: dict[str, int] = {}
    for name, call in calls.items():
        call()
        often[name] = max(1, round(_LEAST / max(_seconds(call, 1), 1e-6)))
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            found[name].append(_seconds(call, often[name]))
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def _seconds(call: Callable[[], object], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - start) / times


class Record:
    """The rows of one benchmark: each is printed and written as it comes.

    Parameters
    ----------
    folder
        Where ``NAME.json`` is written.
    facts
        What holds for all rows.
    """

    def __init__(self, name: str, folder: Path, *, quick: bool, **facts: object) -> None:
        self._path = folder / f"{name}.json"
        self._rows: list[dict[str, object]] = []
        self._head = {
            "benchmark": name,
            "quick": quick,
            "taken": dt.datetime.now(dt.UTC).date().isoformat(),
            "machine": machine(),
            "measure": MEASURE,
            **facts,
        }
        print(f"{name}: {', '.join(f'{key} {value}' for key, value in machine().items())}", flush=True)

    def add(self, **row: object) -> None:
        """Print a row and write all there are."""
        self._rows.append(row)
        print("  " + ", ".join(f"{key} {_short(value)}" for key, value in row.items()), flush=True)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**self._head, "rows": self._rows}, indent=1)
        self._path.write_text(text + "\n")


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def read(name: str, folder: Path = RESULTS) -> dict[str, Any] | None:
    """Return what a benchmark wrote, or None where it was not run."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None
