"""What an objective asks of a kernel: forward map, adjoint, tangent and second-order adjoint.

A kernel sees the layered map as Q stages, Q = steps · stages per step, stage j with its own K_j (d, d) and b_j (d,).
It knows nothing of regularisation, coordinates or terminal losses; a running cost ρ Σ_s ∫‖X_s‖² dt is part of it, by
the quadrature of its own weights, and every costate and gradient contains it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass
class Trajectory:
    """What a forward pass keeps, for S samples.

    Attributes
    ----------
    states
        (steps + 1, S, d): X_0 … X_N.
    inputs
        (Q, S, d): the state each stage reads; for Euler a view of ``states[:-1]``.
    z, a
        (Q, S, d): K_j Y_j + b_j and σ of it.
    """

    states: Tensor
    inputs: Tensor
    z: Tensor
    a: Tensor


@dataclass
class Adjoint:
    """What a backward pass keeps.

    Attributes
    ----------
    costates
        (steps + 1, S, d): p_i = ∂/∂X_i of the terminal term and the running cost from there on.
    kappa
        (Q, S, d): derivative by the stage's value, divided by the step.
    slope
        (Q, S, d): σ'(z).
    delta
        (Q, S, d): σ'(z) ⊙ kappa.
    gradient_K, gradient_b
        (Q, d, d) and (Q, d): derivatives by the stages' parameters, summed over samples.
    """

    costates: Tensor
    kappa: Tensor
    slope: Tensor
    delta: Tensor
    gradient_K: Tensor
    gradient_b: Tensor


@dataclass
class Tangent:
    """Directional derivatives of a trajectory: of the last state (S, d), the stage inputs and z (Q, S, d)."""

    final: Tensor
    inputs: Tensor
    z: Tensor


class Kernel(Protocol):
    """A layered forward map with its derivatives."""

    steps: int
    stages: int

    def running_cost(self, trajectory: Trajectory) -> Tensor:
        """Return ρ Σ_s ∫‖X_s‖² dt, a scalar tensor."""

    def forward(self, K: Tensor, b: Tensor, x: Tensor, reuse: Trajectory | None = None) -> Trajectory:
        """Propagate x (S, d) through Q stages; ``reuse`` gives buffers of the right shape to write into."""

    def backward(self, trajectory: Trajectory, K: Tensor, p: Tensor) -> Adjoint:
        """Propagate the final costate p (S, d) back to X_0."""

    def gradient(self, trajectory: Trajectory, K: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        """Return the adjoint's parameter gradients alone; the trajectory's z may be overwritten."""

    def tangent(self, trajectory: Trajectory, slope: Tensor, K: Tensor, dK: Tensor, db: Tensor) -> Tangent:
        """Differentiate the trajectory along (dK, db)."""

    def second_adjoint(
        self, trajectory: Trajectory, adjoint: Adjoint, tangent: Tangent, K: Tensor, dK: Tensor, dp: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Differentiate ``gradient_K`` and ``gradient_b`` along (dK, db), with dp the change of the final costate."""
