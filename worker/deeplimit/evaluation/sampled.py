"""Depths that were never trained: the continuum's recovery sequence against the continuum itself.

K and b are sampled at the nodes i/n and W and c are copied, so that only the integration differs: Euler's global error,
of order 1 in states and predictions (another integrator has its own order: Hairer, Nørsett and Wanner 1993, *Solving
ordinary differential equations I*, theorem II.3.4). Reported are max over i, s of ‖X_i − X(i/n)‖ and the largest entry
of |h(W X_n + c) − h(W X(1) + c)|.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from worker.deeplimit.diagnostics.measure.orders import Observation, observed_orders
from worker.deeplimit.evaluation.fitted import Fitted
from worker.deeplimit.model.flow import ContinuumParameters
from worker.deeplimit.model.transfer import recover


@dataclass
class SampledRow:
    """One depth: the largest deviations of its states and predictions from the continuum's, and their orders."""

    depth: int
    states: float
    predictions: float
    order: dict[str, float | None] = field(default_factory=dict)
    withheld: dict[str, str] = field(default_factory=dict)


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
        From `sample`.
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
    limit = predict(continuum.output(x))
    rows = []
    for network in sorted(networks, key=lambda one: one.depth or 0):
        depth = network.depth or 0
        states = 0.0
        for part in torch.split(x, max(1, 2**22 // ((depth + 1) * x.shape[1]))):
            difference = network.states(part, depth)[1] - continuum.nodal_states(part, depth)
            found = float(torch.linalg.vector_norm(difference, dim=2).max())
            states = float(np.maximum(states, found))  # hands on NaN, which max would lose
        change = (predict(network.output(x)) - limit).abs()
        rows.append(SampledRow(depth, states, float((change if scale is None else change * scale).max())))
    rounding = torch.finfo(x.dtype).eps * 100.0 * max(float(limit.abs().max()), 1.0) + continuum.resolved[1]
    errors = {"states": rounding, "predictions": rounding if scale is None else rounding * float(scale.max())}
    for name, error in errors.items():
        measured = [Observation(row.depth, getattr(row, name), error) for row in rows]
        for row, (order, reason) in zip(rows, observed_orders(measured), strict=True):
            row.order[name] = order if order is None or math.isfinite(order) else None
            if reason is not None:
                row.withheld[name] = reason
    return rows
