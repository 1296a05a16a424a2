"""Symmetries of zero-padded coordinates, and which points are one minimum."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deeplimit.mathematics import Problem, TrainedStudy, Training
from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from deeplimit.mathematics.model.symmetry import aligned, distance, norm
from deeplimit.mathematics.study.branches import MOST_CARRIED, NEAR_BEST, cluster, point_facts, same_minimum, select
from deeplimit.mathematics.study.sweep import run_study
from tests.support import known_answers

seeds = st.integers(0, 2**31)
DEPTH = 5


def random_parameters(d: int, m: int, seed: int) -> DiscreteParameters:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((DEPTH, d, d), (DEPTH, d), (m, d), (m,))
    return DiscreteParameters(*(torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes))


def moved(parameters: DiscreteParameters, padded: int, seed: int, *, flips: bool) -> DiscreteParameters:
    """Permute the last ``padded`` coordinates, and flip signs, by a matrix G: K → G K Gᵀ, b → G b, W → W Gᵀ."""
    generator = torch.Generator().manual_seed(seed)
    d = parameters.b.shape[1]
    G = torch.eye(d, dtype=torch.float64)
    block = torch.eye(padded, dtype=torch.float64)[torch.randperm(padded, generator=generator)]
    if flips:
        block = block * (2.0 * torch.randint(0, 2, (padded,), generator=generator, dtype=torch.float64) - 1.0)
    G[d - padded :, d - padded :] = block
    return DiscreteParameters(G @ parameters.K @ G.T, parameters.b @ G.T, parameters.W @ G.T, parameters.c)


def padded_problem(padded: int, activation: str, **fixed: list[list[float]] | list[float]) -> Problem:
    inputs = torch.randn(6, 2, generator=torch.Generator().manual_seed(0)).numpy()
    targets = torch.randn(6, 2, generator=torch.Generator().manual_seed(1)).numpy()
    return Problem(inputs, targets, activation=activation, state_dim=2 + padded, fixed=fixed)


@pytest.mark.parametrize("padded", [0, 1, 3, 4, 6, 9])
@pytest.mark.parametrize("activation", ["tanh", "silu"])
@settings(max_examples=15)
@given(seed=seeds)
def test_alignment_undoes_what_leaves_the_objective_unchanged(padded: int, activation: str, seed: int) -> None:
    problem = padded_problem(padded, activation)
    reference = random_parameters(2 + padded, 2, seed)
    other = moved(reference, padded, seed, flips=problem.activation.odd)
    network = ResidualNetwork(problem, DEPTH)
    energies = [network.evaluate(network.encode(p)).objective for p in (reference, other)]
    assert energies[0] == pytest.approx(energies[1], rel=1e-12)
    assert distance(reference, aligned(problem, reference, other)) <= 1e-13 * norm(reference)


@given(seed=seeds)
def test_flips_are_no_symmetry_unless_sigma_is_odd(seed: int) -> None:
    problem = padded_problem(2, "silu")
    reference = random_parameters(4, 2, seed)
    flipped = DiscreteParameters(*(value.clone() for value in vars(reference).values()))
    for value in (flipped.K[:, 3, :], flipped.K[:, :, 3], flipped.b[:, 3], flipped.W[:, 3]):
        value.neg_()
    assert distance(reference, aligned(problem, reference, flipped)) > 1e-3 * norm(reference)
    odd = padded_problem(2, "tanh")
    assert distance(reference, aligned(odd, reference, flipped)) <= 1e-13 * norm(reference)


@given(seed=seeds)
def test_alignment_never_leaves_a_nearer_image_behind(seed: int) -> None:
    problem = padded_problem(2, "tanh")
    reference, other = (random_parameters(4, 2, s) for s in (seed, seed + 1))
    nearest = distance(reference, aligned(problem, reference, other))
    for turn in range(8):
        assert nearest <= distance(reference, moved(other, 2, turn, flips=True)) * (1.0 + 1e-13)


def test_fixed_parameters_leave_fewer_symmetries() -> None:
    reference = random_parameters(4, 2, 0)
    W = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]
    reference = DiscreteParameters(reference.K, reference.b, torch.tensor(W, dtype=torch.float64), reference.c)
    swap = moved(reference, 2, seed=1, flips=False)
    assert not torch.equal(swap.W, reference.W)
    # Swapping the padded coordinates would change the fixed W: the image has to stay what it is.
    assert aligned(padded_problem(2, "silu", W=W), reference, swap) is swap
    assert distance(reference, aligned(padded_problem(2, "silu"), reference, swap)) <= 1e-13
    # A fixed bias that is zero on the padded coordinates is kept by every element of the group.
    b = [1.0, 2.0, 0.0, 0.0]
    kept = DiscreteParameters(
        reference.K, torch.tensor(b, dtype=torch.float64).expand(DEPTH, 4), reference.W, reference.c
    )
    other = moved(kept, 2, seed=2, flips=True)
    assert distance(kept, aligned(padded_problem(2, "tanh", b=b), kept, other)) <= 1e-13


def test_distance_is_a_mean_over_layers() -> None:
    left = random_parameters(3, 2, 0)
    right = DiscreteParameters(left.K + 2.0, left.b + 1.0, left.W + 3.0, left.c + 4.0)
    assert distance(left, right) == pytest.approx(math.sqrt(9 * 4.0 + 3 * 1.0 + 6 * 9.0 + 2 * 16.0))
    assert distance(left, left) == 0.0


def test_select_carries_what_is_within_a_tenth_and_at_most_four() -> None:
    assert (NEAR_BEST, MOST_CARRIED) == (0.1, 4)
    assert select([1.0]) == [True]
    assert select([1.0, 1.0999, 1.1001]) == [True, True, False]
    assert select([1.0, 1.01, 1.02, 1.03, 1.04]) == [True, True, True, True, False]
    assert select([-1.0, -0.95, -0.85]) == [True, True, False]


def test_cluster_groups_up_to_symmetry_lowest_first() -> None:
    problem = padded_problem(2, "tanh")
    low, high = random_parameters(4, 2, 0), random_parameters(4, 2, 1)
    items = [
        (0.5, 0.0, high),
        (0.3, 0.0, low),
        (math.nan, 0.0, low),
        (0.5 + 1e-9, 0.0, moved(high, 2, 3, flips=True)),
        (0.3, 0.0, high),
        (math.inf, math.inf, low),
    ]
    groups = cluster(problem, items, lambda item: item)
    positions = {id(item): index for index, item in enumerate(items)}
    assert [[positions[id(item)] for item in group] for group in groups] == [[1], [4], [0, 3]]


def test_same_minimum_allows_for_estimated_errors_only() -> None:
    problem, theta = padded_problem(2, "tanh"), random_parameters(4, 2, 0)
    assert same_minimum(problem, (1.0, 0.0, theta), (1.0 + 5e-8, 0.0, theta))
    assert not same_minimum(problem, (1.0, 0.0, theta), (1.0 + 5e-7, 0.0, theta))
    assert same_minimum(problem, (1.0, 2e-7, theta), (1.0 + 5e-7, 1e-7, theta))
    assert not same_minimum(problem, (1.0, 0.0, theta), (math.nan, 0.0, theta))


def test_two_moons_have_branches_that_cross(moons: TrainedStudy) -> None:
    """The best start at the coarsest depth is not the best limit, and still is not at depth 64."""
    study = moons.study
    first, verdict = study.branches[0], study.verdict_branch
    assert [branch.points[8].solution.objective for branch in study.branches] == sorted(
        branch.points[8].solution.objective for branch in study.branches
    )
    assert study.verdict != 0
    assert verdict.points[8].solution.objective == pytest.approx(known_answers.MOONS.minima[8], abs=6e-11)
    assert first.points[8].solution.objective == pytest.approx(0.046105, abs=5.5e-7)
    assert first.points[64].solution.objective < verdict.points[64].solution.objective
    assert first.points[128].solution.objective > verdict.points[128].solution.objective
    ends = sorted(branch.continuum.solution.objective for branch in study.branches if branch.continuum is not None)
    assert ends == pytest.approx([0.0409329, 0.0410480, 0.0411147, 0.0422388], abs=5.5e-8)
    assert verdict.level == ends[0]
    assert sum(branch.starts for branch in study.branches) == 12
    statuses = [branch.status.value for branch in study.branches]
    assert statuses == ["persists", "persists", "persists", "persists", "not_carried"]


def test_branches_of_two_moons_merge() -> None:
    """From the same start memory and curvature lead to other minima: without them one of those at 8 ends at 16."""
    training = Training(starts=12, carry_curvature=False)
    study = run_study(known_answers.two_moons(), (8, 16), None, training)
    merged, into = study.branches[3], study.branches[2]
    assert [branch.status.value for branch in study.branches[:4]] == ["persists", "persists", "persists", "merges"]
    assert merged.merged_into == 2
    assert merged.level == math.inf
    assert merged.points[16].solution.objective == pytest.approx(into.points[16].solution.objective, rel=1e-8)
    assert merged.points[8].solution.objective > into.points[8].solution.objective + 1e-4


def test_clustering_of_trained_starts_is_by_minimum(moons: TrainedStudy) -> None:
    problem = moons.study.problem
    facts = [point_facts(branch.points[8]) for branch in moons.study.branches]
    for index, left in enumerate(facts):
        for other, right in enumerate(facts):
            assert same_minimum(problem, left, right) == (index == other)
