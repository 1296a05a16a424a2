"""Depths whose coordinates have another order or other signs: K → G K Gᵀ, b → G b.

Such weights compute the same states, with their coordinates in another order, so training may find either; the order is
a symmetry of the objective where the coordinates start alike, as those do that pad the input with zeros, and the signs
where σ is odd. Weights alone do not tell whether that holds. What can be told is that the depths would approach each
other if it did.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, permutations, product
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from deeplimit.mathematics.diagnostics.sequence.scaling import NetworkWeights, Path, interpolated

Floats = npt.NDArray[np.float64]
_Element = tuple[npt.NDArray[np.int64], Floats]
"""A permutation of the coordinates and their signs, (d,) each."""
_Layers = tuple[Floats, Floats]
"""K (n, d, d) and b (n, d)."""

_EXACT: Final = 4
"""Coordinates up to which the whole group is searched; beyond, an assignment is improved in turn."""
_ROUNDS: Final = 20


def relabelled(networks: list[NetworkWeights]) -> list[NetworkWeights] | None:
    """Return every network in the labels nearest to those of the depth before, or None without K (d, d) and b (d,).

    One network of each depth, the first.
    """
    first = {len(next(iter(each.paths().values()))): each for each in reversed(networks)}
    ladder = [first[depth] for depth in sorted(first)]
    K = np.asarray(ladder[0].layers.get("K", 0.0))
    if K.ndim != 3 or K.shape[1] != K.shape[2] or np.asarray(ladder[0].layers.get("b")).shape[1:] != K.shape[1:2]:
        return None
    out = [ladder[0]]
    for _, network in pairwise(ladder):
        reference, other = (_layers(each, len(np.asarray(network.layers["b"]))) for each in (out[-1], network))
        order, sign = _nearest(reference, other)
        K, b = _layers(network, None)
        out.append(NetworkWeights({"K": _moved(K, order, sign), "b": b[:, order] * sign}))
    return out


def _layers(network: NetworkWeights, depth: int | None) -> _Layers:
    """Return K and b, at the nodes of another depth if one is given."""
    K, b = (np.asarray(network.layers[name], dtype=np.float64) for name in ("K", "b"))
    if depth is None:
        return K, b
    nodes = np.arange(depth) / depth
    return interpolated(Path(K.reshape(len(K), -1)), nodes).reshape(depth, *K.shape[1:]), interpolated(Path(b), nodes)


def _moved(K: Floats, order: npt.NDArray[np.int64], sign: Floats) -> Floats:
    return np.asarray(K[:, order][:, :, order] * sign[:, None] * sign)


def _nearest(reference: _Layers, other: _Layers) -> _Element:
    """Return the order and the signs that bring ``other`` nearest to ``reference``, of those that are tried."""
    return max(_elements(reference, other), key=lambda element: _overlap(reference, other, element))


def _overlap(reference: _Layers, other: _Layers, element: _Element) -> float:
    order, sign = element
    inner = (reference[0] * _moved(other[0], order, sign)).sum()
    return float(inner + (reference[1] * other[1][:, order] * sign).sum())


def _elements(reference: _Layers, other: _Layers) -> Iterator[_Element]:
    d = reference[1].shape[1]
    if d <= _EXACT:
        yield from ((np.array(o), np.array(s)) for o in permutations(range(d)) for s in product((1.0, -1.0), repeat=d))
        return
    biases = reference[1].T @ other[1]
    diagonals = [np.diagonal(each[0], axis1=1, axis2=2) for each in (reference, other)]
    for start in ((np.arange(d), np.ones(d)), _matched(np.abs(biases) + diagonals[0].T @ diagonals[1], biases)):
        yield _improved(reference, other, start)


def _improved(reference: _Layers, other: _Layers, element: _Element) -> _Element:
    """Match each coordinate by what it couples to in the others' present order, until that brings nothing."""
    for _ in range(_ROUNDS):
        order, sign = element
        K, b = _moved(other[0], order, sign), other[1][:, order] * sign
        linear = np.einsum("nij,naj->ia", reference[0], K) + np.einsum("nji,nja->ia", reference[0], K)
        linear += reference[1].T @ b
        pick, turn = _matched(np.abs(linear), linear)
        candidate = order[pick], turn * sign[pick]
        if _overlap(reference, other, candidate) <= _overlap(reference, other, element):
            break
        element = candidate
    return element


def _matched(score: Floats, signed: Floats) -> _Element:
    rows, pick = linear_sum_assignment(score, maximize=True)
    return pick, np.where(signed[rows, pick] < 0.0, -1.0, 1.0)
