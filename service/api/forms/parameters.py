"""Fitted parameters in the forms a client may ask for: JSON, safetensors, NPZ; the continuum also on a grid."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy

from service.contract.train.results import LegendreBasis, ParametersMetadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

LAYERED = ("K", "b", "V")
"""What depends on the layer; V in two-layer blocks only."""
METADATA_KEY = "deeplimit"
MOST_GRID_NUMBERS = 20_000_000
"""On a grid, in any form: 160 MB."""


class GridTooLargeError(Exception):
    """The values on the grid would not fit."""


@dataclass(frozen=True, slots=True)
class FittedParameters:
    """Fitted parameters of one model.

    Parameters
    ----------
    metadata
        What they belong to.
    arrays
        A discrete model: K (n, d, d), b (n, d), W (m, d), c (m,). The continuum: K and b hold coefficients
        (p + 1, d, d) and (p + 1, d). Two-layer blocks: K (·, w, d), b (·, w) and V (·, d, w).
    grid
        Values of the continuum on a grid: t (G,), K (G, d, d), b (G, d); empty unless asked for.
    """

    metadata: ParametersMetadata
    arrays: Mapping[str, NDArray[Any]]
    grid: Mapping[str, NDArray[Any]]

    @property
    def numbers(self) -> int:
        """How many numbers there are."""
        return sum(array.size for array in (*self.arrays.values(), *self.grid.values()))


def read(content: bytes, grid: int | None = None) -> FittedParameters:
    """Read a parameters file.

    Parameters
    ----------
    content
        A safetensors file whose metadata hold `ParametersMetadata` as JSON.
    grid
        Points to evaluate the continuum on, at least 2; ``None`` for no grid.

    Returns
    -------
    FittedParameters
        Its arrays, and the values on the grid.

    Raises
    ------
    GridTooLargeError
        There would be more than `MOST_GRID_NUMBERS`.
    """
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    metadata = ParametersMetadata.model_validate_json(header["__metadata__"][METADATA_KEY])
    arrays = safetensors.numpy.load(content)
    values: dict[str, NDArray[Any]] = {}
    if grid is not None and metadata.basis is not None:
        layered = [name for name in LAYERED if name in arrays]
        if grid * (sum(arrays[name][0].size for name in layered) + 1) > MOST_GRID_NUMBERS:
            raise GridTooLargeError
        t = np.linspace(0.0, 1.0, grid)
        values = {"t": t, **{name: _on_grid(metadata.basis, arrays[name], t) for name in layered}}
    return FittedParameters(metadata, arrays, values)


def _on_grid(basis: Any, coefficients: NDArray[Any], t: NDArray[np.float64]) -> NDArray[Any]:
    """Evaluate a parameter A(t) = Σ_k coefficients[k] φ_k(t).

    Parameters
    ----------
    basis
        Legendre: φ_k(t) = P_k(2t − 1). Piecewise linear: hat functions at i/cells.
    coefficients
        (p + 1, …).
    t
        (G,) in [0, 1].

    Returns
    -------
    ndarray
        (G, …).
    """
    count = len(coefficients)
    if isinstance(basis, LegendreBasis):
        values = np.polynomial.legendre.legvander(2.0 * t - 1.0, count - 1)
    else:
        values = np.maximum(0.0, 1.0 - np.abs((count - 1) * t[:, None] - np.arange(count)))
    on_grid = values @ coefficients.reshape(count, -1).astype(np.float64)
    return on_grid.reshape(len(t), *coefficients.shape[1:])


def to_json(parameters: FittedParameters) -> bytes:
    """Write parameters as JSON.

    Parameters
    ----------
    parameters
        Of one model.

    Returns
    -------
    bytes
        As `DiscreteParameters` or `ContinuumParameters`; numbers with full round-trip digits.
    """
    metadata, arrays = parameters.metadata, parameters.arrays
    numbers = {name: as_lists(array) for name, array in arrays.items()}
    body: dict[str, Any] = {"model": metadata.model}
    if metadata.basis is None:
        body |= {name: numbers[name] for name in (*LAYERED, "W", "c") if name in numbers}
    else:
        body["basis"] = metadata.basis.model_dump()
        body["coefficients"] = {name: numbers[name] for name in LAYERED if name in numbers}
        body |= {name: numbers[name] for name in ("W", "c")}
        if parameters.grid:
            body["grid"] = {name: as_lists(array) for name, array in parameters.grid.items()}
    body |= metadata.model_dump(include={"input_dim", "state_dim", "standardisation"})
    return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()


def as_lists(array: NDArray[Any]) -> Any:
    """Return an array as nested lists, numbers that JSON does not have spelt out."""
    lists = array.tolist()
    return lists if np.isfinite(array).all() else _spelt(lists)


def _spelt(value: Any) -> Any:
    """Spell numbers that JSON does not have."""
    if isinstance(value, list):
        return [_spelt(entry) for entry in value]
    if np.isfinite(value):
        return value
    if np.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _named(parameters: FittedParameters) -> dict[str, NDArray[Any]]:
    return {**parameters.arrays, **{f"grid_{name}": array for name, array in parameters.grid.items()}}


def to_safetensors(parameters: FittedParameters) -> bytes:
    """Write parameters as safetensors, those on the grid as ``grid_t``, ``grid_K`` and ``grid_b``."""
    metadata = {METADATA_KEY: parameters.metadata.model_dump_json(exclude_none=True)}
    arrays = {name: np.ascontiguousarray(array) for name, array in _named(parameters).items()}
    return safetensors.numpy.save(arrays, metadata)


def to_npz(parameters: FittedParameters) -> bytes:
    """Write parameters as NPZ, those on the grid as in `to_safetensors`, the metadata as a JSON text ``deeplimit``."""
    file = io.BytesIO()
    text = np.array(parameters.metadata.model_dump_json(exclude_none=True))
    np.savez(file, allow_pickle=False, **{METADATA_KEY: text}, **_named(parameters))
    return file.getvalue()
