"""A trained model, rebuilt from its parameters, as a map from inputs to states and outputs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.kernels.tableau import RK4
from deeplimit.mathematics.model.coordinates import PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters, integrate
from deeplimit.mathematics.model.objective import samples_at_once
from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from deeplimit.mathematics.model.transfer import lift
from deeplimit.mathematics.problem.learning_problem import Problem

FIRST_STEPS: Final = 32
MOST_STEPS: Final = 4096
SMOOTH_ERROR: Final = 1e-12
"""Wanted error of the states of a flow, relative to their size."""


@dataclass
class Fitted:
    """A trained network, or the continuum.

    Attributes
    ----------
    name
        As results name it, such as ``discrete-64``.
    problem
        Activation, terminal loss and regime; its data are those of the evaluation.
    parameters
        θ_n, or θ of the continuum.
    training_steps
        Runge–Kutta steps that the continuum was trained with; None where that is not known, and for networks.
    """

    name: str
    problem: Problem
    parameters: DiscreteParameters | ContinuumParameters
    training_steps: int | None = None

    @property
    def depth(self) -> int | None:
        """n, or None for the continuum."""
        return self.parameters.depth if isinstance(self.parameters, DiscreteParameters) else None

    @cached_property
    def flow(self) -> ContinuumParameters:
        """θ of the continuum, or the H¹ lift of θ_n."""
        return lift(self.parameters) if isinstance(self.parameters, DiscreteParameters) else self.parameters

    @cached_property
    def resolved(self) -> tuple[int | None, float]:
        """Runge–Kutta steps that resolve the flow on the problem's data, and the error they leave; no steps for a net.

        The steps are doubled until the error left is below `SMOOTH_ERROR` of the size of X(1), or at `MOST_STEPS`. It
        is the last change of X(1) over 15 = 2⁴ − 1, the method's order being 4; where states cross the kinks of σ the
        order is not known, and it is the change itself. Steps of a piecewise-linear basis are whole parts of its cells.
        """
        if isinstance(self.parameters, DiscreteParameters):
            return None, 0.0
        basis, left = self.parameters.basis, 1.0 / 15.0 if self.problem.smooth else 1.0
        steps = basis.cells if isinstance(basis, PiecewiseLinearIncrements) else FIRST_STEPS
        before = self._final(self.problem.x, steps)
        while True:
            after = self._final(self.problem.x, 2 * steps)
            scale = max(float(after.abs().max()), 1e-300)
            error = left * float((after - before).abs().max())
            if not error > SMOOTH_ERROR * scale or 2 * steps >= MOST_STEPS:
                return 2 * steps, error
            steps, before = 2 * steps, after

    def final(self, x: Tensor) -> Tensor:
        """Return X_n or X(1) (S', d) from lifted inputs x (S', d), in parts of bounded memory."""
        if isinstance(self.parameters, DiscreteParameters):
            network = ResidualNetwork(self.problem, self.parameters.depth)
            return network.final(network.encode(self.parameters), x)
        steps, _ = self.resolved
        return self._final(x, steps or FIRST_STEPS)

    def output(self, x: Tensor) -> Tensor:
        """Return z = W X + c (S', m)."""
        return self.read_out(self.final(x))

    def read_out(self, final: Tensor) -> Tensor:
        """Return z = W X + c (S', m) of final states (S', d)."""
        return torch.addmm(self.parameters.c, final, self.parameters.W.T)

    def states(self, x: Tensor, every: int) -> tuple[Tensor, Tensor]:
        """Return times (T,) in [0, 1] and states (T, S', d): a network's nodes, or those of ``every`` + 1 equal times.

        The continuum is integrated with a whole number of steps between two of the times.
        """
        if isinstance(self.parameters, DiscreteParameters):
            network = ResidualNetwork(self.problem, self.parameters.depth)
            u = network.encode(self.parameters)
            return torch.linspace(0.0, 1.0, self.parameters.depth + 1, dtype=x.dtype), network.trajectory(u, x)
        return torch.linspace(0.0, 1.0, every + 1, dtype=x.dtype), self.nodal_states(x, every)

    def nodal_states(self, x: Tensor, nodes: int) -> Tensor:
        """Return the flow's states at i/nodes, (nodes + 1, S', d), resolved as ``resolved`` has it."""
        wanted = self.resolved[0] or FIRST_STEPS
        each = -(-wanted // nodes)
        return torch.cat([self._integrate(part, nodes * each, each) for part in self._parts(x)], 1)

    def _final(self, x: Tensor, steps: int) -> Tensor:
        return torch.cat([self._integrate(part, steps, steps)[-1] for part in self._parts(x)])

    def _integrate(self, x: Tensor, steps: int, every: int) -> Tensor:
        return integrate(self.problem, self.flow, steps, x, every=every)

    def _parts(self, x: Tensor) -> tuple[Tensor, ...]:
        return torch.split(x, samples_at_once(self.problem, RK4.stages))
