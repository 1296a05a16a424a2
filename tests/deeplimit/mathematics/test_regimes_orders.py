"""Orders of convergence in each regime, and what the diagnostics say of them."""

import math
from itertools import pairwise

import pytest
import torch

from deeplimit.mathematics import (
    Block,
    ContinuumOptions,
    DepthStart,
    Integrator,
    Problem,
    Regime,
    Regularisation,
    Scaling,
    TrainedStudy,
    Training,
    Weights,
    train,
)
from deeplimit.mathematics.diagnostics.measure.minimisers import tl2_between
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters, integrate
from deeplimit.mathematics.study.branches import BranchPoint
from deeplimit.mathematics.study.sweep import run_study

DEPTHS = (8, 16, 32, 64)


def odd_pair(regime: Regime) -> Problem:
    alpha = {"K": 0.05, "b": 0.05, "W": 0.1, "c": 0.1}
    return Problem([[1.0], [-1.0]], [[2.0], [-2.0]], regularisation=Regularisation(alpha), regime=regime)


def study(regime: Regime, *, depth_start: DepthStart = DepthStart.PROLONG, starts: int = 2) -> TrainedStudy:
    continuum = ContinuumOptions(tolerance=1e-10) if regime.has_continuum else None
    training = Training(gradient_tolerance=1e-9, starts=starts, depth_start=depth_start)
    return train(odd_pair(regime), DEPTHS, continuum, training)


def points(regime: Regime, depth_start: DepthStart = DepthStart.PROLONG) -> dict[int, BranchPoint]:
    """The verdict branch alone, without diagnostics."""
    continuum = ContinuumOptions() if regime.has_continuum and depth_start is DepthStart.RECOVERY else None
    training = Training(gradient_tolerance=1e-9, starts=2, depth_start=depth_start)
    return run_study(odd_pair(regime), DEPTHS, continuum, training).verdict_branch.points


def last_orders(trained: TrainedStudy) -> tuple[float | None, float | None, float | None]:
    found = trained.diagnostics
    assert found.minima is not None
    assert found.minimisers is not None
    assert found.states is not None
    return found.minima.depths[-1].order, found.minimisers[-1].order["total"], found.states[-1].order


