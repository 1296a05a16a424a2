"""What one layer of a network costs, or one step of the flow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from service.contract.train.regimes import Block, Integrator

if TYPE_CHECKING:
    from service.contract.train.resolved import ResolvedNetwork

CONTINUUM_DEGREE: Final = 16
STAGES: Final = 4
"""Evaluations of the right-hand side in a step of the classical Runge–Kutta method, which integrates the continuum."""
FLOPS_FORWARD: Final = 2
"""A product with K takes a multiplication and an addition for each of its entries."""
FLOPS_GRADIENT: Final = 3 * FLOPS_FORWARD
"""Multiplies by K forward, by Kᵀ backward, and forms the outer product."""
SYSTEMS_FORWARD: Final = 3
"""Linear systems of size d that Newton's method solves for a sample and layer of implicit Euler, d³ operations each."""
SYSTEMS_GRADIENT: Final = SYSTEMS_FORWARD + 1


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What one layer of a network costs, or one step of the flow.

    Attributes
    ----------
    state_dim, width
        d, and the entries w of b.
    entries
        Numbers of K, and of V in a two-layer block.
    stages
        Evaluations of the right-hand side.
    implicit
        Whether Newton's method solves for the next state.
    """

    state_dim: int
    width: int
    entries: int
    stages: int
    implicit: bool

    @classmethod
    def of(cls, network: ResolvedNetwork) -> LayerCost:
        """Return the cost of a layer of a network."""
        d, w = network.state_dim, network.width or network.state_dim
        return cls(
            state_dim=d,
            width=w,
            entries=w * d * (2 if network.block is Block.TWO_LAYER else 1),
            stages=network.integrator.stages,
            implicit=network.integrator is Integrator.IMPLICIT_EULER,
        )

    def of_flow(self) -> LayerCost:
        """Return the cost of a step of the continuum, which has the same right-hand side."""
        return replace(self, stages=STAGES, implicit=False)

    @property
    def numbers(self) -> int:
        """Numbers of K, V and b."""
        return self.entries + self.width

    @property
    def widest(self) -> int:
        """Numbers of the largest vector inside."""
        return max(self.state_dim, self.width)

    def forward(self) -> float:
        """Return the operations that one sample takes."""
        return self._operations(FLOPS_FORWARD, SYSTEMS_FORWARD)

    def gradient(self) -> float:
        """Return the operations of one sample's part of a gradient."""
        return self._operations(FLOPS_GRADIENT, SYSTEMS_GRADIENT)

    def _operations(self, per_entry: int, systems: int) -> float:
        solves = systems * self.state_dim**3 if self.implicit else 0
        return float(self.stages * per_entry * self.entries + solves)
