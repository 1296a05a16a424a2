"""The problems that are measured on, and where training starts."""

from __future__ import annotations

import torch

from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from deeplimit.mathematics.model.transfer import prolong
from deeplimit.mathematics.problem.datasets import Standardisation, load
from deeplimit.mathematics.problem.learning_problem import PARAMETERS, Problem, Regularisation

ALPHA = 1e-3
COARSEST = 8
START_SCALE = 0.5


def problem(
    name: str,
    state_dim: int | None = None,
    *,
    samples: int | None = None,
    alpha: float = ALPHA,
) -> Problem:
    """Return a built-in data set, standardised, with tanh, cross entropy and one α for all."""
    data = load(name, samples=samples)
    return Problem(
        Standardisation.fit(data.inputs).inputs(data.inputs),
        data.targets,
        loss="cross_entropy",
        state_dim=state_dim,
        regularisation=Regularisation(alpha=dict.fromkeys(PARAMETERS, alpha)),
    )


def start(given: Problem, depth: int, seed: int = 0) -> DiscreteParameters:
    """Return the first start of a study from depth 8, prolonged."""
    coarsest = ResidualNetwork(given, min(COARSEST, depth))
    generator = torch.Generator().manual_seed(seed)
    return prolong(coarsest.parameters(coarsest.random(generator, START_SCALE)), depth)


def usual_start(given: Problem, depth: int, seed: int = 0) -> DiscreteParameters:
    """Return what PyTorch initialises an ``nn.Linear`` for each layer with: all uniform within 1/√d."""
    generator = torch.Generator().manual_seed(seed)
    d, m = given.state_dim, given.output_dim

    def draw(*shape: int) -> torch.Tensor:
        uniform: torch.Tensor = 2.0 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1.0
        return (uniform / float(d**0.5)).to(given.x)

    return DiscreteParameters(draw(depth, d, d), draw(depth, d), draw(m, d), draw(m))


def depths_to(depth: int) -> tuple[int, ...]:
    """Return 8, 16, … up to a depth."""
    found = [COARSEST]
    while found[-1] < depth:
        found.append(2 * found[-1])
    return tuple(found)
