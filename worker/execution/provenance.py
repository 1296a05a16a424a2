"""What the numbers of a job came from."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch

from service.contract.results import Provenance
from service.contract.train.resolved import spec_sha256

if TYPE_CHECKING:
    from worker.executor import JobInput


def provenance_of(
    job: JobInput, *, seed: int, seconds: float, device: Any = "cpu", dtype: str = "float64"
) -> Provenance:
    """Return the provenance of a job's results, which took so many seconds of wall time."""
    return Provenance.model_validate(
        {
            "spec_sha256": spec_sha256(job.spec),
            "seed": seed,
            "torch": torch.__version__,
            "device": str(device),
            "dtype": dtype,
            "version": version("deeplimit"),
            "wall_time_s": seconds,
        }
    )
