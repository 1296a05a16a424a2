"""Arrays as JSON, whatever they are of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def to_json(body: object) -> bytes:
    """Write what JSON has as strict JSON without spaces, numbers with full round-trip digits."""
    return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()


def of_file(content: bytes) -> dict[str, NDArray[Any]]:
    """Read the arrays of a safetensors file by name, in an order that is the same each time."""
    return dict(sorted(safetensors.numpy.load(content).items()))


def as_lists(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return arrays as nested lists, numbers that JSON does not have spelt out."""
    return {
        name: array.tolist() if np.isfinite(array).all() else _spelt(array.tolist()) for name, array in arrays.items()
    }


def _spelt(value: Any) -> Any:
    if isinstance(value, list):
        return [_spelt(entry) for entry in value]
    if np.isfinite(value):
        return value
    if np.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
