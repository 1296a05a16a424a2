"""Depths that were never trained: the continuum's recovery sequence against the continuum itself.

K and b are sampled at the nodes i/n and W and c are copied, so that only the integration differs: Euler's global error,
of order 1 in states and predictions (another integrator has its own order: Hairer, Nørsett and Wanner 1993, *Solving
ordinary differential equations I*, theorem II.3.4). Reported are max over i, s of ‖X_i − X(i/n)‖ and the largest entry
of |h(W X_n + c) − h(W X(1) + c)|.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deeplimit.mathematics.diagnostics.measure.orders import Observation, observed_orders
from deeplimit.mathematics.evaluation.fitted import Fitted
from deeplimit.mathematics.model.flow import ContinuumParameters
from deeplimit.mathematics.model.transfer import recover


@dataclass(frozen=True)
class SampledErrors:
    """The largest deviation of one quantity from the continuum's, and its observed order."""

    sup_error: float
    order: float | None


@dataclass(frozen=True)
class SampledRow:
    """One depth: its states and predictions."""

    depth: int
    states: SampledErrors
    predictions: SampledErrors
    withheld: dict[str, str]


def sample(continuum: Fitted, depth: int) -> Fitted:
    """Return the member of depth n of the continuum's recovery sequence."""
    if not isinstance(continuum.parameters, ContinuumParameters):
        raise TypeError("only the continuum is sampled")
    return Fitted(f"sampled-{depth}", continuum.problem, recover(continuum.parameters, depth))


def sampling_errors(
    continuum: Fitted, networks: Sequence[Fitted], x: Tensor, scale: Tensor | None = None
) -> list[SampledRow]:
    """Return how far sampled networks are from the continuum, by depth.

    Parameters
    ----------
    continuum, networks
        The continuum, and members of its recovery sequence (`sample`).
    x
        (S, d) lifted inputs.
    scale
        (m,) factors from scaled targets back to the user's units.

    Returns
    -------
    list[SampledRow]
        max over i and s of ‖X_i[x_s] − X(i/n)[x_s]‖, and the largest entry of the difference of predictions h.
    """
    predict = continuum.problem.loss.predict
    limit, depths = predict(continuum.output(x)), list[int]()
    deviations: dict[str, list[float]] = {"states": [], "predictions": []}
    for network in sorted(networks, key=lambda one: one.depth or 0):
        depth = network.depth or 0
        states = 0.0
        for part in torch.split(x, max(1, 2**22 // ((depth + 1) * x.shape[1]))):
            difference = network.states(part, depth)[1] - continuum.nodal_states(part, depth)
            largest = float(torch.linalg.vector_norm(difference, dim=2).max())
            states = float(np.maximum(states, largest))  # hands on NaN, which max would lose
        change = (predict(network.output(x)) - limit).abs()
        depths.append(depth)
        deviations["states"].append(states)
        deviations["predictions"].append(float((change if scale is None else change * scale).max()))
    rounding = torch.finfo(x.dtype).eps * 100.0 * max(float(limit.abs().max()), 1.0) + continuum.resolved[1]
    errors = {"states": rounding, "predictions": rounding if scale is None else rounding * float(scale.max())}
    orders = {
        name: observed_orders([Observation(n, value, errors[name]) for n, value in zip(depths, values, strict=True)])
        for name, values in deviations.items()
    }
    rows = []
    for row, depth in enumerate(depths):
        parts, withheld = dict[str, SampledErrors](), dict[str, str]()
        for name, values in deviations.items():
            order, reason = orders[name][row]
            if order is None or not math.isfinite(order):
                order = None
                withheld[name] = reason or ("a deviation is not finite" if row else "it takes a coarser depth")
            parts[name] = SampledErrors(values[row], order)
        rows.append(SampledRow(depth, **parts, withheld=withheld))
    return rows
