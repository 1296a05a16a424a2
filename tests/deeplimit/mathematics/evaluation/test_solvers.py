"""Solver consistency against known answers: orders, the reference, and which models are flows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from deeplimit.mathematics import ContinuumOptions, Problem, Regime, Training, train
from deeplimit.mathematics.evaluation.fitted import Fitted
from deeplimit.mathematics.evaluation.reference_flow import reference_final
from deeplimit.mathematics.evaluation.sampled import sample
from deeplimit.mathematics.evaluation.solvers import solver_consistency
from deeplimit.mathematics.minimise import Budget
from deeplimit.mathematics.model.coordinates import LegendreIncrements, PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters
from deeplimit.mathematics.model.residual_network import DiscreteParameters
from deeplimit.mathematics.problem.regime import Integrator
from deeplimit.mathematics.study.continuum_fit import Beginning, fit_continuum
from tests.support.flows import constant_readout, fixed_flow, tensor, trained_continuum
from tests.support.small_problems import odd_pair, trained

DEFAULT_STEPS = (8, 16, 32, 64, 128, 256)


def test_solvers_have_their_orders_and_agree_on_a_smooth_flow() -> None:
    continuum = fixed_flow("tanh", 1.0)
    consistency = solver_consistency(continuum, (8, 16, 32, 64), 0.05)
    assert consistency.reference.prediction_change < 1e-10
    assert consistency.reference.evaluations > 0
    final = {row.solver: row for row in consistency.table if row.steps == 64}
    for solver, order, slack in (("euler", 1, 0.05), ("implicit_euler", 1, 0.05), ("midpoint", 2, 0.1)):
        assert final[solver].state_order == pytest.approx(order, abs=slack)
    rk4 = next(row for row in consistency.table if row.solver == "rk4" and row.steps == 16)
    assert rk4.state_order is not None
    assert rk4.state_order >= 3.5
    assert 64 * final["euler"].state_error == pytest.approx(0.1076491, rel=0.02)


def test_sampling_a_smooth_function_at_stage_times_keeps_the_methods_order() -> None:
    generator = torch.Generator().manual_seed(3)
    K, b = (torch.randn(5, *shape, generator=generator, dtype=torch.float64) for shape in ((3, 3), (3,)))
    problem = Problem(np.random.default_rng(0).normal(size=(7, 3)), np.zeros((7, 1)))
    W, c = torch.ones(1, 3, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    model = Fitted("continuum", problem, ContinuumParameters(LegendreIncrements(4), K, b, W, c))
    consistency = solver_consistency(model, (64, 128), 1e-2)
    order = {row.solver: row.state_order for row in consistency.table if row.steps == 128}
    assert order["midpoint"] == pytest.approx(2.0, abs=0.1)
    assert order["rk4"] is not None
    assert order["rk4"] >= 3.5
    assert order["euler"] == pytest.approx(1.0, abs=0.1)


def test_the_reference_follows_kinks() -> None:
    """X' = K(t) X with K piecewise linear: X(1) = exp ∫K."""
    basis = PiecewiseLinearIncrements(4)
    nodes = tensor(0.0, 1.0, -1.0, 2.0, 0.5, shape=(5, 1, 1))
    problem = Problem([[1.0], [0.5]], [[0.0], [0.0]], activation="identity")
    model = Fitted(
        "continuum",
        problem,
        ContinuumParameters(
            basis,
            basis.coordinates(nodes, 1.0),
            torch.zeros(5, 1, dtype=torch.float64),
            tensor(1.0, shape=(1, 1)),
            tensor(0.0, shape=(1,)),
        ),
    )
    integral = (0.0 / 2 + 1.0 - 1.0 + 2.0 + 0.5 / 2) / 4
    final, _ = reference_final(model, problem.x)
    assert final[:, 0].tolist() == pytest.approx([math.exp(integral), 0.5 * math.exp(integral)], rel=1e-11)
    assert float(model.output(problem.x)[0, 0]) == pytest.approx(math.exp(integral), rel=1e-9)


