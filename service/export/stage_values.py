"""What the stages of an integrator read of K, b and V: at the start, in the middle and at the end of each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from service.contract.train.results import LegendreBasis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from service.export.network import Network

TIMES: Final[Mapping[str, tuple[float, ...]]] = {
    "euler": (0.0,),
    "midpoint": (0.0, 0.5),
    "rk4": (0.0, 0.5, 1.0),
    "implicit_euler": (1.0,),
}
"""Times within a step, as parts of it, at which each integrator reads its parameters."""


def stage_values(network: Network, arrays: Mapping[str, NDArray[Any]]) -> list[list[NDArray[np.float64]]]:
    """Return, for each time within a step, the values (steps, …) of K, b and, of two-layer blocks, V."""
    names = ("K", "b", "V") if network.two_layer else ("K", "b")
    steps = network.steps
    values = []
    for time in TIMES[network.integrator]:
        t = (np.arange(steps) + time) / steps
        of_basis = network.basis is not None
        weights = _basis_weights(network, len(arrays["b"]), t) if of_basis else _layer_weights(steps, time)
        values.append([_weighted(weights, arrays[name]) for name in names])
    return values


def _weighted(weights: NDArray[np.float64], array: NDArray[Any]) -> NDArray[np.float64]:
    flat = array.reshape(len(array), -1).astype(np.float64)
    return np.ascontiguousarray((weights @ flat).reshape(len(weights), *array.shape[1:]))


def _layer_weights(steps: int, time: float) -> NDArray[np.float64]:
    """Layers are joined linearly, and the last one lasts to the end."""
    weights = (1.0 - time) * np.eye(steps)
    following = np.minimum(np.arange(steps) + 1, steps - 1)
    weights[np.arange(steps), following] += time
    return weights


def _basis_weights(network: Network, size: int, t: NDArray[np.float64]) -> NDArray[np.float64]:
    if isinstance(network.basis, LegendreBasis):
        return np.asarray(np.polynomial.legendre.legvander(2.0 * t - 1.0, size - 1), np.float64)
    return np.maximum(0.0, 1.0 - np.abs((size - 1) * t[:, None] - np.arange(size)))
