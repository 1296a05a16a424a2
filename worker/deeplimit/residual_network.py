"""The residual network of depth n: X_{i+1} = X_i + (1/n) σ(K_i X_i + b_i), and its objective E_n."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from worker.deeplimit.coordinates import DiscreteIncrements
from worker.deeplimit.kernels.runge_kutta import ExplicitRungeKutta
from worker.deeplimit.kernels.tableau import EULER
from worker.deeplimit.objective import DiscretisedObjective
from worker.deeplimit.problem import Problem


@dataclass(frozen=True)
class DiscreteParameters:
    """θ_n: K (n, d, d), b (n, d), W (m, d), c (m,), fixed ones included."""

    K: Tensor
    b: Tensor
    W: Tensor
    c: Tensor

    @property
    def depth(self) -> int:
        """N."""
        return len(self.b)


class ResidualNetwork(DiscretisedObjective):
    """E_n of Thorpe and van Gennip (2023), (1.4), with the mean over samples, in increment coordinates."""

    def __init__(self, problem: Problem, depth: int) -> None:
        self.depth = depth
        self.increments = DiscreteIncrements(depth)
        kernel = ExplicitRungeKutta(EULER, depth, problem.activation)
        super().__init__(problem, kernel, self.increments, depth)

    def parameters(self, u: Tensor) -> DiscreteParameters:
        """Return θ_n at flat coordinates u."""
        return DiscreteParameters(**{name: value.clone() for name, value in self.stage_parameters(u).items()})

    def encode(self, parameters: DiscreteParameters) -> Tensor:
        """Return the flat coordinates of θ_n; what is fixed is left out."""
        tau = self.problem.regularisation.tau
        parts = {"W": parameters.W, "c": parameters.c}
        parts["K"] = self.increments.coordinates(parameters.K, tau["K"])
        parts["b"] = self.increments.coordinates(parameters.b, tau["b"])
        return self.coordinates.pack({name: parts[name] for name in self.problem.trained})

    def random(self, generator: torch.Generator, scale: float) -> Tensor:
        """Return standard normal coordinates times ``scale``, drawn on the CPU so that devices agree."""
        draw = torch.randn(self.coordinates.length, generator=generator, dtype=torch.float64)
        return (scale * draw).to(self.problem.x)