def test_a_network_that_is_no_flow_is_inconsistent() -> None:
    """Negative control: with K = −5 two Euler steps of X' = −5 X oscillate, and the flow decays."""
    problem = Problem([[1.0], [-1.0]], [[0.0], [0.0]], activation="identity")
    parameters = DiscreteParameters(
        tensor(-5.0, -5.0, shape=(2, 1, 1)), torch.zeros(2, 1, dtype=torch.float64), *constant_readout()
    )
    consistency = solver_consistency(Fitted("discrete-2", problem, parameters), (2, 64, 256), 0.01)
    assert consistency.consistent is False
    assert consistency.own.steps == 2
    own = (1.0 - 2.5) ** 2
    assert consistency.reference.prediction_change == pytest.approx(own - math.exp(-5.0), rel=1e-9)


@pytest.mark.parametrize("tolerance", [0.01, 1e-4])
def test_a_trained_continuum_is_consistent(tolerance: float) -> None:
    """Known answer C. Euler's rows are off by more than the smaller tolerance, and say nothing of the flow."""
    consistency = solver_consistency(trained_continuum("tanh"), DEFAULT_STEPS, tolerance)
    assert consistency.consistent is True
    assert (consistency.own.solver, consistency.reference.prediction_change < 1e-10) == ("rk4", True)
    euler = next(row for row in consistency.table if (row.solver, row.steps) == ("euler", 256))
    assert euler.agrees is (tolerance == 0.01)


def test_a_steep_flow_that_is_resolved_is_consistent() -> None:
    """X' = 4 X: Euler with 256 steps is off by 3 %, and the resolved flow by nothing."""
    one = torch.ones(1, 1, dtype=torch.float64)
    problem = Problem([[1.0], [-1.0]], [[0.0], [0.0]], activation="identity")
    flow = ContinuumParameters(LegendreIncrements(0), 4.0 * one[None], 0.0 * one, one, torch.zeros_like(one[0]))
    consistency = solver_consistency(Fitted("continuum", problem, flow, 512), DEFAULT_STEPS, 0.01)
    assert not any(row.agrees for row in consistency.table if row.solver == "euler")
    assert consistency.own.steps > max(DEFAULT_STEPS)  # no row is as good: the reference decides
    assert consistency.consistent is True


def test_a_coarse_network_read_as_a_flow_is_inconsistent_and_a_deep_one_is_not() -> None:
    """Known answer C again: two Euler steps were trained to fit where the flow through the same weights does not."""
    problem = odd_pair("tanh")
    coarse = train(problem, (2,), None, Training(starts=1)).study.verdict_branch.points[2].parameters
    consistency = solver_consistency(Fitted("discrete-2", problem, coarse), DEFAULT_STEPS, 0.01)
    assert (consistency.own.solver, consistency.own.steps, consistency.consistent) == ("euler", 2, False)
    assert consistency.reference.prediction_change > 0.02 * consistency.spread
    deep = trained("tanh").study.verdict_branch.points[128].parameters
    assert solver_consistency(Fitted("discrete-128", problem, deep), DEFAULT_STEPS, 0.01).consistent is True


def test_rows_below_the_models_own_order_do_not_count() -> None:
    """Eight steps of RK4 are a better integration than 64 of Euler, which disagree and decide nothing."""
    problem = Problem([[1.0], [-1.0]], [[0.0], [0.0]], activation="identity", regime=Regime(integrator=Integrator.RK4))
    weights = torch.ones(8, 1, 1, dtype=torch.float64), torch.zeros(8, 1, dtype=torch.float64)
    model = Fitted("discrete-8", problem, DiscreteParameters(*weights, *constant_readout()))
    consistency = solver_consistency(model, (64,), 1e-4)
    agrees = {row.solver: row.agrees for row in consistency.table}
    assert agrees == {"euler": False, "implicit_euler": False, "midpoint": True, "rk4": True}
    assert (consistency.own.solver, consistency.consistent) == ("rk4", True)


def test_one_sample_is_compared_with_its_size_or_the_trainings_deviation() -> None:
    """One prediction has no range; that rounding errors are over 1 % of nothing says nothing of the flow."""
    consistency = solver_consistency(fixed_flow("tanh", 1.0), DEFAULT_STEPS, 0.01)
    assert consistency.spread == pytest.approx(1.8782301658, rel=1e-9)
    assert consistency.consistent is True
    coarse = sample(fixed_flow("tanh", 1.0), 2)
    assert solver_consistency(coarse, DEFAULT_STEPS, 0.01).consistent is False
    scaled = solver_consistency(coarse, DEFAULT_STEPS, 0.01, torch.tensor([30.0], dtype=torch.float64))
    assert (scaled.spread, scaled.consistent) == (30.0, False)


