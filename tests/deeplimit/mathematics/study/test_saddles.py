"""Branches with their curvature and frequencies, and saddles: recognised, listed, left."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from deeplimit.mathematics import (
    ContinuumOptions,
    DepthStart,
    Follow,
    Problem,
    Regularisation,
    TrainedStudy,
    Training,
    train,
)
from deeplimit.mathematics.diagnostics.sequence.sequence_class import SequenceClass
from deeplimit.mathematics.minimise import Budget, minimise
from deeplimit.mathematics.minimise.certificate import Kind
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.model.symmetry import aligned, distance
from deeplimit.mathematics.model.transfer import prolong
from deeplimit.mathematics.study.branches import BranchPoint, BranchStatus, found_interval, select
from deeplimit.mathematics.study.deepen import add_depth
from deeplimit.mathematics.study.saddles import settle
from tests.support import known_answers

DEPTH = 8
THRESHOLD = 0.160806
"""Above this target the null solution of the bifurcation problem at n = 8 is a saddle."""


def bifurcation(target: float) -> Problem:
    weights = Regularisation(alpha={"K": 1.0, "b": 0.05, "W": 0.1, "c": 1.0}, tau={"K": 2.0, "b": 2.0})
    return Problem([[0.0]], [[target]], activation="tanh", regularisation=weights)


def train_network(network: ResidualNetwork, start: Tensor) -> BranchPoint:
    solution = minimise(network, start, Budget(1e-10), curvature_floor=0.1)
    return BranchPoint(network, network.parameters(solution.u), solution)


def again(point: BranchPoint, start: Tensor) -> BranchPoint:
    return train_network(point.network, start)


def null_solution(target: float) -> BranchPoint:
    network = ResidualNetwork(bifurcation(target), DEPTH)
    start = torch.zeros(network.coordinates.length, dtype=torch.float64)
    start[-1] = target / 2.0
    return train_network(network, start)


@pytest.mark.parametrize("share", [0.97, 0.99])
def test_below_the_threshold_the_null_solution_stays(share: float) -> None:
    null = null_solution(share * THRESHOLD)
    settled, saddles = settle(null, again)
    assert not saddles
    assert settled is null
    assert settled.certificate is not None
    assert settled.certificate.kind is Kind.STRICT_MINIMUM


@pytest.mark.parametrize("share", [1.01, 1.03])
def test_above_the_threshold_it_is_left_for_a_minimum(share: float) -> None:
    null = null_solution(share * THRESHOLD)
    settled, saddles = settle(null, again)
    assert saddles == [null]
    assert null.certificate is not None
    assert null.certificate.kind is Kind.SADDLE
    assert settled.certificate is not None
    assert settled.certificate.kind is Kind.STRICT_MINIMUM
    assert settled.solution.objective < null.solution.objective
    assert float(settled.parameters.b.abs().max()) > 1e-3


BETWEEN = 0.15638
"""Above the threshold of the continuum, 0.154919, and below that of 16 layers, 0.157775."""


def test_a_saddle_of_the_continuum_alone_is_left() -> None:
    """No network up to depth 16 pays for training here, the continuum does: what they tend to is not their limit."""
    trained = train(bifurcation(BETWEEN), (4, 8, 16), ContinuumOptions(), Training(1e-10, starts=3))
    (branch,) = trained.study.branches
    assert branch.continuum is not None
    assert branch.status is BranchStatus.BIFURCATES
    null = BETWEEN**2 / 2.0
    assert [point.solution.objective for point in branch.points.values()] == pytest.approx([null] * 3, rel=1e-12)
    saddle = branch.left_saddles["continuum"]
    assert saddle.solution.objective == pytest.approx(null, rel=1e-12)
    assert saddle.certificate is not None
    assert saddle.certificate.kind is Kind.SADDLE
    assert branch.continuum.certificate is not None
    assert branch.continuum.certificate.kind is Kind.STRICT_MINIMUM
    assert branch.continuum.solution.objective < null * (1.0 - 5e-5)
    # The other minimum of the pitchfork, by sign; every depth is away from it.
    assert branch.left == [16, 8, 4]
    assert trained.diagnostics.classification is not None
    assert trained.diagnostics.classification.sequence_class is SequenceClass.UNDECIDED
    assert trained.diagnostics.verdict.converges is None
    assert not any("confirm" in line and "theorem" in line for line in trained.diagnostics.verdict.statements)


def test_depths_before_a_bifurcation_are_not_on_the_branch() -> None:
    """The threshold lies between 16 and 32 layers; 32 and 64 lead to each other, small as the minimum at 32 is."""
    trained = train(bifurcation(0.1565), (8, 16, 32, 64), ContinuumOptions(), Training(1e-10, starts=2))
    (branch,) = trained.study.branches
    assert list(branch.left_saddles) == ["discrete-32"]
    assert branch.left == [16, 8]
    assert trained.diagnostics.minima is not None
    orders = {row.depth: row.order for row in trained.diagnostics.minima.depths}
    assert orders[16] is orders[32] is None
    assert orders[64] is not None


def test_minima_of_unrelated_starts_are_aligned_before_they_are_compared() -> None:
    """A padded coordinate can be flipped: two starts need not find the same image of one minimum."""
    problem = known_answers.two_moons(state_dim=3)
    training = Training(1e-6, starts=3, depth_start=DepthStart.INDEPENDENT)
    branch = train(problem, (4, 8, 16), None, training).study.verdict_branch
    for coarse, fine in pairwise(branch.points.values()):
        reference = prolong(coarse.parameters, fine.depth)
        nearest = distance(reference, aligned(problem, reference, fine.parameters))
        assert distance(reference, fine.parameters) == pytest.approx(nearest, rel=1e-12)
        values = fine.network.evaluate(fine.network.encode(fine.parameters))
        assert values.objective == pytest.approx(fine.solution.objective, rel=1e-12)
        torch.testing.assert_close(values.gradient, fine.solution.evaluation.gradient)


def test_starts_in_the_continuum_leave_its_saddles() -> None:
    """Every start is the null solution: without certificates that is where training would end."""
    training = Training(1e-10, starts=2, start_scale=0.0, depth_start=DepthStart.RECOVERY)
    study = train(bifurcation(1.1 * BETWEEN), (8, 16), ContinuumOptions(), training).study
    minimum, saddle = study.branches
    assert saddle.status is BranchStatus.SADDLE
    assert minimum.starts == saddle.starts == study.starts == 2
    assert minimum.continuum is not None
    assert saddle.continuum is not None
    assert minimum.continuum.solution.objective < saddle.continuum.solution.objective
    assert [point.certificate.kind for point in minimum.points.values() if point.certificate] == [
        Kind.STRICT_MINIMUM
    ] * 2


def test_one_more_depth_leaves_its_saddle() -> None:
    """The recovery sequence of a null continuum is a saddle of a network whose threshold lies lower."""
    study = train(bifurcation(1.01 * THRESHOLD), (4,), None, Training(1e-10, starts=1)).study
    assert float(study.verdict_branch.points[4].parameters.b.abs().max()) < 1e-9
    point = add_depth(study, 2 * DEPTH, Training(1e-10))
    assert "discrete-16" in study.verdict_branch.left_saddles
    assert point.certificate is not None
    assert point.certificate.kind is Kind.STRICT_MINIMUM


@pytest.fixture(scope="module")
def moons() -> TrainedStudy:
    return train(known_answers.two_moons(state_dim=2), (16,), None, Training(starts=16, seed=0))


def test_higher_minima_are_listed_with_curvature_and_frequency() -> None:
    """Forty-eight starts: the published 30, 13 and 2, and others once each, which no depth is trained for."""
    study = train(known_answers.two_moons(state_dim=2), (16,), None, Training(starts=48)).study
    assert study.starts == 48
    counts = {round(branch.points[16].solution.objective, 6): branch.starts for branch in study.branches}
    assert counts[0.088947] == 30
    assert counts[0.095184] == 13
    higher = [branch for branch in study.branches if branch.status is BranchStatus.NOT_CARRIED]
    assert higher, "or there is nothing to list"
    for branch in higher:
        certificate = branch.points[16].certificate
        assert certificate is not None
        assert certificate.lambda_min is not None
        assert certificate.kind is Kind.STRICT_MINIMUM


def test_the_branches_of_two_moons_in_the_plane(moons: TrainedStudy) -> None:
    found = {round(branch.points[16].solution.objective, 6): branch for branch in moons.study.branches}
    assert {0.088947, 0.095184} <= set(found)
    assert found[0.088947].starts > found[0.095184].starts > 0
    assert moons.study.starts == 16
    for branch in found.values():
        certificate = branch.points[16].certificate
        assert certificate is not None
        if branch.status is not BranchStatus.SADDLE:
            assert certificate.lambda_min is not None
            assert certificate.lambda_min > 0.0


def test_a_minimum_that_few_starts_find_is_found_from_nearby(moons: TrainedStudy) -> None:
    """0.0930045: two starts of forty-eight, by the published count."""
    rare = min(moons.study.branches, key=lambda branch: abs(branch.points[16].solution.objective - 0.0930045))
    point = rare.points[16]
    noise = torch.randn(point.solution.u.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    nearby = train_network(point.network, point.solution.u + 1e-2 * noise)
    assert nearby.solution.objective == pytest.approx(0.0930045, rel=1e-6)


def test_all_minima_are_followed_when_that_is_asked() -> None:
    problem = known_answers.two_moons()
    shallow = {follow: train(problem, (4, 8), None, Training(starts=8, follow=follow)).study for follow in Follow}
    left_out = [b for b in shallow[Follow.BEST].branches if b.status is BranchStatus.NOT_CARRIED]
    assert left_out, "or there is nothing to compare"
    assert not [b for b in shallow[Follow.ALL].branches if b.status is BranchStatus.NOT_CARRIED]
    assert select([1.0, 5.0, 9.0], Follow.ALL) == [True, True, True]
    assert select([1.0, 1.05, 5.0]) == [True, True, False]
    assert select([math.nan, math.nan]) == [True, False]


def test_the_interval_of_a_frequency() -> None:
    assert found_interval(30, 48) == pytest.approx((0.4836, 0.7478), abs=1e-4)
    assert found_interval(0, 4)[0] == 0.0
    assert found_interval(4, 4)[1] == 1.0
