"""Arrays that an evaluation computed, in the forms a client may ask for: JSON, safetensors, NPZ."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy

from service.parameters import as_lists

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def read(content: bytes) -> dict[str, NDArray[Any]]:
    """Read a safetensors file."""
    return dict(safetensors.numpy.load(content))


def count(arrays: Mapping[str, NDArray[Any]]) -> int:
    """Count the numbers."""
    return sum(array.size for array in arrays.values())


def to_json(model: str, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Write arrays as JSON, beside the model's name; numbers with full round-trip digits."""
    body = {"model": model} | {name: as_lists(array) for name, array in arrays.items()}
    return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()


def to_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Write arrays as NPZ."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()
