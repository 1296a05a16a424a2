"""Latency of an idle service: a small job from POST to succeeded, its training alone, and a GET of a job.

Run from the project's root:  .venv/bin/python -m benchmarks.service
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from service.config import Settings
from service.runtime.supervisor import embedded_service

SPEC = {
    "kind": "train",
    "data": {
        "source": "inline", "inputs": [[1.0], [-1.0]], "targets": [[2.0], [-2.0]],
        "standardise": False, "standardise_targets": False,
    },
    "network": {"activation": "identity", "output": "identity"},
    "objective": {"loss": "squared_error", "alpha": {"K": 0.05, "b": 0.05, "W": 0.1, "c": 0.1}},
    "discrete": {"depths": [8, 16, 32, 64]},
}  # fmt: skip
JOBS = 7
GETS = 300


def main() -> None:
    """Print medians and ranges."""
    with tempfile.TemporaryDirectory() as place:
        settings = Settings(data_dir=Path(place) / "data", port=0)
        with (
            embedded_service(settings, log_dir=Path(place) / "logs") as url,
            httpx.Client(base_url=url, timeout=60.0) as client,
        ):
            client.post("/v1/jobs", json=SPEC, headers={"Prefer": "wait=30"})  # the trainer is warm after it
            totals, trainings = [], []
            job: dict[str, Any] = {}
            for _ in range(JOBS):
                start = time.perf_counter()
                job = client.post("/v1/jobs", json=SPEC, headers={"Prefer": "wait=30"}).json()
                totals.append(time.perf_counter() - start)
                if job["status"] != "succeeded":
                    raise SystemExit(f"the job {job['status']}")
                trainings.append(client.get(job["links"]["results"]).json()["provenance"]["wall_time_s"])
            gets = []
            for _ in range(GETS):
                start = time.perf_counter()
                client.get(job["links"]["self"])
                gets.append(1e3 * (time.perf_counter() - start))
    shares = [training / total for training, total in zip(trainings, totals, strict=True)]
    print(f"POST to succeeded: {statistics.median(totals):.2f} s ({min(totals):.2f} to {max(totals):.2f})")
    print(f"training's share of it: {statistics.median(shares):.0%}")
    print(f"GET of a job: {statistics.median(gets):.1f} ms median, {sorted(gets)[int(0.99 * GETS)]:.1f} ms at 99 %")


if __name__ == "__main__":
    main()
