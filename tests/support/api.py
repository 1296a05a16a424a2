"""For tests of the API: serve it from a thread, do what a worker does to a job, and make up what a worker writes."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy
import uvicorn

from service.api.connections.protocol import PatientProtocol
from service.contract import names
from service.contract.job import JobRecord, JobStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fastapi import FastAPI

    from service.artifacts import ArtifactStore
    from service.jobstore import JobStore

MOONS: dict[str, Any] = {"kind": "train", "data": {"source": "builtin", "name": "moons"}}
WORKER = "worker-of-the-tests"


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an application on a free port, from a thread, with the protocol that the API's process has."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=0,
            log_level="error",
            ws="none",
            http=PatientProtocol,
            timeout_graceful_shutdown=1,
        )
    )
    started = threading.Event()
    startup = server.startup

    async def announce(*args: Any, **kwargs: Any) -> None:
        await startup(*args, **kwargs)
        started.set()

    server.startup = announce  # type: ignore[method-assign]  # uvicorn tells nobody when it listens
    thread = threading.Thread(target=server.run, name="api-under-test")
    thread.start()
    try:
        assert started.wait(20)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


@dataclass(frozen=True)
class HandWorker:
    """Does with a job what a worker does, without the training."""

    store: JobStore
    artifacts: ArtifactStore

    def claim(self) -> tuple[JobRecord, int]:
        claim = self.store.claim(WORKER)
        assert claim is not None
        return claim.record, claim.fence

    def succeed(self, depth: int = 8, d: int = 2, more: Mapping[str, bytes] | None = None) -> JobRecord:
        """Run the next job to its end, with made-up results, and more objects by their keys."""
        record, fence = self.claim()
        files = {
            names.RESULTS: (names.results_path(record.id, fence), json.dumps(results(depth, d)).encode()),
            names.LOSSES: (names.results_path(record.id, fence, names.LOSSES), json.dumps(losses(record.id)).encode()),
        }
        for model, content in (
            (f"discrete-{depth}", discrete_file(depth, d)),
            ("continuum", continuum_file(d)),
        ):
            key = names.parameters_key(model)
            files[key] = (names.results_path(record.id, fence, key), content)
        files |= {key: (names.results_path(record.id, fence, key), content) for key, content in (more or {}).items()}
        written = {
            key: self.artifacts.put(path, content, "application/octet-stream") for key, (path, content) in files.items()
        }
        return self.store.finish(record.id, fence, JobStatus.SUCCEEDED, artifacts=written)


STANDARDISATION = {"mean": [0.0, 0.5], "scale": [1.0, 2.0], "target_mean": None, "target_scale": None}
PROVENANCE = {"spec_sha256": "0" * 64, "seed": 0, "torch": "2", "device": "cpu", "dtype": "float64", "version": "0"}
LEGENDRE = {"family": "legendre", "degree": 3}


def discrete_arrays(depth: int, d: int) -> dict[str, Any]:
    rng = np.random.default_rng(depth)
    shapes = {"K": (depth, d, d), "b": (depth, d), "W": (2, d), "c": (2,)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def continuum_arrays(d: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    shapes = {"K": (4, d, d), "b": (4, d), "W": (2, d), "c": (2,)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def _file(arrays: dict[str, Any], metadata: dict[str, Any]) -> bytes:
    return safetensors.numpy.save(arrays, {"deeplimit": json.dumps(metadata)})


def discrete_file(depth: int, d: int) -> bytes:
    metadata = {"model": f"discrete-{depth}", "input_dim": 2, "state_dim": d, "standardisation": STANDARDISATION}
    return _file(discrete_arrays(depth, d), metadata)


def continuum_file(d: int) -> bytes:
    metadata = {"model": "continuum", "input_dim": 2, "state_dim": d, "standardisation": STANDARDISATION}
    return _file(continuum_arrays(d), metadata | {"basis": LEGENDRE})


def results(depth: int, d: int) -> dict[str, Any]:
    """The shape of the contract, with made-up numbers."""
    fit = {
        "status": "converged",
        "objective": 0.0417311,
        "terminal_loss": 0.011,
        "regularisation": {"K": 0.01, "b": 0.01, "W": 0.01, "c": 0.0},
        "gradient_norm": 8.4e-8,
        "iterations": 84,
        "evaluations": 96,
        "hessian_products": 0,
        "wall_time_s": 0.7,
        "train": {"terminal_loss": 0.011, "accuracy": 1.0},
        "validation": None,
    }
    shapes = {"K": [depth, d, d], "b": [depth, d], "W": [2, d], "c": [2]}
    arrays = {name: {"shape": shape, "dtype": "float64"} for name, shape in shapes.items()}
    parameters = {"arrays": arrays, "sha256": "0" * 64}
    return {
        "models": [
            {"model": f"discrete-{depth}", "kind": "discrete", "depth": depth, **fit, "parameters": parameters},
            {
                "model": "continuum",
                "kind": "continuum",
                "basis": LEGENDRE,
                "steps": 64,
                **fit,
                "tolerance_reached": 4e-10,
                "parameters": parameters,
            },
        ],
        "diagnostics": {
            "assumptions": [{"name": "sigma_vanishes_at_zero", "holds": True, "detail": "tanh(0) = 0"}],
            "minima": {"continuum": 0.0409, "depths": [{"depth": depth, "objective": "NaN", "withheld": {}}]},
            "branches": [],
            "verdict": {"converges": None, "statements": []},
        },
        "provenance": PROVENANCE,
    }


def losses(job_id: str) -> dict[str, Any]:
    history = [0.5, 0.1]
    return {
        "job_id": job_id,
        "models": [
            {
                "model": "continuum",
                "objective": history,
                "terminal_loss": history,
                "regularisation": dict.fromkeys(("K", "b", "W", "c"), history),
                "gradient_norm": history,
                "train": {"terminal_loss": 0.1, "accuracy": 1.0},
                "validation": None,
            }
        ],
    }
