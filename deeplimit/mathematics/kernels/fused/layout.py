"""Between torch's arrays (…, S, d) and the flat ones of the loops, in which samples lie side by side."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from deeplimit.mathematics.kernels.fused.lanes import PANEL

Floats = npt.NDArray[np.float64]
TILE: Final = 4
"""Features are padded to a multiple of this."""


def padded_features(d: int) -> int:
    """Return the features that d ones take."""
    return -(-d // TILE) * TILE


def padded_lanes(samples: int) -> int:
    """Return the lanes that so many samples take."""
    return -(-samples // PANEL) * PANEL


def flat(value: Tensor) -> Floats:
    """Return the numbers of a tensor in a row, without a copy where they lie so."""
    numbers: Floats = value.detach().reshape(-1).numpy()
    return numbers


def flat_weights(K: Tensor) -> Floats:
    """Return K (Q, d, d) in a row, padded with zeros."""
    missing = -K.shape[1] % TILE
    return flat(functional.pad(K, (0, missing, 0, missing)) if missing else K)


def flat_biases(b: Tensor) -> Floats:
    """Return b (Q, d) in a row, padded with zeros."""
    missing = -b.shape[1] % TILE
    return flat(functional.pad(b, (0, missing)) if missing else b)


def split_gradients(gradient: Tensor, stages: int, d: int) -> tuple[Tensor, Tensor]:
    """Return views (Q, d, d) and (Q, d) of padded gradients by K and b that lie in a row."""
    padded = padded_features(d)
    middle = stages * padded * padded
    by_K = gradient[:middle].view(stages, padded, padded)
    by_b = gradient[middle : middle + stages * padded].view(stages, padded)
    return by_K[:, :d, :d], by_b[:, :d]


class Laid:
    """Numbers (count, S, d) that lie as (count, padded d, lanes): ``view`` for torch, ``flat`` for the loops."""

    def __init__(self, count: int, samples: int, d: int) -> None:
        self.sizes = (padded_features(d), padded_lanes(samples), samples)
        self._storage = torch.empty((count, *self.sizes[:2]), dtype=torch.float64)
        self.flat = flat(self._storage)
        self.view = self._storage[:, :d, :samples].transpose(1, 2)

    def put(self, index: int, value: Tensor, *, repeat: bool) -> None:
        """Write (S, d) to one place; padded features become 0, padded samples 0 or, if ``repeat``, the last one again.

        What repeats a sample diverges only where that does.
        """
        place, (samples, d) = self._storage[index], value.shape
        place[d:] = 0.0
        place[:d, :samples] = value.T
        place[:d, samples:] = value[-1:].T if repeat else 0.0

    def like(self, count: int | None = None) -> Laid:
        """Return another of this many (by default as many) arrays."""
        return Laid(self._storage.shape[0] if count is None else count, self.sizes[2], self.view.shape[2])
