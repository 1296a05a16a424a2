"""Latency of an idle service: start and stop, a small job, a cancellation, a GET of a job, a large dry run.

Run from the project's root:  .venv/bin/python -m benchmarks.service
"""

import json
import random
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
LONG = {"kind": "train", "data": {"source": "builtin", "name": "breast_cancer"}, "discrete": {"depths": [256]}}
JOBS = 7
GETS = 300


def large_body() -> bytes:
    """Return a specification of some 15 MiB, nearly all of it numbers."""
    generator = random.Random(0)  # noqa: S311 - numbers to be read, not secrets
    inputs = [[round(generator.gauss(0, 1), 12) for _ in range(8)] for _ in range(90_000)]
    data = {"source": "inline", "inputs": inputs, "targets": [0, 1] * 45_000}
    return json.dumps({"kind": "train", "data": data}).encode()


def cancel(client: httpx.Client) -> float:
    """Return the seconds from asking a running job to end until it is cancelled."""
    path = client.post("/v1/jobs", json=LONG).json()["links"]["self"]
    while (job := client.get(path).json())["progress"] is None and not job["done"]:
        time.sleep(0.05)
    start = time.perf_counter()
    client.post(f"{path}/cancel")
    job = client.get(path, headers={"Prefer": "wait=30"}).json()
    if job["status"] != "cancelled":
        raise SystemExit(f"the job {job['status']}")
    return time.perf_counter() - start


def main() -> None:
    """Print medians and ranges."""
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        settings = Settings(data_dir=Path(place) / "data", port=0)
        with (
            embedded_service(settings, log_dir=Path(place) / "logs") as url,
            httpx.Client(base_url=url, timeout=60.0) as client,
        ):
            ready = time.perf_counter() - begin
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
            cancelled = cancel(client)
            body = large_body()
            start = time.perf_counter()
            client.post("/v1/jobs?dry_run=true", content=body, headers={"Content-Type": "application/json"})
            checked, decoded = time.perf_counter() - start, time.perf_counter()
            json.loads(body)
            decoded = time.perf_counter() - decoded
            begin = time.perf_counter()
    stopped = time.perf_counter() - begin
    shares = [training / total for training, total in zip(trainings, totals, strict=True)]
    print(f"POST to succeeded: {statistics.median(totals):.2f} s ({min(totals):.2f} to {max(totals):.2f})")
    print(f"training's share of it: {statistics.median(shares):.0%}")
    print(f"ready after {ready:.1f} s, stopped after {stopped:.1f} s")
    print(f"a running fit is cancelled after {cancelled:.2f} s")
    print(f"dry run of {len(body) / 2**20:.0f} MiB: {checked / decoded:.1f} times json.loads ({checked:.2f} s)")
    print(f"GET of a job: {statistics.median(gets):.1f} ms median, {sorted(gets)[int(0.99 * GETS)]:.1f} ms at 99 %")


if __name__ == "__main__":
    main()
