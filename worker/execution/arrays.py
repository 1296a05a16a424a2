"""Arrays in the objects that a job is given and in those that it writes: safetensors files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load, save

from service.contract.values.media_types import SAFETENSORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from service.contract.job import ArtifactRef
    from worker.executor import JobInput

    Arrays = Mapping[str, npt.NDArray[np.generic]]


def read_arrays(job: JobInput, key: str) -> Arrays:
    """Read the arrays of an object that the job was given."""
    return load(job.read(key))


def write_arrays(
    job: JobInput, key: str, arrays: Arrays, metadata: Mapping[str, str]
) -> tuple[ArtifactRef, dict[str, Any]]:
    """Write arrays; return the object, and what results say of it: shapes, types and digest."""
    content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, dict(metadata))
    written = job.write(key, content, SAFETENSORS)
    shapes = {name: {"shape": array.shape, "dtype": str(array.dtype)} for name, array in arrays.items()}
    return written, {"arrays": shapes, "sha256": written.sha256}