def test_a_deep_network_of_small_weights_is_consistent() -> None:
    problem = Problem([[1.0], [-1.0]], [[0.0], [0.0]])
    depth = 256
    parameters = DiscreteParameters(
        torch.full((depth, 1, 1), 0.5, dtype=torch.float64),
        torch.zeros(depth, 1, dtype=torch.float64),
        *constant_readout(),
    )
    consistency = solver_consistency(Fitted("discrete-256", problem, parameters), (64, 256, 512), 0.01)
    assert consistency.consistent is True


@pytest.mark.parametrize(("rate", "consistent"), [(1.0, False), (0.1, True)])
def test_every_output_is_judged_by_its_own_spread(rate: float, consistent: bool) -> None:
    """X_1' = 0, X_2' = k X_2: two Euler steps give (1 + k/2)² x_2, the flow e^k x_2; the other output is not moved.

    The changes are the same share of the wide output's spread or less, 0.01 % and nothing.
    """
    problem = Problem([[1.0, 1.0], [-1.0, -1.0]], np.zeros((2, 2)), activation="identity")
    K = torch.zeros(2, 2, 2, dtype=torch.float64)
    K[:, 1, 1] = rate
    W = torch.diag(tensor(3364.5, 0.845, shape=(2,)))
    parameters = DiscreteParameters(K, torch.zeros(2, 2, dtype=torch.float64), W, tensor(0.0, 0.0, shape=(2,)))
    own, flow = (1.0 + rate / 2.0) ** 2, math.exp(rate)
    found = solver_consistency(Fitted("discrete-2", problem, parameters), (2, 64), 0.01)
    assert found.consistent is consistent
    assert found.spreads == pytest.approx([6729.0, 1.69 * own])
    assert found.spread == found.spreads[0]
    assert found.reference.output == 1
    assert found.reference.prediction_change == pytest.approx(0.845 * (flow - own), rel=1e-9)
    assert found.reference.relative_change == pytest.approx(0.5 * (flow / own - 1.0), rel=1e-9)
    rows = {(row.solver, row.steps): row for row in found.table}
    assert rows["rk4", 64].agrees is consistent
    assert rows["euler", 2].agrees is True
    assert (found.advice is None) is consistent
    if found.advice is not None:
        assert found.advice.startswith("resolving the flow changes output 1 by 0.104 of its spread, over 0.01")
        assert "more layers (discrete.depths)" in found.advice


def test_an_output_that_does_not_vary_is_judged_by_its_size_or_the_trainings_deviation() -> None:
    """The second output is 0.7 for every sample: it is not judged by its range, which is rounding at most."""
    problem = Problem([[1.0], [-1.0]], np.zeros((2, 2)), activation="identity")
    parameters = DiscreteParameters(
        torch.full((2, 1, 1), 0.1, dtype=torch.float64),
        torch.zeros(2, 1, dtype=torch.float64),
        tensor(1.0, 1e-12, shape=(2, 1)),
        tensor(0.0, 0.7, shape=(2,)),
    )
    model = Fitted("discrete-2", problem, parameters)
    found = solver_consistency(model, (64,), 0.01)
    assert found.spreads == pytest.approx([2.0 * 1.05**2, 0.7])
    assert (found.consistent, found.reference.output) == (True, 0)
    scaled = solver_consistency(model, (64,), 0.01, tensor(10.0, 30.0, shape=(2,)))
    assert scaled.spreads == pytest.approx([20.0 * 1.05**2, 30.0])


def amplification(z: float) -> float:
    """What a step of the classical Runge–Kutta method does to X' = λ X, z = λ h."""
    return 1.0 + z + z**2 / 2.0 + z**3 / 6.0 + z**4 / 24.0


