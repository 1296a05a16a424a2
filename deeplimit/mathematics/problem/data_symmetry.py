"""Exact symmetries of the data: maps of inputs and targets that leave the set of samples as it is.

With {(G x_s, H y_s)} = {(x_s, y_s)}, K → G K Gᵀ, b → G b, W → H W Gᵀ, c → H c leave the objective unchanged at every
depth and in the limit, where σ commutes with G: for permutations always, for sign flips where it is odd. A minimiser's
mirror images are minimisers, then, with the same E.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

_MOST_ELEMENTS: Final = 512
"""Maps of the inputs that are tried: all signed permutations of 4 coordinates, all signs of 9."""
_MOST_WORK: Final = 10**7
"""Numbers that are looked at; larger data are taken to have no symmetry."""
_EQUAL: Final = 1e-9
"""Samples that differ by less than this share of the largest number are equal."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DataSymmetry:
    """One symmetry: (G x)_i = ``input_signs``_i x_{``inputs``_i}, and H of the outputs likewise."""

    inputs: tuple[int, ...]
    input_signs: tuple[float, ...]
    outputs: tuple[int, ...]
    output_signs: tuple[float, ...]


def data_symmetries(x: Array, y: Array, loss: str, outputs: int, *, signs: bool) -> list[DataSymmetry]:
    """Return the symmetries of samples other than the identity.

    Parameters
    ----------
    x, y
        (S, f) inputs; (S, m) targets, or (S,) classes for cross_entropy.
    outputs
        m.
    signs
        Whether inputs may be flipped.
    """
    features, scale = x.shape[1], float(np.abs(x).max(initial=0.0))
    if scale == 0.0 or len(np.unique(x, axis=0)) < len(x):
        return []
    tree, found = cKDTree(x), []
    for order, flips in _elements(features, x.size, signs=signs):
        if order == tuple(range(features)) and min(flips) > 0.0:
            continue
        apart, near = tree.query(x[:, order] * flips, distance_upper_bound=_EQUAL * scale)
        place = np.asarray(near)
        if not np.isfinite(apart).all() or len(np.unique(place)) < len(x):
            continue
        mapped = _classes(y, place, outputs) if loss == "cross_entropy" else _numbers(y, place)
        if mapped is not None:
            found.append(DataSymmetry(order, flips, *mapped))
    return found


def _elements(features: int, size: int, *, signs: bool) -> Iterator[tuple[tuple[int, ...], tuple[float, ...]]]:
    """Yield signed permutations, or where those are too many signs alone, or where these are the flip of all."""
    identity = tuple(range(features))
    every = math.factorial(features) if features <= _MOST_ELEMENTS else _MOST_ELEMENTS + 1
    flips = 2**features if signs else 1
    most = min(_MOST_ELEMENTS, _MOST_WORK // size)
    orders = permutations(identity) if every * flips <= most else [identity]
    if flips <= most:
        either = (1.0, -1.0) if signs else (1.0,)
        yield from product(orders, product(either, repeat=features))
    elif most:
        yield identity, (-1.0,) * features


def _numbers(y: Array, place: npt.NDArray[np.intp]) -> tuple[tuple[int, ...], tuple[float, ...]] | None:
    """Return H where every output keeps or changes its sign, or None."""
    signs, scale = [], float(np.abs(y).max(initial=0.0))
    for before, after in zip(y.T, y[place].T, strict=True):
        sign = next((s for s in (1.0, -1.0) if np.abs(after - s * before).max() <= _EQUAL * scale), None)
        if sign is None:
            return None
        signs.append(sign)
    return tuple(range(len(signs))), tuple(signs)


def _classes(y: Array, place: npt.NDArray[np.intp], outputs: int) -> tuple[tuple[int, ...], tuple[float, ...]] | None:
    """Return H where every class goes to one class, or None."""
    pairs = {(int(after), int(before)) for before, after in zip(y, y[place], strict=True)}
    source = dict(pairs)
    if len(pairs) != len(source) or len(set(source.values())) != len(source):
        return None
    absent = [k for k in range(outputs) if k not in source]
    source |= {k: k for k in absent}
    return tuple(source[k] for k in range(outputs)), (1.0,) * outputs
