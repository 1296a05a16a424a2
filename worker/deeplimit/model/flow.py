"""The continuum model: X' = σ(K(t) X + b(t)) on [0, 1], and its objective E_∞, discretised by basis and steps.

The flow map is computed with N steps of the classical Runge-Kutta method, and the scheme is differentiated exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from worker.deeplimit.kernels.tableau import RK4, Tableau
from worker.deeplimit.model.coordinates import ContinuumBasis, LegendreIncrements, PiecewiseLinearIncrements, stages_of
from worker.deeplimit.model.objective import DiscretisedObjective
from worker.deeplimit.problem.learning_problem import LAYERED, Problem


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
        if isinstance(self.basis, LegendreIncrements):
            return self.basis.polynomial(self.K, 1.0), self.basis.polynomial(self.b, 1.0)
        return self.basis.nodes(self.K, 1.0), self.basis.nodes(self.b, 1.0)


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
        parts = {name: value.clone() for name, value in self.coordinates.unpack(u).items()}
        for name in LAYERED:
            if name in parts:
                parts[name][0] /= self.problem.tau(name) ** 0.5
        for name, value in self.problem.fixed.items():
            if name in LAYERED:
                parts[name] = value.new_zeros((self.basis.size, *value.shape))
                parts[name][0] = value
            else:
                parts[name] = value
        return ContinuumParameters(basis=self.basis, **parts)

    def encode(self, parameters: ContinuumParameters) -> Tensor:
        """Return the flat coordinates of parameters in this basis or one that it refines."""
        parts = {"W": parameters.W, "c": parameters.c}
        for name, value in (("K", parameters.K), ("b", parameters.b)):
            refined = parameters.basis.refine(value, self.basis)  # type: ignore[arg-type]  # one family a model
            refined[0] *= self.problem.tau(name) ** 0.5
            parts[name] = refined
        return self.coordinates.pack({name: parts[name] for name in self.problem.trained})

    def project(self, lifted: ContinuumParameters) -> Tensor:
        """Return the flat coordinates of a lift's projection: K(0), b(0) kept, K' and b' projected in L²."""
        if not isinstance(lifted.basis, PiecewiseLinearIncrements):
            raise TypeError("a lift is piecewise linear")
        parts = {"W": lifted.W, "c": lifted.c}
        for name, nodes in zip(LAYERED, lifted.coefficients(), strict=True):
            parts[name] = self.basis.project(nodes, self.problem.tau(name))
        return self.coordinates.pack({name: parts[name] for name in self.problem.trained})


def stage_times(steps: int, tableau: Tableau = RK4) -> Tensor:
    """Return the times that the stages of N Runge-Kutta steps read, as parts of the horizon, (Q,), float64."""
    start = torch.arange(steps, dtype=torch.float64)[:, None]
    return ((start + torch.tensor(tableau.c, dtype=torch.float64)) / steps).reshape(-1)


def integrate(
    problem: Problem, parameters: ContinuumParameters, steps: int, x: Tensor, tableau: Tableau = RK4
) -> Tensor:
    """Return the states (N + 1, S, d) of the flow from x (S, d) at the times iT/N, by the order of the tableau.

    The stages sample K(t) and b(t) themselves, not a lift of their nodal values, so a smooth flow is integrated at the
    method's full order.
    """
    K, b = parameters.sample(stage_times(steps, tableau).to(x))
    return problem.kernel(tableau, steps).forward(K, b, x).states
