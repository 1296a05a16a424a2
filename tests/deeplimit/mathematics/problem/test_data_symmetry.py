"""Symmetries of the data: which there are, and that mirror images of parameters have the same E and count as one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from deeplimit.mathematics import Block, Problem, Regime, Regularisation, Training
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.model.symmetry import aligned, distance
from deeplimit.mathematics.problem.data_symmetry import data_symmetries
from deeplimit.mathematics.study.sweep import run_study
from tests.support.small_problems import odd_pair

XOR = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
LABELS = np.array([0, 1, 1, 0])


def xor(loss: str = "cross_entropy", targets: Any = LABELS, **more: Any) -> Problem:
    return Problem(XOR, targets, loss=loss, regularisation=Regularisation(dict.fromkeys("KbWc", 1e-2)), **more)


def test_the_symmetries_of_a_square() -> None:
    """Eight signed permutations map the square to itself; all but the identity keep or exchange its classes."""
    assert len(xor().data_symmetries) == 7
    assert {symmetry.outputs for symmetry in xor().data_symmetries} == {(0, 1), (1, 0)}
    assert len(xor("squared_error", XOR[:, :1] * XOR[:, 1:]).data_symmetries) == 7
    assert len(xor("logistic", 1.0 - 2.0 * LABELS).data_symmetries) == 7
    # Where σ is not odd, only the exchange of the coordinates is left.
    assert len(xor(activation="softplus").data_symmetries) == 1


def test_data_without_symmetry_have_none() -> None:
    draw = np.random.default_rng(0)
    x = draw.standard_normal((9, 2))
    assert data_symmetries(x, draw.standard_normal((9, 1)), "squared_error", 1, signs=True) == []
    # Inputs alone are no symmetry: the targets have to go along.
    assert xor("squared_error", [1.0, 2.0, 3.0, 4.0]).data_symmetries == []
    assert data_symmetries(np.zeros((2, 1)), np.ones((2, 1)), "squared_error", 1, signs=True) == []


PROBLEMS = {
    "square": xor(),
    "padded": xor(state_dim=3),
    "numbers": xor("squared_error", XOR[:, :1] * XOR[:, 1:]),
    "odd pair": odd_pair("tanh"),
    "two layers": xor(regime=Regime(block=Block.TWO_LAYER, width=3)),
    "softplus": xor(activation="softplus"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_mirror_images_have_the_same_objective_and_are_one(name: str) -> None:
    problem = PROBLEMS[name]
    network = ResidualNetwork(problem, 5)
    generator = torch.Generator().manual_seed(0)
    u = network.random(generator, 0.5)
    parameters = network.parameters(u)
    assert problem.data_symmetries
    others = [network.parameters(network.random(generator, 0.5)) for _ in range(12)]
    images = [aligned(problem, other, parameters) for other in others]
    moved = [image for image in images if distance(image, parameters) > 1e-6]
    assert moved, "or nothing was mirrored"
    for image in moved:
        assert network.value(network.encode(image)) == pytest.approx(network.value(u), rel=1e-12)
        assert distance(parameters, aligned(problem, parameters, image)) < 1e-12


def test_fixed_parameters_forbid_what_would_change_them() -> None:
    problem = xor(fixed={"W": [[1.0, 0.5], [0.0, 1.0]]})
    network = ResidualNetwork(problem, 4)
    generator = torch.Generator().manual_seed(0)
    parameters = network.parameters(network.random(generator, 0.5))
    for _ in range(8):
        image = aligned(problem, network.parameters(network.random(generator, 0.5)), parameters)
        assert torch.equal(image.W, problem.fixed["W"])


def test_minima_of_mirror_images_are_counted_once() -> None:
    study = run_study(xor(), (6,), None, Training(1e-9, starts=6))
    values = sorted(branch.points[6].solution.objective for branch in study.branches)
    assert all(after - before > 1e-6 * before for before, after in pairwise(values))
    assert study.starts == 6
