"""Branches are held together: by continuation in the depth, whatever minimum each depth was trained into."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest
import torch

from deeplimit.mathematics import ContinuumOptions, DepthStart, Problem, Regime, Regularisation, Training
from deeplimit.mathematics.minimise import minimise
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.model.transfer import recover
from deeplimit.mathematics.study.branches import Branch, BranchPoint, point_facts, same_minimum
from deeplimit.mathematics.study.continuation import continue_to, same_basin
from deeplimit.mathematics.study.fitter import Fitter
from deeplimit.mathematics.study.follow_back import hold_together
from deeplimit.mathematics.study.progress import Meter
from deeplimit.mathematics.study.sweep import Study, run_study
from tests.deeplimit.mathematics.study.test_unseen_minima import nine_points

DEPTHS = (8, 12, 16)
PROBLEM = nine_points(1.0)
TRAINING = Training(1e-9, starts=8)


@cache
def study() -> Study:
    return run_study(PROBLEM, DEPTHS, ContinuumOptions(), TRAINING)


def fitter() -> Fitter:
    return Fitter(PROBLEM, TRAINING, Meter(None), ContinuumOptions())


def elsewhere(depth: int) -> BranchPoint:
    """Return a higher minimum of one depth than the verdict branch's."""
    network, there = ResidualNetwork(PROBLEM, depth), study().verdict_branch.points[depth]
    for seed in range(40):
        start = network.random(torch.Generator().manual_seed(seed), 0.5)
        point = fitter().network(network, start, "starts")
        apart = not same_minimum(PROBLEM, point_facts(there), point_facts(point))
        if apart and point.solution.status.optimised and point.solution.objective > there.solution.objective:
            return point
    raise AssertionError("there is one minimum only")


def broken(*depths: int) -> Branch:
    """Return the verdict branch with higher minima at some depths."""
    branch = study().verdict_branch
    return dataclasses.replace(branch, points=branch.points | {depth: elsewhere(depth) for depth in depths})


@pytest.mark.parametrize("depths", [(8,), (12, 16), DEPTHS])
def test_depths_off_the_branch_are_brought_back_however_many(depths: tuple[int, ...]) -> None:
    branch = broken(*depths)
    hold_together(branch, fitter())
    assert branch.left == []
    for depth, point in study().verdict_branch.points.items():
        assert same_minimum(PROBLEM, point_facts(point), point_facts(branch.points[depth]))


def test_a_branch_that_holds_together_costs_no_minimisation() -> None:
    """The control: its points stay the very ones that were trained."""
    phases = list[str]()
    meter = Meter(lambda at: phases.append(at.phase))
    branch = dataclasses.replace(study().verdict_branch, points=dict(study().verdict_branch.points))
    hold_together(branch, Fitter(PROBLEM, TRAINING, meter, ContinuumOptions()))
    assert branch.points == study().verdict_branch.points
    assert phases == []


def test_without_a_continuum_the_finest_depth_is_the_limit() -> None:
    branch = dataclasses.replace(broken(8, 12), continuum=None)
    hold_together(branch, fitter())
    assert branch.left == []
    for depth, point in study().verdict_branch.points.items():
        assert same_minimum(PROBLEM, point_facts(point), point_facts(branch.points[depth]))


def test_a_lower_limit_is_gone_to() -> None:
    """The limit is a higher minimum's, and all depths are of the lowest: the lift excess would be negative."""
    branch = study().verdict_branch
    assert branch.continuum is not None
    higher = [other for other in study().branches[1:] if other.continuum is not None]
    assert higher, "or there is one branch only"
    worse = max(higher, key=lambda other: other.level)
    assert worse.level > branch.level * (1.0 + 1e-6)
    mixed = dataclasses.replace(branch, points=dict(branch.points), continuum=worse.continuum)
    mixed = hold_together(mixed, fitter())
    assert mixed.left == []
    assert mixed.starts == 0
    assert mixed.level == pytest.approx(branch.level, rel=1e-6)
    for depth, point in branch.points.items():
        assert same_minimum(PROBLEM, point_facts(point), point_facts(mixed.points[depth]))


def test_a_minimum_is_reached_in_steps_that_are_short_enough() -> None:
    branch = study().verdict_branch
    assert branch.continuum is not None
    reached = continue_to(branch.continuum, 8, fitter())
    assert reached is not None
    assert same_minimum(PROBLEM, point_facts(branch.points[8]), point_facts(reached))


def test_another_minimum_is_in_another_basin() -> None:
    branch, network = study().verdict_branch, ResidualNetwork(PROBLEM, 8)
    assert branch.continuum is not None
    start = network.encode(recover(branch.continuum.parameters, 8))
    assert same_basin(network, start, branch.points[8].solution)
    assert not same_basin(network, start, elsewhere(8).solution)
    again = minimise(network, branch.points[8].solution.u, fitter().budget)
    assert same_basin(network, again.u, again)


def test_a_branch_that_bends_much_between_depths_is_followed_all_the_same() -> None:
    """T = 10: the step from the limit to 32 layers is long, and its segment far from a parabola."""
    x = np.linspace(-1.0, 1.0, 8)[:, None]
    problem = Problem(
        x, np.sin(3.0 * x), regularisation=Regularisation(dict.fromkeys("KbWc", 1e-3)), regime=Regime(horizon=10.0)
    )
    short, long = (
        run_study(problem, depths, ContinuumOptions(), Training(starts=2)) for depths in ((8, 16), (8, 16, 64))
    )
    assert short.verdict_branch.left == long.verdict_branch.left == []
    for depth in (8, 16):
        values = [study.verdict_branch.points[depth].solution.objective for study in (short, long)]
        assert values[0] == pytest.approx(values[1], rel=1e-6)


def test_no_start_is_said_to_have_found_a_limit_that_a_point_led_to() -> None:
    draw = np.random.default_rng(5)
    x, y = draw.standard_normal((8, 2)), 1.5 * draw.standard_normal((8, 1))
    problem = Problem(x, y, regularisation=Regularisation(dict.fromkeys("KbWc", 3e-3)))
    training = Training(starts=4, seed=5, depth_start=DepthStart.INDEPENDENT)
    found = run_study(problem, (3, 6, 12), ContinuumOptions(), training)
    assert found.verdict_starts == 0
    assert found.starts == 4
    assert found.unseen.minima == 3
    assert found.verdict_branch.level < min(branch.level for branch in found.branches[:-1])
