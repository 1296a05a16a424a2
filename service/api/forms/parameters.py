"""Fitted parameters in the forms a client may ask for: JSON, safetensors, NPZ; the continuum also on a grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy

from service.api.forms import arrays as forms
from service.api.forms.pieces import of_npz, of_open
from service.contract.train.results import METADATA_KEY, LegendreBasis, ParametersMetadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from service.api.forms.pieces import Pieces
    from service.scratch import Scratch

LAYERED = ("K", "b", "V")
"""What depends on the layer; V in two-layer blocks only."""
MOST_GRID_NUMBERS = 20_000_000
"""Values on a grid in any form: 160 MB."""
GRIDS_AT_ONCE = 2
"""Grids of more numbers than JSON may have, computed at the same time by one process of the API."""


@dataclass(frozen=True, slots=True)
class FittedParameters:
    """Fitted parameters of one model.

    Attributes
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
    def named(self) -> dict[str, NDArray[Any]]:
        """Arrays as binary files name them: those on the grid are ``grid_t``, ``grid_K`` and ``grid_b``."""
        return {**self.arrays, **{f"grid_{name}": array for name, array in self.grid.items()}}

    def to_json(self) -> bytes:
        """Write them as `DiscreteParameters` or `ContinuumParameters`."""
        metadata, numbers = self.metadata, forms.as_lists(self.arrays)
        layered = {name: numbers[name] for name in LAYERED if name in numbers}
        if metadata.basis is not None:
            layered = {"basis": metadata.basis.model_dump(), "coefficients": layered}
        body = {"model": metadata.model, **layered, "W": numbers["W"], "c": numbers["c"]}
        if self.grid:
            body["grid"] = forms.as_lists(self.grid)
        return forms.to_json(body | metadata.model_dump(include={"input_dim", "state_dim", "standardisation"}))

    def to_safetensors(self, scratch: Scratch) -> Pieces:
        """Write them, with the values on the grid, as the file that is kept has them; it is sent from the disk."""
        arrays = {name: np.ascontiguousarray(array) for name, array in self.named.items()}
        with scratch.folder() as folder:
            path = folder / "grid.safetensors"
            safetensors.numpy.save_file(arrays, path, {METADATA_KEY: self._metadata_text()})
            return of_open(path.open("rb"))

    def to_npz(self) -> Pieces:
        """Write them as NPZ, the metadata as a JSON text ``deeplimit``."""
        return of_npz({METADATA_KEY: np.array(self._metadata_text()), **self.named})

    def _metadata_text(self) -> str:
        return self.metadata.model_dump_json(exclude_none=True)


def read(content: bytes, grid: int | None = None) -> FittedParameters:
    """Read a parameters file.

    Parameters
    ----------
    content
        A safetensors file whose metadata hold `ParametersMetadata` as JSON.
    grid
        Points to evaluate the continuum on, at least 2; ``None`` for no grid.
    """
    metadata = ParametersMetadata.of_file(content)
    arrays = forms.of_file(content)
    values: dict[str, NDArray[Any]] = {}
    if grid is not None and metadata.basis is not None:
        t = np.linspace(0.0, 1.0, grid)
        values = {"t": t, **{name: _on_grid(metadata.basis, arrays[name], t) for name in LAYERED if name in arrays}}
    return FittedParameters(metadata, arrays, values)


def numbers_on(grid: int, shapes: Mapping[str, Sequence[int]]) -> int:
    """Count the values of a continuum of such arrays on so many points, these included."""
    return grid * (1 + sum(math.prod(shapes[name][1:]) for name in LAYERED if name in shapes))


def _on_grid(basis: Any, coefficients: NDArray[Any], t: NDArray[np.float64]) -> NDArray[Any]:
    """Evaluate A(t) = Σ_k coefficients[k] φ_k(t), of shape (G, …), from coefficients (p + 1, …) at t (G,) in [0, 1].

    Legendre: φ_k(t) = P_k(2t − 1). Piecewise linear: hat functions at i/p.
    """
    count = len(coefficients)
    if isinstance(basis, LegendreBasis):
        values = np.polynomial.legendre.legvander(2.0 * t - 1.0, count - 1)
    else:
        values = np.maximum(0.0, 1.0 - np.abs((count - 1) * t[:, None] - np.arange(count)))
    on_grid = values @ coefficients.reshape(count, -1).astype(np.float64)
    return on_grid.reshape(len(t), *coefficients.shape[1:])
