"""Coordinates of a network's nodal values A_0 … A_{n−1} in each regime, and what stages off the nodes read of them.

In each the regulariser is a multiple of ‖u‖², so that the Hessian is a compact perturbation of a multiple of the
identity and minimisation stays as fast as in the paper's scaling. The regime's ``weight`` is the multiple.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from deeplimit.mathematics.model.coordinates import DiscreteIncrements, StageMap
from deeplimit.mathematics.problem.regime import Regime, Scaling


class LayerCoordinates(StageMap, Protocol):
    """The map from ``size`` coordinates u (size, ...) to nodal values (n, ...), its transpose and its inverse."""

    size: int

    def coordinates(self, A: Tensor, tau: float) -> Tensor:
        """Return u from A (n, ...)."""

    def scale_start(self, u: Tensor) -> None:
        """Turn standard normal numbers into the coordinates of a random start, in place.

        Starts have one law in every scaling that sees increments (√τ A_0 and √n (A_i − A_{i−1}) normal), and normal
        A_i, layer by layer, where nothing ties layers together.
        """


class LayerValues:
    """u_i = A_i/√n: R(A) = (1/n) Σ ‖A_i‖² = ‖u‖², for Tikhonov's regulariser, and without any."""

    def __init__(self, depth: int) -> None:
        self.size = depth

    def apply(self, u: Tensor, tau: float) -> Tensor:
        """Return A (n, ...) from u (n, ...)."""
        del tau
        return u * math.sqrt(self.size)

    def transpose(self, gradient: Tensor, tau: float) -> Tensor:
        """Return the gradient in u from the one in A."""
        del tau
        return gradient * math.sqrt(self.size)

    def coordinates(self, A: Tensor, tau: float) -> Tensor:
        """Return u from A; see ``LayerCoordinates``."""
        del tau
        return A / math.sqrt(self.size)

    def scale_start(self, u: Tensor) -> None:
        """Make every A_i standard normal; see ``LayerCoordinates``."""
        u.div_(math.sqrt(self.size))


class SharedLayer:
    """One value for all layers, u = √τ A: R(A) = τ‖A‖² = ‖u‖²."""

    size = 1

    def __init__(self, depth: int) -> None:
        self.depth = depth

    def apply(self, u: Tensor, tau: float) -> Tensor:
        """Return A, n times the same, as a view."""
        return (u / math.sqrt(tau)).expand(self.depth, *u.shape[1:])

    def transpose(self, gradient: Tensor, tau: float) -> Tensor:
        """Return the gradient in u: that in A, summed over layers."""
        return gradient.sum(0, keepdim=True) / math.sqrt(tau)

    def coordinates(self, A: Tensor, tau: float) -> Tensor:
        """Return u from A, whose entries are equal; see ``LayerCoordinates``."""
        return A[:1] * math.sqrt(tau)

    def scale_start(self, u: Tensor) -> None:
        """Leave √τ A normal; see ``LayerCoordinates``."""


class LiftSampling:
    """What the stages of a Runge-Kutta step read: the lift at (i + c_j)/n.

    The lift is linear between nodes and constant beyond the last, so stage j of layer i reads
    (1 − c_j) A_i + c_j A_{i+1} with A_n = A_{n−1}.
    """

    def __init__(self, layers: LayerCoordinates, c: Sequence[float]) -> None:
        self._layers = layers
        self._c = tuple(c)

    def apply(self, u: Tensor, tau: float) -> Tensor:
        """Return the stage values (n · stages, ...)."""
        A = self._layers.apply(u, tau)
        following = torch.cat([A[1:], A[-1:]])
        return torch.stack([torch.lerp(A, following, c) for c in self._c], 1).flatten(0, 1)

    def transpose(self, gradient: Tensor, tau: float) -> Tensor:
        """Return the gradient in u from the one by stage values."""
        by_stage = gradient.reshape(-1, len(self._c), *gradient.shape[1:])
        c = gradient.new_tensor(self._c).view(-1, *[1] * (gradient.ndim - 1))
        out = (by_stage * (1.0 - c)).sum(1)
        following = (by_stage * c).sum(1)
        out[1:] += following[:-1]
        out[-1] += following[-1]
        return self._layers.transpose(out, tau)


def coordinates_for(regime: Regime, depth: int) -> LayerCoordinates:
    """Return the coordinates in which the regime's regulariser is a multiple of ‖u‖²."""
    if regime.constant:
        return SharedLayer(depth)
    if regime.scaling in (Scaling.L2, Scaling.NONE):
        return LayerValues(depth)
    return DiscreteIncrements(depth, scale=1.0 if regime.scaling is Scaling.UNSCALED else None)


def stage_map(regime: Regime, layers: LayerCoordinates) -> StageMap:
    """Return what the integrator's stages read; Euler's read the nodes."""
    c = regime.integrator.tableau.c
    return layers if c == (0.0,) else LiftSampling(layers, c)
