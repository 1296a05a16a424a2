"""The residual network of depth n: X_{i+1} = X_i + (1/n) σ(K_i X_i + b_i), and its objective E_n."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from deeplimit.mathematics.model.layer_coordinates import coordinates_for, stage_map
from deeplimit.mathematics.model.objective import DiscretisedObjective
from deeplimit.mathematics.problem.learning_problem import LAYERED, Problem


@dataclass(frozen=True)
class DiscreteParameters:
    """θ_n: K (n, d, d), b (n, d), W (m, d), c (m,), fixed ones included."""

    K: Tensor
    b: Tensor
    W: Tensor
    c: Tensor

    @property
    def depth(self) -> int:
        """Depth n."""
        return len(self.b)


class ResidualNetwork(DiscretisedObjective):
    """E_n of Thorpe and van Gennip (2023), (1.4), with the mean over samples, in increment coordinates.

    The problem's regime may put another scheme, regulariser or coordinates in place of the paper's.
    """

    def __init__(self, problem: Problem, depth: int) -> None:
        self.depth = depth
        self.layers = coordinates_for(problem.regime, depth)
        kernel = problem.kernel(problem.regime.integrator.tableau, depth)
        super().__init__(problem, kernel, stage_map(problem.regime, self.layers), self.layers.size)

    def parameters(self, u: Tensor) -> DiscreteParameters:
        """Return θ_n at flat coordinates u."""
        parts = self._layerwise(self.coordinates.unpack(u), self.layers.apply)
        for name, value in self.problem.fixed.items():
            parts[name] = value.expand(self.depth, *value.shape) if name in LAYERED else value
        return DiscreteParameters(**{name: value.clone() for name, value in parts.items()})

    def encode(self, parameters: DiscreteParameters) -> Tensor:
        """Return the flat coordinates of θ_n; what is fixed is left out."""
        return self._encoded(parameters, self.layers.coordinates)

    def random(self, generator: torch.Generator, scale: float) -> Tensor:
        """Return standard normal coordinates times ``scale``, drawn on the CPU so that devices agree."""
        draw = torch.randn(self.coordinates.length, generator=generator, dtype=torch.float64)
        for name, part in self.coordinates.unpack(draw).items():
            if name in LAYERED:
                self.layers.scale_start(part)
        return (scale * draw).to(self.problem.x)