@pytest.mark.parametrize(
    ("integrator", "low", "high"),
    [("euler", 0.97, 1.03), ("implicit_euler", 0.97, 1.03), ("midpoint", 1.9, 2.1), ("rk4", 3.5, 4.3)],
)
def test_sampling_a_smooth_flow_at_the_stage_times_has_the_integrators_order(
    integrator: str, low: float, high: float
) -> None:
    generator = torch.Generator().manual_seed(4)
    basis = LegendreIncrements(3)
    problem = Problem([[1.0, -0.5], [0.3, 0.8]], [[0.0], [0.0]])
    parameters = ContinuumParameters(
        basis,
        torch.randn(4, 2, 2, generator=generator, dtype=torch.float64),
        torch.randn(4, 2, generator=generator, dtype=torch.float64),
        torch.zeros(1, 2, dtype=torch.float64),
        torch.zeros(1, dtype=torch.float64),
    )
    tableau = Integrator(integrator).tableau
    exact = integrate(problem, parameters, 2048, problem.x)
    errors = []
    for n in (32, 64, 128):
        states = integrate(problem, parameters, n, problem.x, tableau)
        errors.append(float((states - exact[:: 2048 // n]).norm(dim=2).max()))
    assert all(low <= math.log2(a / b) <= high for a, b in pairwise(errors))


@pytest.mark.parametrize("integrator", [Integrator.MIDPOINT, Integrator.RK4])
def test_trained_networks_of_higher_order_converge_at_order_two(integrator: Integrator) -> None:
    trained = study(Regime(integrator=integrator))
    minima, minimisers, states = last_orders(trained)
    assert minima == pytest.approx(2.0, abs=0.05)
    assert minimisers == pytest.approx(1.0, abs=0.05)
    assert states == pytest.approx(2.0, abs=0.05)
    assert trained.diagnostics.verdict.converges is True
    table = trained.diagnostics.minima
    assert table is not None
    assert table.continuum == pytest.approx(0.1462594990, abs=2e-10)
    assert table.richardson == pytest.approx(0.1462594990, abs=2e-8)
    assert table.predicted_slope is None
    assert "no term of order 1" in table.withheld["predicted_slope"]
    assert "no term of order 1" in table.depths[0].withheld["predicted_slope"]


def test_implicit_euler_comes_from_below_with_the_opposite_slope() -> None:
    trained = study(Regime(integrator=Integrator.IMPLICIT_EULER))
    table = trained.diagnostics.minima
    assert table is not None
    assert table.predicted_slope == pytest.approx(-0.0265628, rel=1e-5)
    assert table.depths[-1].slope == pytest.approx(table.predicted_slope, rel=5e-3)
    assert table.depths[-1].predicted_slope == pytest.approx(table.predicted_slope, rel=5e-3)
    assert table.depths[-1].order == pytest.approx(1.0, abs=0.01)
    assert trained.diagnostics.verdict.converges is True


def test_constant_weights_have_their_own_limit() -> None:
    trained = study(Regime(weights=Weights.CONSTANT))
    assert last_orders(trained) == pytest.approx((1.0, 1.0, 1.0), abs=0.01)
    table = trained.diagnostics.minima
    assert table is not None
    assert table.continuum is not None
    assert table.continuum > 0.1462594990 + 1e-3  # a smaller space than H¹ has a higher minimum
    assert table.depths[-1].slope == pytest.approx(table.predicted_slope, rel=5e-3)


def test_constant_weights_let_an_integrator_reach_its_own_order() -> None:
    table = study(Regime(weights=Weights.CONSTANT, integrator=Integrator.RK4)).diagnostics.minima
    assert table is not None
    assert [row.order for row in table.depths[1:3]] == pytest.approx([4.0, 4.0], abs=0.1)


@pytest.mark.parametrize(
    "regime", [Regime(horizon=2.0), Regime(running_cost=0.02, horizon=1.5)], ids=["horizon", "running cost"]
)
def test_horizon_and_running_cost_keep_order_one_and_the_predicted_slope(regime: Regime) -> None:
    trained = study(regime)
    assert last_orders(trained)[:2] == pytest.approx((1.0, 1.0), abs=0.03)
    table = trained.diagnostics.minima
    assert table is not None
    assert table.depths[-1].slope == pytest.approx(table.predicted_slope, rel=0.01)
    assert table.depths[-1].predicted_slope == pytest.approx(table.predicted_slope, rel=0.05)


def test_two_layer_blocks_converge_at_order_one() -> None:
    trained = study(Regime(block=Block.TWO_LAYER, width=2))
    assert last_orders(trained) == pytest.approx((1.0, 1.0, 1.0), abs=0.02)
    table = trained.diagnostics.minima
    assert table is not None
    assert table.depths[-1].slope == pytest.approx(table.predicted_slope, rel=0.01)
    assert table.depths[-1].predicted_slope == pytest.approx(table.predicted_slope, rel=0.05)


def test_two_layer_blocks_meet_their_euler_lagrange_equation_and_bend_within_its_bounds() -> None:
    found = study(Regime(block=Block.TWO_LAYER, width=2)).diagnostics
    assert found.euler_lagrange is not None
    for residuals in (found.euler_lagrange.K, found.euler_lagrange.b):
        assert residuals is not None
        assert residuals.residual < 1e-5
    assert found.regularity is not None
    for row in found.regularity:
        assert row.withheld == {}
        for bend in (row.K, row.b):
            assert bend is not None
            assert bend.holds


def test_of_one_sample_two_layer_blocks_bend_as_much_as_they_may() -> None:
    """The bound is an equality then."""
    regime = Regime(block=Block.TWO_LAYER, width=3, horizon=1.5)
    alpha = {"K": 0.05, "b": 0.05, "W": 0.1, "c": 0.1}
    problem = Problem([[1.0, 0.5]], [[2.0]], regularisation=Regularisation(alpha), regime=regime)
    trained = train(problem, (16, 32), None, Training(gradient_tolerance=1e-10, starts=1))
    assert trained.diagnostics.regularity is not None
    for row in trained.diagnostics.regularity:
        for bend in (row.K, row.b):
            assert bend is not None
            assert bend.second_difference > 0.1
            assert bend.second_difference == pytest.approx(bend.bound, rel=1e-5)


def test_a_horizon_and_a_running_cost_keep_the_slope_of_two_layer_blocks() -> None:
    table = study(Regime(block=Block.TWO_LAYER, width=2, horizon=2.0, running_cost=0.02)).diagnostics.minima
    assert table is not None
    assert table.depths[-1].slope == pytest.approx(table.predicted_slope, rel=0.02)


def test_the_recovery_sequence_leads_to_the_same_minima() -> None:
    prolonged, recovered = (points(Regime(), start) for start in (DepthStart.PROLONG, DepthStart.RECOVERY))
    for n in DEPTHS:
        left, right = (found[n].solution for found in (prolonged, recovered))
        assert right.objective == pytest.approx(left.objective, rel=1e-9)
        assert right.iterations <= 40
    with pytest.raises(ValueError, match="continuum"):
        train(odd_pair(Regime()), DEPTHS, None, Training(depth_start=DepthStart.RECOVERY))


def test_independent_starts_agree_when_the_regulariser_selects_and_not_without() -> None:
    """The negative control that the regulariser is for: E_n converges in both, minimisers only with it."""
    selected = distances(points(Regime(), DepthStart.INDEPENDENT))
    assert selected == pytest.approx(distances(points(Regime())), rel=1e-4)
    assert selected[-1] < 0.3 * selected[0]
    free = study(Regime(scaling=Scaling.NONE), depth_start=DepthStart.INDEPENDENT)
    scattered = [row.tl2.total for row in free.diagnostics.consecutive]
    assert min(scattered) > 1.0
    assert scattered[-1] > 0.5 * scattered[0]
    objectives = [point.solution.objective for point in free.study.verdict_branch.points.values()]
    assert max(objectives) - min(objectives) < 1e-6
    assert all(row.order["total"] is None for row in free.diagnostics.consecutive)
    assert free.diagnostics.verdict.converges is None


def distances(found: dict[int, BranchPoint]) -> list[float]:
    return [tl2_between(found[m].parameters, found[n].parameters).total for m, n in pairwise(DEPTHS)]


def h1_regulariser(found: dict[int, BranchPoint]) -> list[float]:
    """R_n of the paper's scaling at τ = 1, whatever was minimised."""
    values = []
    for n in DEPTHS:
        K = found[n].parameters.K
        values.append(float(n * (K[1:] - K[:-1]).square().sum() + K[0].square().sum()))
    return values


def test_an_unscaled_penalty_shows_in_the_growth_of_the_regulariser() -> None:
    paper, control = (h1_regulariser(points(Regime(scaling=scaling))) for scaling in (Scaling.H1, Scaling.UNSCALED))
    assert max(paper) / min(paper) < 1.05
    growth = [math.log2(after / before) for before, after in pairwise(control)]
    assert min(growth) > 0.3
    trained = study(Regime(scaling=Scaling.UNSCALED))
    assert trained.diagnostics.verdict.converges is False
    assert "R_n grows like n^" in trained.diagnostics.verdict.statements[0]
    names = {a.name for a in trained.diagnostics.assumptions if not a.holds}
    assert names == {"regulariser_h1"}


def test_without_a_continuum_problem_nothing_is_said_to_converge_to_it() -> None:
    trained = study(Regime(scaling=Scaling.L2))
    table = trained.diagnostics.minima
    assert table is not None
    assert table.depths[-1].order == pytest.approx(1.0, abs=0.02)
    assert trained.diagnostics.verdict.converges is None
    assert "no continuum problem" in trained.diagnostics.verdict.statements[0]
    assert "no continuum problem" in table.withheld["richardson"]