@pytest.mark.parametrize(("steps", "consistent"), [(2, False), (64, True)])
def test_the_model_that_was_trained_is_compared_with_its_flow(steps: int, consistent: bool) -> None:
    """X' = −5 X, trained with so many steps: the flow's predictions e^{−5} x are no evidence for those of the model."""
    one = tensor(1.0, shape=(1, 1))
    problem = Problem([[1.0], [-1.0]], [[0.1], [-0.1]], activation="identity")
    flow = ContinuumParameters(LegendreIncrements(0), -5.0 * one[None], 0.0 * one, one, 0.0 * one[0])
    found = solver_consistency(Fitted("continuum", problem, flow, steps), DEFAULT_STEPS, 0.01, targets=problem.y)
    own, resolved = amplification(-5.0 / steps) ** steps, math.exp(-5.0)
    assert (found.own.solver, found.own.steps, found.consistent) == ("rk4", steps, consistent)
    assert found.own.terminal_loss == pytest.approx((own - 0.1) ** 2, rel=1e-9)
    assert found.reference.terminal_loss == pytest.approx((resolved - 0.1) ** 2, rel=1e-9)
    assert found.reference.prediction_change == pytest.approx(own - resolved, rel=1e-6)
    assert found.loss_scale == pytest.approx(max(0.01, (own - 0.1) ** 2), rel=1e-9)
    if not consistent:
        assert found.advice is not None
        assert "more than its 2 steps" in found.advice
        assert "continuum.tolerance" in found.advice


def test_a_continuum_that_was_trained_on_too_few_steps_is_inconsistent() -> None:
    """A horizon of 30, left at 16 steps by the limit of iterations: they fit what the flow does not."""
    x = np.linspace(-1.0, 1.0, 12)[:, None]
    problem = Problem(x, np.sin(3.0 * x), regime=Regime(horizon=30.0))
    begin = Beginning(torch.Generator().manual_seed(0), carry=False)
    fit = fit_continuum(problem, begin, ContinuumOptions(), Budget(max_iterations=150))
    assert fit.flow.steps == 16
    model = Fitted("continuum", problem, fit.parameters, fit.flow.steps)
    found = solver_consistency(model, DEFAULT_STEPS, 0.01, targets=problem.y)
    assert found.own.terminal_loss == pytest.approx(fit.solution.evaluation.terms["terminal"], rel=1e-9)
    assert found.reference.terminal_loss is not None
    assert found.reference.terminal_loss > 1.1 * (found.own.terminal_loss or 0.0)
    assert found.consistent is False
    assert "continuum.tolerance" in (found.advice or "")
    assert "`limited`" in (found.advice or "")


@pytest.mark.parametrize(("target", "consistent"), [(1.0, False), (-1.0, True), (None, True)])
def test_a_loss_that_changes_where_predictions_hardly_do_is_inconsistent(
    target: float | None, consistent: bool
) -> None:
    """Two Euler steps give z = −6, the flow −8.8: the probability changes by 0.2 %, the loss of the class +1 by 2.8."""
    problem = Problem([[1.0]], [1.0 if target is None else target], activation="identity", loss="logistic")
    K, b = torch.full((2, 1, 1), -1.0, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64)
    model = Fitted(
        "discrete-2", problem, DiscreteParameters(K, b, tensor(-24.0, shape=(1, 1)), tensor(0.0, shape=(1,)))
    )
    found = solver_consistency(model, (64,), 0.01, targets=None if target is None else problem.y)
    assert found.reference.relative_change < 0.003
    assert found.consistent is consistent
    if target is None:
        assert found.own.terminal_loss is found.reference.terminal_loss is found.loss_scale is None
        assert found.own.withheld == found.reference.withheld == {"terminal_loss": "the data have no targets"}
    else:
        losses = [math.log1p(math.exp(-target * z)) for z in (-6.0, -24.0 * math.exp(-1.0))]
        assert [found.own.terminal_loss, found.reference.terminal_loss] == pytest.approx(losses, rel=1e-9)
        assert found.loss_scale == pytest.approx(max(losses[0], math.log(2.0)))
        assert ("the terminal loss by 0.471 of loss_scale" in (found.advice or "")) is not consistent


def test_without_the_steps_of_its_training_a_continuum_is_not_judged() -> None:
    model = fixed_flow("tanh", 1.0)
    unknown = solver_consistency(Fitted("continuum", model.problem, model.parameters), DEFAULT_STEPS, 0.01)
    assert unknown.consistent is None
    assert unknown.withheld["consistent"].startswith("the parameters do not say how many steps")
    assert solver_consistency(model, DEFAULT_STEPS, 0.01).consistent is True
