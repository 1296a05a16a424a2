"""Hidden units of two-layer blocks change places, and padded coordinates turn, without changing the objective."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deeplimit.mathematics import Block, DepthStart, Problem, Regime, Regularisation, Training, train
from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from deeplimit.mathematics.model.symmetry import aligned, alignment_is_exhaustive, distance, norm
from deeplimit.mathematics.study.branches import same_minimum

seeds = st.integers(0, 2**31)
DEPTH, WIDTH = 5, 6


def two_layer(padded: int, activation: str, **fixed: object) -> Problem:
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(6, 2)), rng.normal(size=(6, 2))
    regime = Regime(block=Block.TWO_LAYER, width=WIDTH)
    return Problem(inputs, targets, activation=activation, state_dim=2 + padded, regime=regime, fixed=fixed)  # type: ignore[arg-type]  # arrays, as the problem checks


def parameters(d: int, seed: int) -> DiscreteParameters:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((DEPTH, 2 * WIDTH, d), (DEPTH, WIDTH), (2, d), (2,))
    return DiscreteParameters(*(torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes))


def moved(p: DiscreteParameters, padded: int, seed: int, *, flips: bool) -> DiscreteParameters:
    """Permute the hidden units, flip their signs, and turn the padded coordinates by an orthogonal matrix."""
    rng = np.random.default_rng(seed)
    order = torch.as_tensor(rng.permutation(WIDTH))
    sign = torch.as_tensor(rng.choice([-1.0, 1.0], size=WIDTH) if flips else np.ones(WIDTH))
    inner, outer = (part[:, order] * sign[:, None] for part in p.K.chunk(2, 1))
    turn = torch.eye(p.K.shape[-1], dtype=torch.float64)
    if padded:
        turn[-padded:, -padded:] = torch.as_tensor(np.linalg.qr(rng.normal(size=(padded, padded)))[0])
    return DiscreteParameters(torch.cat([inner, outer], 1) @ turn, p.b[:, order] * sign, p.W @ turn, p.c)


@pytest.mark.parametrize("padded", [0, 1, 3])
@pytest.mark.parametrize("activation", ["tanh", "silu"])
@settings(max_examples=15)
@given(seed=seeds)
def test_alignment_undoes_what_leaves_the_objective_unchanged(padded: int, activation: str, seed: int) -> None:
    problem = two_layer(padded, activation)
    reference = parameters(2 + padded, seed)
    other = moved(reference, padded, seed, flips=problem.activation.odd)
    network = ResidualNetwork(problem, DEPTH)
    energies = [network.evaluate(network.encode(p)).objective for p in (reference, other)]
    assert energies[0] == pytest.approx(energies[1], rel=1e-12)
    assert distance(reference, aligned(problem, reference, other)) <= 1e-12 * norm(reference)
    facts = [(energy, 0.0, p) for energy, p in zip(energies, (reference, other), strict=True)]
    assert same_minimum(problem, facts[0], facts[1])


@given(seed=seeds)
def test_the_image_is_the_nearest_and_has_the_same_objective(seed: int) -> None:
    """Of unrelated parameters, which no image makes equal: they are no one minimum although E is said to be equal."""
    problem = two_layer(0, "tanh")
    reference, other = parameters(2, seed), parameters(2, seed + 1)
    image = aligned(problem, reference, other)
    network = ResidualNetwork(problem, DEPTH)
    energies = [network.evaluate(network.encode(p)).objective for p in (other, image)]
    assert energies[0] == pytest.approx(energies[1], rel=1e-12)
    nearest = distance(reference, image)
    for turn in range(8):
        assert nearest <= distance(reference, moved(other, 0, turn, flips=True)) * (1.0 + 1e-13)
    assert alignment_is_exhaustive(problem)
    assert not same_minimum(problem, (1.0, 0.0, reference), (1.0, 0.0, other))


@given(seed=seeds)
def test_flips_are_no_symmetry_unless_sigma_is_odd(seed: int) -> None:
    reference = parameters(2, seed)
    flipped = DiscreteParameters(-reference.K, -reference.b, reference.W, reference.c)
    assert distance(reference, aligned(two_layer(0, "silu"), reference, flipped)) > 1e-3 * norm(reference)
    assert distance(reference, aligned(two_layer(0, "tanh"), reference, flipped)) <= 1e-13 * norm(reference)


def test_fixed_parameters_leave_fewer_symmetries() -> None:
    """Units whose fixed biases are equal change places; others do not, however near that would bring them."""
    b = torch.tensor([1.0, 1.0, 1.0, 2.0, 2.0, 3.0], dtype=torch.float64)
    problem = two_layer(0, "silu", b=b.numpy())
    p = parameters(2, 0)
    reference = DiscreteParameters(p.K, b.expand(DEPTH, WIDTH), p.W, p.c)

    def reordered(order: list[int]) -> DiscreteParameters:
        inner, outer = (part[:, order] for part in p.K.chunk(2, 1))
        return DiscreteParameters(torch.cat([inner, outer], 1), reference.b, p.W, p.c)

    assert distance(reference, aligned(problem, reference, reordered([2, 0, 1, 4, 3, 5]))) == 0.0
    assert distance(reference, aligned(problem, reference, reordered([0, 1, 2, 3, 5, 4]))) > 0.1
    # Turning the padded coordinate would change the fixed W; the units may still change places.
    turned = moved(parameters(3, 1), 1, 2, flips=True)
    problem = two_layer(1, "tanh", W=turned.W.numpy())
    assert torch.equal(aligned(problem, parameters(3, 1), turned).W, turned.W)


def test_distances_of_independent_starts_fall_like_those_of_one_branch() -> None:
    """Two-layer blocks of 4 units and a padded coordinate: every depth finds the minimum with its units elsewhere."""
    x = np.linspace(-1.0, 1.0, 8)[:, None]
    problem = Problem(
        x,
        np.sin(2.0 * x),
        state_dim=2,
        regime=Regime(block=Block.TWO_LAYER, width=4),
        regularisation=Regularisation(dict.fromkeys(("K", "b", "W", "c"), 1e-3)),
    )
    distances = {}
    for start in (DepthStart.INDEPENDENT, DepthStart.PROLONG):
        found = train(problem, (8, 16), training=Training(1e-8, starts=4, depth_start=start)).diagnostics.minimisers
        assert found is not None
        distances[start] = [row.tl2.total for row in found]
        assert found[-1].order["total"] == pytest.approx(1.0, abs=0.05)
    assert distances[DepthStart.INDEPENDENT] == pytest.approx(distances[DepthStart.PROLONG], rel=1e-3)
