"""What plots cost: the import, each plot's numbers and drawing, and their share of a six-depth study.

Run from the project's root:  .venv/bin/python -m benchmarks.plots
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from service.artifacts import ArtifactStore
from service.contract.names import plot_key
from service.contract.plots.index import PlotName
from service.contract.train.request import TrainSpec
from service.contract.train.resolve import resolve_train
from worker.execution import execute
from worker.executor import JobInput
from worker.plots.drawing import draw

SPECS: dict[str, dict[str, Any]] = {
    "two moons, d = 4, depths 8 to 256": {
        "kind": "train",
        "data": {"source": "builtin", "name": "moons"},
        "network": {"state_dim": 4},
        "objective": {"alpha": dict.fromkeys("KbWc", 1e-3)},
        "discrete": {"depths": [8, 16, 32, 64, 128, 256]},
    },
    "40 moons, d = 2, depths 4 to 16": {
        "kind": "train",
        "data": {"source": "builtin", "name": "moons", "samples": 40},
        "discrete": {"depths": [4, 8, 16]},
    },
}
IMPORT = "import time; t = time.perf_counter(); import worker.plots.drawing; print(time.perf_counter() - t)"


def run(place: Path, spec: dict[str, Any]) -> tuple[JobInput, Any, float]:
    """Execute a specification; return the job, its outcome and the seconds it took."""
    resolved = resolve_train(TrainSpec.model_validate(spec)).spec.model_dump(mode="json")
    job = JobInput("benchmark", 1, resolved, ArtifactStore(place))
    start = time.perf_counter()
    outcome = execute(job, lambda _: None, lambda: False)
    return job, outcome, time.perf_counter() - start


def main() -> None:
    """Print the figures."""
    imported = float(subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, check=True).stdout)
    print(f"import of what draws: {imported:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        for label, spec in SPECS.items():
            _, _, bare = run(Path(folder), spec | {"plots": False})
            _, _, cold = run(Path(folder), spec)
            job, outcome, warm = run(Path(folder), spec)
            print(f"{label}: {bare:.2f} s without plots; with them {cold / bare:.2f} and then {warm / bare:.2f} times")
            sizes = []
            for name in PlotName:
                if plot_key(name, "data") not in outcome.artifacts:
                    continue
                numbers = job.artifacts.get(outcome.artifacts[plot_key(name, "data")]).decode()
                draw(name, numbers)
                start = time.perf_counter()
                drawn = draw(name, numbers)
                seconds = time.perf_counter() - start
                sizes.append(len(drawn.svg))
                print(f"  {name}: drawn in {1e3 * seconds:.0f} ms, SVG {len(drawn.svg) / 1e3:.1f} kB")
            print(f"  all SVG: {sum(sizes) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
