"""Flows with known answers, as models to evaluate."""

from __future__ import annotations

import torch

from deeplimit.mathematics import ContinuumOptions, Problem
from deeplimit.mathematics.evaluation.fitted import Fitted
from deeplimit.mathematics.minimise import Budget
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters
from deeplimit.mathematics.study.continuum_fit import Beginning, fit_continuum
from tests.support.small_problems import odd_pair


def tensor(*values: float, shape: tuple[int, ...]) -> torch.Tensor:
    """Return float64 numbers in a shape."""
    return torch.tensor(values, dtype=torch.float64).view(shape)


def trained_continuum(activation: str) -> Fitted:
    """Known answers B (identity) and C (tanh)."""
    problem = odd_pair(activation)
    begin = Beginning(torch.Generator().manual_seed(0))
    fit = fit_continuum(problem, begin, ContinuumOptions(tolerance=1e-10), Budget())
    return Fitted("continuum", problem, fit.parameters, fit.flow.steps)


def fixed_flow(activation: str, K: float, x: float = 1.0) -> Fitted:
    """K and b = 0 constant, W = 1, c = 0, as if trained with 512 steps: known answer D is tanh with K = 1."""
    problem = Problem([[x]], [[0.0]], activation=activation)
    one = tensor(1.0, shape=(1, 1))
    zero = tensor(0.0, shape=(1,))
    return Fitted(
        "continuum",
        problem,
        ContinuumParameters(LegendreIncrements(0), K * one.view(1, 1, 1), zero.view(1, 1), one, zero),
        training_steps=512,
    )


def constant_readout() -> tuple[torch.Tensor, torch.Tensor]:
    """Return W = 1 and c = 0."""
    return tensor(1.0, shape=(1, 1)), tensor(0.0, shape=(1,))
