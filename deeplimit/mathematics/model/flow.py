"""The continuum model: X' = σ(K(t) X + b(t)) on [0, T], and its objective E_∞, discretised by basis and steps.

K and b are functions of t/T in [0, 1]; times below are in that unit, and T is 1 but for the regime. The flow map is
computed with N steps of the classical Runge-Kutta method, and the scheme is differentiated exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from deeplimit.mathematics.kernels.checkpoints import nodes
from deeplimit.mathematics.kernels.tableau import RK4, Tableau
from deeplimit.mathematics.model.coordinates import ContinuumBasis, PiecewiseLinearIncrements, stages_of
from deeplimit.mathematics.model.objective import DiscretisedObjective
from deeplimit.mathematics.problem.learning_problem import LAYERED, Problem
from deeplimit.mathematics.watch import look


@dataclass(frozen=True)
class ContinuumParameters:
    """θ: functions K and b in a basis with τ = 1 increment coordinates u (q, d, d) and (q, d); W (m, d), c (m,)."""

    basis: ContinuumBasis
    K: Tensor
    b: Tensor
    W: Tensor
    c: Tensor

    def sample(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return K (T, d, d) and b (T, d) at times t (T,)."""
        return self.basis.sample(self.K, 1.0, t), self.basis.sample(self.b, 1.0, t)

    def derivative(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return K' (T, d, d) and b' (T, d) at times t (T,)."""
        return self.basis.derivative(self.K, t), self.basis.derivative(self.b, t)

    def coefficients(self) -> tuple[Tensor, Tensor]:
        """Return what a client is given: coefficients in P_k(2t−1), or nodal values at i/M."""
        return self.basis.coefficients(self.K, 1.0), self.basis.coefficients(self.b, 1.0)

    @classmethod
    def from_coefficients(cls, basis: ContinuumBasis, K: Tensor, b: Tensor, W: Tensor, c: Tensor) -> Self:
        """Return θ from what a client is given; the inverse of ``coefficients``."""
        return cls(basis, basis.coordinates(K, 1.0), basis.coordinates(b, 1.0), W, c)


class Flow(DiscretisedObjective):
    """E_∞ of Thorpe and van Gennip (2023), (1.6), restricted to a basis and N Runge-Kutta steps."""

    def __init__(self, problem: Problem, basis: ContinuumBasis, steps: int) -> None:
        self.basis = basis
        self.steps = steps
        kernel = problem.kernel(RK4, steps)
        stage_map = stages_of(basis, stage_times(steps).to(problem.x))
        super().__init__(problem, kernel, stage_map, basis.size)

    def parameters(self, u: Tensor) -> ContinuumParameters:
        """Return θ at flat coordinates u, with fixed parameters as constant functions."""

        def without_tau(part: Tensor, tau: float) -> Tensor:
            part[0] /= tau**0.5
            return part

        parts = self._layerwise(self.coordinates.unpack(u.clone()), without_tau)
        for name, value in self.problem.fixed.items():
            if name in LAYERED:
                parts[name] = value.new_zeros((self.basis.size, *value.shape))
                parts[name][0] = value
            else:
                parts[name] = value
        return ContinuumParameters(basis=self.basis, **parts)

    def encode(self, parameters: ContinuumParameters) -> Tensor:
        """Return the flat coordinates of parameters in this basis or one that it refines."""

        def refined(u: Tensor, tau: float) -> Tensor:
            finer = parameters.basis.refine(u, self.basis)  # type: ignore[arg-type]  # one family a model
            finer[0] *= tau**0.5
            return finer

        return self._encoded(parameters, refined)

    def project(self, lifted: ContinuumParameters) -> Tensor:
        """Return the flat coordinates of a lift's projection: K(0), b(0) kept, K' and b' projected in L²."""
        basis = lifted.basis
        if not isinstance(basis, PiecewiseLinearIncrements):
            raise TypeError("a lift is piecewise linear")
        return self._encoded(lifted, lambda u, tau: self.basis.project(basis.apply(u, 1.0), tau))


def stage_times(steps: int, tableau: Tableau = RK4) -> Tensor:
    """Return the times that the stages of N Runge-Kutta steps read, as parts of the horizon, (Q,), float64."""
    start = torch.arange(steps, dtype=torch.float64)[:, None]
    return ((start + torch.tensor(tableau.c, dtype=torch.float64)) / steps).reshape(-1)


def integrate(
    problem: Problem,
    parameters: ContinuumParameters,
    steps: int,
    x: Tensor,
    tableau: Tableau = RK4,
    *,
    every: int = 1,
) -> Tensor:
    """Return the states of the flow from x (S, d) at every ``every``-th of the times iT/N, by the order of the tableau.

    The stages sample K(t) and b(t) themselves, not a lift of their nodal values, so a smooth flow is integrated at the
    method's full order.
    """
    look()
    times = stage_times(steps, tableau).to(x)
    kernel, allowed = problem.kernel(tableau, steps), problem.memory.of_forward
    return nodes(kernel, lambda part: parameters.sample(times[part]), x, every, allowed)
