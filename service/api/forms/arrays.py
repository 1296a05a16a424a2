"""Arrays that an evaluation computed, as they are kept and as NPZ."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def read(content: bytes) -> dict[str, NDArray[Any]]:
    """Read a safetensors file."""
    return dict(safetensors.numpy.load(content))


def count(arrays: Mapping[str, NDArray[Any]]) -> int:
    """Count the numbers."""
    return sum(array.size for array in arrays.values())


def to_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Write arrays as NPZ."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()
