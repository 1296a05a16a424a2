"""What the numbers of a job came from."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from threadpoolctl import threadpool_info

from service.contract.results import Provenance
from service.contract.train.resolved import spec_sha256

if TYPE_CHECKING:
    import numpy.typing as npt

    from worker.executor import JobInput

LIBRARIES: Final = ("numpy", "scipy", "scikit-learn", "torch")
"""Distributions that compute."""


def provenance_of(
    job: JobInput,
    *,
    seed: int,
    seconds: float,
    device: Any = "cpu",
    dtype: str = "float64",
    threads: int | None = None,
    data_sha256: str | None = None,
    kernel: str | None = None,
    kernel_note: str | None = None,
) -> Provenance:
    """Return the provenance of a job's results, which took so many seconds of wall time.

    ``threads`` are those of the process unless the computation used others.
    """
    return Provenance.model_validate(
        {
            "spec_sha256": spec_sha256(job.spec),
            "seed": seed,
            "torch": torch.__version__,
            "device": str(device),
            "dtype": dtype,
            "version": version("deeplimit"),
            "wall_time_s": seconds,
            "libraries": library_versions() | ({"numba": version("numba")} if kernel == "fused" else {}),
            "threads": torch.get_num_threads() if threads is None else threads,
            "kernel": kernel,
            "kernel_note": kernel_note,
            "data_sha256": data_sha256,
        }
    )


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of what computes, each library for BLAS that is loaded among them.

    The Python package of torch has MKL linked in where it has it, so that torch alone can name it.
    """
    found = {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
    for line in torch.__config__.show().splitlines():
        words = line.partition("Version ")
        if "Math Kernel Library" in words[0]:
            found["mkl"] = words[2].partition(" ")[0]
    loaded = [entry for entry in threadpool_info() if entry["user_api"] == "blas" and entry["version"]]
    for name in sorted({entry["internal_api"] for entry in loaded}):
        found[name] = ", ".join(sorted({entry["version"] for entry in loaded if entry["internal_api"] == name}))
    if torch.version.cuda is not None and torch.cuda.is_available():
        found["cuda"] = torch.version.cuda
    return found


def samples_sha256(inputs: npt.NDArray[np.generic], targets: npt.NDArray[np.generic]) -> str:
    """Return the SHA-256 of samples as they came: inputs, then targets, as little-endian doubles in row-major order."""
    digest = hashlib.sha256()
    for table in (inputs, targets):
        digest.update(np.ascontiguousarray(table, "<f8").tobytes())
    return digest.hexdigest()
