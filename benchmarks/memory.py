"""The estimate of a job's memory beside what it takes: the peak of a process of its own, less what it had imported.

Measured (2 cores, Linux, the fused kernel unless said), estimate over peak: two moons 1.15, d = 4 to depth 2048 1.24,
digits 1.11 (float32, by torch, 1.14; in 150 MiB 0.85), many samples 1.12, the continuum alone 0.80, with validation
0.79, kinks 1.40, rk4 with a continuum 1.11, sixteen starts 1.15 (d = 30: 0.76), torch 1.33 and, to depth 2048 in
100 MiB, 0.82 (88 MiB were taken).

Run from the project's root:  .venv/bin/python -m benchmarks.memory [job ...]
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch

from service.artifacts import ArtifactStore
from service.contract.train.request import TrainSpec
from service.contract.train.resolve import Resolution, resolve_train
from service.contract.values.limits import LIMITS
from worker.execution.kinds import execute, prepare
from worker.executor import JobInput

LOOSE: Final = {"gradient_tolerance": 1e-2, "starts": 1, "sharpen": False}
"""A loose tolerance: every fit converges, so that it is certified, and nothing here is about how sharp it is."""
DIGITS: Final = {"source": "builtin", "name": "digits"}

JOBS: Final[Mapping[str, dict[str, Any]]] = MappingProxyType(
    {
        "two moons": {"discrete": {"depths": [8, 16, 32]}},
        "deep, d = 4": {"network": {"state_dim": 4}, "discrete": {"depths": [16, 2048]}, "continuum": None},
        "digits": {"data": DIGITS, "discrete": {"depths": [4, 16]}, "continuum": None},
        "digits, float32": {
            "data": DIGITS,
            "discrete": {"depths": [4, 16]},
            "continuum": None,
            "training": LOOSE | {"dtype": "float32"},
        },
        "many samples": {
            "data": {"source": "builtin", "name": "moons", "samples": 50_000},
            "discrete": {"depths": [8, 16]},
            "continuum": None,
        },
        "continuum alone": {"data": {"source": "builtin", "name": "breast_cancer"}, "discrete": None},
        "two layers": {
            "data": {"source": "builtin", "name": "breast_cancer"},
            "network": {"block": "two_layer", "width": 60},
            "discrete": {"depths": [4, 16]},
            "continuum": None,
        },
        "d = 256": {
            "data": {"source": "builtin", "name": "iris"},
            "network": {"state_dim": 256},
            "discrete": {"depths": [4, 64]},
            "continuum": None,
        },
        "validation": {
            "data": {"source": "builtin", "name": "breast_cancer", "validation_fraction": 0.3},
            "discrete": {"depths": [8, 16]},
        },
        "rk4": {
            "data": {"source": "builtin", "name": "breast_cancer"},
            "network": {"integrator": "rk4"},
            "discrete": {"depths": [4, 16]},
            "continuum": None,
        },
        "implicit Euler": {
            "data": {"source": "builtin", "name": "breast_cancer"},
            "network": {"integrator": "implicit_euler"},
            "discrete": {"depths": [4, 8]},
            "continuum": None,
        },
        "eight thousand, deep": {
            "data": {"source": "builtin", "name": "moons", "samples": 8000},
            "discrete": {"depths": [64]},
            "continuum": None,
        },
        "digits in 150 MiB": {
            "data": DIGITS,
            "discrete": {"depths": [4, 16]},
            "continuum": None,
            "limits": {"memory_mb": 150},
        },
        "d = 256 in 1200 MiB": {
            "data": {"source": "builtin", "name": "iris"},
            "network": {"state_dim": 256},
            "discrete": {"depths": [4, 64]},
            "continuum": None,
            "limits": {"memory_mb": 1200},
        },
        "sixteen starts, d = 30": {
            "data": {"source": "builtin", "name": "breast_cancer"},
            "network": {"state_dim": 30},
            "discrete": {"depths": [8, 16]},
            "continuum": None,
            "training": LOOSE | {"starts": 16},
        },
        "torch": {"discrete": {"depths": [8, 256]}, "training": LOOSE | {"kernel": "torch"}},
        "torch, deep, in 100 MiB": {
            "network": {"state_dim": 4},
            "discrete": {"depths": [16, 2048]},
            "continuum": None,
            "training": LOOSE | {"kernel": "torch"},
            "limits": {"memory_mb": 100},
        },
        "kinks": {
            "data": {"source": "builtin", "name": "breast_cancer"},
            "network": {"activation": "relu"},
            "discrete": {"depths": [8, 32]},
            "continuum": None,
        },
        "rk4 with a continuum": {"network": {"integrator": "rk4"}, "discrete": {"depths": [8, 16]}},
        "plots": {"discrete": {"depths": [8, 16]}, "plots": True},
        "sixteen starts": {"discrete": {"depths": [8, 16]}, "training": LOOSE | {"starts": 16}},
    }
)


def specification(job: Mapping[str, Any]) -> TrainSpec:
    """Return the specification of a job: of two moons, loosely trained and without plots, unless it says otherwise."""
    body = {"data": {"source": "builtin", "name": "moons"}, "training": LOOSE, "plots": False} | dict(job)
    return TrainSpec.model_validate({"kind": "train"} | body, context=LIMITS)


def added_at_peak(resolution: Resolution) -> int:
    """Return the bytes that a job adds to the resident set of a fresh process, at their most."""
    with tempfile.TemporaryDirectory() as place:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.memory", "--child", place],
            input=resolution.spec.model_dump_json(),
            check=True,
            capture_output=True,
            text=True,
        )
    return int(done.stdout.splitlines()[-1])


def resident(field: str) -> int:
    """Return the bytes of a field of this process's status, such as VmRSS."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return 1024 * int(line.split()[1])


def child(place: str) -> None:
    """Run the job on standard input and print what it added at its peak."""
    torch.set_num_threads(1)
    prepare()  # as a trainer is while it waits for its first job
    job = JobInput("0123456789abcdef", 1, json.load(sys.stdin), ArtifactStore(Path(place)), {})
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is resident
    execute(job, lambda _: None, lambda: False)
    print(resident("VmHWM") - before)


def main() -> None:
    """Print the table."""
    for name in sys.argv[1:] or JOBS:
        resolution = resolve_train(specification(JOBS[name]))
        estimated, measured = resolution.estimate.memory_bytes, added_at_peak(resolution)
        print(
            f"{name:18s} estimate {estimated / 2**20:8.1f} MiB, measured {measured / 2**20:8.1f} MiB,"
            f" ratio {estimated / measured:5.2f}",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
    else:
        main()
