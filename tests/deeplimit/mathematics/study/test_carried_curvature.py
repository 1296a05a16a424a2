"""How much work a study takes when each model begins with what was learnt at the one before: counts, no times."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from deeplimit.mathematics import Block, Coarse, ContinuumOptions, Integrator, Regime, Training, Weights
from deeplimit.mathematics.minimise import Status
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.model.predicted_start import predicted_start
from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from deeplimit.mathematics.problem.learning_problem import Problem, Regularisation
from deeplimit.mathematics.study.sweep import Study, run_study
from tests.support import known_answers

ONE_START = Training(starts=1, sharpen=False)


def evaluations(study: Study) -> dict[int, int]:
    """Evaluations of E with its gradient at each depth; a Hessian product counts as two."""
    points = study.verdict_branch.points.values()
    return {point.depth: point.solution.evaluations + 2 * point.solution.hessian_products for point in points}


def equivalents(study: Study) -> float:
    """What the depths took together, in gradients of the finest."""
    counts = evaluations(study)
    return sum(count * depth for depth, count in counts.items()) / max(counts)


def test_two_moons_to_depth_1024_take_fifteen_gradients() -> None:
    depths = (8, 16, 32, 64, 128, 256, 512, 1024)
    study = run_study(known_answers.two_moons(), depths, ContinuumOptions(), ONE_START)
    counts = evaluations(study)
    assert equivalents(study) <= 15.0
    assert max(count for depth, count in counts.items() if depth >= 128) <= 6
    limit = study.verdict_branch.continuum
    assert limit is not None
    assert limit.solution.evaluations <= 10
    assert study.verdict_branch.points[1024].solution.objective == pytest.approx(0.0409829064, abs=6e-11)
    assert limit.solution.objective == pytest.approx(0.0409329, abs=5.5e-8)


def test_breast_cancer_to_depth_256_takes_twenty_gradients() -> None:
    study = run_study(known_answers.breast_cancer(), (8, 16, 32, 64, 128, 256), None, ONE_START)
    assert equivalents(study) <= 20.0
    assert study.verdict_branch.points[64].solution.objective == pytest.approx(0.070383174, abs=6e-10)


def regression(**options: Any) -> Problem:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 2, generator=generator).double()
    y = torch.sin(2.0 * x[:, :1]) + x[:, 1:].square()
    weights = options.pop("regularisation", Regularisation(dict.fromkeys("KbWc", 1e-2)))
    return Problem(x.numpy(), y.numpy(), state_dim=3, regularisation=weights, **options)


PROBLEMS = {
    "A": known_answers.bias_only(),
    "B": known_answers.odd_pair("identity"),
    "C": known_answers.odd_pair("tanh"),
    "regression": regression(),
    "softplus": regression(activation="softplus"),
    "weights of very different size": regression(
        regularisation=Regularisation({"K": 1e-3, "b": 1e-2, "W": 1e-5, "c": 1e-6})
    ),
    "rk4": regression(regime=Regime(integrator=Integrator.RK4)),
    "constant": regression(regime=Regime(weights=Weights.CONSTANT)),
    "two_layer": regression(regime=Regime(block=Block.TWO_LAYER, width=4)),
    "horizon": regression(regime=Regime(horizon=2.0)),
    "fixed": regression(fixed={"W": [[1.0, 0.0, 0.0]], "c": [0.0]}),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_it_is_never_more_work_than_without_and_the_same_minimum(name: str) -> None:
    problem = PROBLEMS[name]
    depths = (4, 8) if name == "two_layer" else (4, 8, 16, 32)  # whose plain minimisations take thousands of steps
    with_it = run_study(problem, depths, None, ONE_START)
    without = run_study(problem, depths, None, replace(ONE_START, carry_curvature=False))
    assert equivalents(with_it) <= equivalents(without)
    ours, theirs = (study.verdict_branch.points for study in (with_it, without))
    if abs(ours[4].solution.objective - theirs[4].solution.objective) > 1e-8:
        return  # another memory may lead from one start to another minimum, and so to another branch
    for depth, point in ours.items():
        if theirs[depth].solution.status is not Status.CONVERGED:
            break  # the plain minimisation ran out of iterations, and goes on from where it was
        assert point.solution.objective == pytest.approx(theirs[depth].solution.objective, abs=1e-9)


def test_coarse_depths_need_not_be_sharper_than_their_own_error() -> None:
    problem, depths = known_answers.two_moons(), (8, 16, 32, 64, 128)
    exact = run_study(problem, depths, None, ONE_START)
    study = run_study(problem, depths, None, replace(ONE_START, coarse=Coarse.DISCRETISATION))
    assert evaluations(study)[32] < evaluations(exact)[32]
    points, sharp = study.verdict_branch.points, exact.verdict_branch.points
    limit = 0.0409329
    for depth in (32, 64):
        left = points[depth].solution.objective - sharp[depth].solution.objective
        assert 0.0 <= left <= 0.2 * (sharp[depth].solution.objective - limit)
    assert points[128].solution.gradient_norm <= 1e-7
    assert points[128].solution.objective == pytest.approx(sharp[128].solution.objective, abs=1e-10)


def along(h: float, depth: int) -> DiscreteParameters:
    """Minimisers of a branch as they would be: smooth in t and in h."""
    t = torch.arange(depth, dtype=torch.float64) / depth
    K = (torch.sin(2.0 * t) + h * torch.cos(t) + h**2 * t)[:, None, None]
    b = (t.square() - h * t)[:, None]
    return DiscreteParameters(K, b, torch.full((1, 1), 1.0 + h - h**2).double(), torch.full((1,), h).double())


def test_the_predicted_start_is_of_third_order() -> None:
    problem = known_answers.odd_pair("tanh")
    errors = []
    for depth in (16, 32, 64):
        network = ResidualNetwork(problem, 2 * depth)
        start = predicted_start([along(1.0 / n, n) for n in (depth // 4, depth // 2, depth)], network)
        assert start is not None
        exact = network.encode(along(0.5 / depth, 2 * depth))
        errors.append(float(torch.linalg.vector_norm(start - exact)))
    assert errors[0] > 4.0 * errors[1] > 16.0 * errors[2]


def test_the_limit_is_predicted_and_close_depths_predict_nothing() -> None:
    flow = Flow(known_answers.odd_pair("tanh"), LegendreIncrements(8), 16)
    last = predicted_start([along(1.0 / 64, 64)], flow)
    start = predicted_start([along(1.0 / n, n) for n in (16, 32, 64)], flow)
    assert last is None
    assert start is not None
    limit = flow.parameters(start)
    t = torch.tensor([0.0, 0.3, 0.7], dtype=torch.float64)
    torch.testing.assert_close(limit.sample(t)[0][:, 0, 0], torch.sin(2.0 * t), rtol=0.0, atol=2e-3)
    assert predicted_start([along(1.0 / n, n) for n in (32, 33)], ResidualNetwork(flow.problem, 64)) is None
