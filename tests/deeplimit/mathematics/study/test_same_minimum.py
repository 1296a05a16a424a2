"""Points that are no farther apart than their errors allow are one minimum, and others are not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from deeplimit.mathematics import Problem, Training
from deeplimit.mathematics.model.residual_network import DiscreteParameters
from deeplimit.mathematics.model.symmetry import norm
from deeplimit.mathematics.study.branches import same_minimum
from deeplimit.mathematics.study.sweep import run_study


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-7), (torch.float32, 1e-4)])
def test_starts_that_end_at_the_null_solution_found_one_minimum(
    activation: str, dtype: torch.dtype, tolerance: float
) -> None:
    """Targets of 0: E = 0 at θ = 0 alone, and a gradient tolerance leaves every start at another place near it."""
    problem = Problem(np.linspace(-1.0, 1.0, 8)[:, None], np.zeros(8), activation=activation, dtype=dtype)
    (branch,) = run_study(problem, (4,), None, Training(tolerance, starts=4)).branches
    assert branch.starts == 4
    assert norm(branch.points[4].parameters) < 0.1


@pytest.mark.parametrize(("share", "same"), [(0.99, True), (1.01, False)])
def test_points_farther_apart_than_their_errors_allow_are_two_minima(share: float, same: bool) -> None:
    """α = 1e-2: an error of 1e-6 is a distance of √(2e-6/2e-2) = 1e-2 at most, times √1.5 from coordinates to L²."""
    problem = Problem([[0.0], [1.0]], [0.0, 0.0])
    one = torch.zeros(4, 1, 1, dtype=torch.float64)
    zero = DiscreteParameters(one, one[:, 0], one[0], one[0, 0])
    other = replace(zero, c=zero.c + share * 2.0 * math.sqrt(1.5) * 1e-2)
    assert same_minimum(problem, (0.0, 1e-6, zero), (0.0, 1e-6, other)) is same
    assert not same_minimum(problem, (0.0, 0.0, zero), (0.0, 0.0, other))
