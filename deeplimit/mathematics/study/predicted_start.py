"""Where the minimiser of a model is expected, from those of other depths: an expansion in h = 1/n.

Minimisers of one branch depend smoothly on h, so the polynomial through those of the last depths, at the wanted h, is
closer than any of them; at h = 0 it is Richardson's extrapolation to the continuum. Between nodes a cubic spline errs
less than the piecewise-linear lift, whose derivative jumps (de Boor 2001, *A practical guide to splines*, chapter V).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from scipy.interpolate import CubicSpline
from torch import Tensor

from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.model.residual_network import DiscreteParameters
from deeplimit.mathematics.model.transfer import Model, lift

_DEPTHS: Final = 3
"""Depths that a prediction is made of: more would add the noise of coarse ones."""
_LARGEST_WEIGHTS: Final = 8.0
"""Sum of the weights' sizes above which the depths are too close to each other to tell a trend."""


def predicted_start(minimisers: Sequence[DiscreteParameters], model: Model) -> Tensor | None:
    """Return flat coordinates (length,) of the minimiser that is expected of ``model``, or None without a trend.

    Parameters
    ----------
    minimisers
        Of coarser depths of one branch, coarse to fine.
    """
    known = list(minimisers)[-_DEPTHS:]
    if len(known) < 2:
        return None
    wanted = 0.0 if isinstance(model, Flow) else 1.0 / model.depth
    weights = _extrapolation([1.0 / each.depth for each in known], wanted)
    if sum(map(abs, weights)) > _LARGEST_WEIGHTS:
        return None
    starts = torch.stack([_in_coordinates(each, model, known[-1].depth) for each in known])
    return starts.new_tensor(weights) @ starts


def _extrapolation(steps: Sequence[float], wanted: float) -> list[float]:
    """Return the weights of Lagrange's polynomial through ``steps`` at the wanted one."""
    weights = []
    for step in steps:
        weight = 1.0
        for other in steps:
            if other != step:
                weight *= (wanted - other) / (step - other)
        weights.append(weight)
    return weights


def _in_coordinates(minimiser: DiscreteParameters, model: Model, finest: int) -> Tensor:
    if isinstance(model, Flow):
        return model.project(lift(_resampled(minimiser, finest)))
    return model.encode(_resampled(minimiser, model.depth))


def _resampled(parameters: DiscreteParameters, depth: int) -> DiscreteParameters:
    """Return the values of a spline through the nodes at those of another depth."""
    if depth == parameters.depth:
        return parameters

    def values(nodes: Tensor) -> Tensor:
        at = torch.arange(len(nodes), dtype=torch.float64) / len(nodes)
        spline = CubicSpline(at.numpy(), nodes.detach().cpu().double().numpy(), axis=0)
        return torch.from_numpy(spline(torch.arange(depth, dtype=torch.float64).numpy() / depth)).to(nodes)

    return DiscreteParameters(values(parameters.K), values(parameters.b), parameters.W, parameters.c)
