"""Evaluation: depths never trained, solvers, noise, against known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from worker.deeplimit import ContinuumOptions, Problem, Regularisation
from worker.deeplimit.continuum import fit_continuum
from worker.deeplimit.coordinates import ContinuumBasis, LegendreIncrements, PiecewiseLinearIncrements
from worker.deeplimit.evaluation.fitted import Fitted, continuum_parameters, polynomial_increments
from worker.deeplimit.evaluation.robustness import Noise, robustness
from worker.deeplimit.evaluation.sampled import sample, sampling_errors
from worker.deeplimit.evaluation.solvers import reference_final, solver_consistency
from worker.deeplimit.flow import ContinuumParameters
from worker.deeplimit.minimise import Budget
from worker.deeplimit.residual_network import DiscreteParameters

ALPHA = {"K": 0.05, "b": 0.05, "W": 0.1, "c": 0.1}


def tensor(*values: float, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).view(shape)


def trained_continuum(activation: str) -> Fitted:
    """Known answers B (identity) and C (tanh)."""
    problem = Problem(
        [[1.0], [-1.0]], [[2.0], [-2.0]], activation=activation, regularisation=Regularisation(alpha=ALPHA)
    )
    fit = fit_continuum(problem, torch.Generator().manual_seed(0), ContinuumOptions(tolerance=1e-10), Budget())
    return Fitted("continuum", problem, fit.parameters)


def fixed_flow(activation: str, K: float, x: float = 1.0) -> Fitted:
    """K and b = 0 constant, W = 1, c = 0: known answer D is tanh with K = 1."""
    problem = Problem([[x]], [[0.0]], activation=activation)
    one = tensor(1.0, shape=(1, 1))
    zero = tensor(0.0, shape=(1,))
    return Fitted(
        "continuum",
        problem,
        ContinuumParameters(LegendreIncrements(0), K * one.view(1, 1, 1), zero.view(1, 1), one, zero),
    )


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 8])
def test_coefficients_give_the_function_back(degree: int) -> None:
    basis = LegendreIncrements(degree)
    u = torch.randn(degree + 1, 2, 2, generator=torch.Generator().manual_seed(degree), dtype=torch.float64)
    back = polynomial_increments(basis.polynomial(u, 1.0))
    torch.testing.assert_close(back, u, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("basis", [LegendreIncrements(5), PiecewiseLinearIncrements(6)])
def test_parameters_as_a_client_has_them_give_the_same_flow(basis: ContinuumBasis) -> None:
    generator = torch.Generator().manual_seed(0)
    K, b = (torch.randn(basis.size, *shape, generator=generator, dtype=torch.float64) for shape in ((2, 2), (2,)))
    W, c = torch.eye(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    original = ContinuumParameters(basis, K, b, W, c)
    again = continuum_parameters(basis, *original.coefficients(), W, c)
    t = torch.linspace(0.0, 1.0, 11, dtype=torch.float64)
    for one, other in zip(original.sample(t), again.sample(t), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_untrained_depths_show_order_one_in_states_and_predictions(activation: str) -> None:
    continuum = trained_continuum(activation)
    networks = [sample(continuum, depth) for depth in (64, 128, 256)]
    rows = sampling_errors(continuum, networks, continuum.problem.x)
    assert [row.depth for row in rows] == [64, 128, 256]
    for row in rows[1:]:
        for name in ("states", "predictions"):
            order = row.order[name]
            assert order is not None
            assert order == pytest.approx(1.0, abs=0.02)
    # the leading term of Euler's error halves with the step
    assert rows[2].predictions / rows[1].predictions == pytest.approx(0.5, abs=5e-3)


def test_a_sampled_network_is_eulers_method() -> None:
    """Known answer D: n(X(1) − X_n) → 0.1076491."""
    continuum = fixed_flow("tanh", 1.0)
    exact = math.asinh(math.e * math.sinh(1.0))
    assert exact == pytest.approx(1.8782301658, abs=1e-10)
    assert float(continuum.output(continuum.problem.x)) == pytest.approx(exact, abs=1e-11)
    network = sample(continuum, 4096)
    row = sampling_errors(continuum, [network], continuum.problem.x)[0]
    assert 4096 * row.predictions == pytest.approx(0.1076491, rel=1e-3)


def test_solvers_have_their_orders_and_agree_on_a_smooth_flow() -> None:
    continuum = fixed_flow("tanh", 1.0)
    found = solver_consistency(continuum, (8, 16, 32, 64), 0.05)
    assert found.reference_change < 1e-10
    assert found.reference_evaluations > 0
    final = {row.solver: row for row in found.rows if row.steps == 64}
    for solver, order, slack in (("euler", 1, 0.05), ("implicit_euler", 1, 0.05), ("midpoint", 2, 0.1)):
        assert final[solver].state_order == pytest.approx(order, abs=slack)
    rk4 = next(row for row in found.rows if row.solver == "rk4" and row.steps == 16)
    assert rk4.state_order is not None
    assert rk4.state_order >= 3.5
    assert 64 * final["euler"].state_error == pytest.approx(0.1076491, rel=0.02)


def test_sampling_a_smooth_function_at_stage_times_keeps_the_methods_order() -> None:
    generator = torch.Generator().manual_seed(3)
    K, b = (torch.randn(5, *shape, generator=generator, dtype=torch.float64) for shape in ((3, 3), (3,)))
    problem = Problem(np.random.default_rng(0).normal(size=(7, 3)), np.zeros((7, 1)))
    W, c = torch.ones(1, 3, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    model = Fitted("continuum", problem, ContinuumParameters(LegendreIncrements(4), K, b, W, c))
    found = solver_consistency(model, (64, 128), 1e-2)
    order = {row.solver: row.state_order for row in found.rows if row.steps == 128}
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
    found = solver_consistency(Fitted("discrete-2", problem, parameters), (2, 64, 256), 0.01)
    assert found.consistent is False
    assert found.own_steps == 2
    own = (1.0 - 2.5) ** 2
    assert found.reference_change == pytest.approx(own - math.exp(-5.0), rel=1e-9)


def constant_readout() -> tuple[torch.Tensor, torch.Tensor]:
    return tensor(1.0, shape=(1, 1)), tensor(0.0, shape=(1,))


def test_a_deep_network_of_small_weights_is_consistent() -> None:
    problem = Problem([[1.0], [-1.0]], [[0.0], [0.0]])
    depth = 256
    parameters = DiscreteParameters(
        torch.full((depth, 1, 1), 0.5, dtype=torch.float64),
        torch.zeros(depth, 1, dtype=torch.float64),
        *constant_readout(),
    )
    found = solver_consistency(Fitted("discrete-256", problem, parameters), (64, 256, 512), 0.01)
    assert found.consistent is True


def test_noise_on_a_linear_map_is_passed_on_by_its_factor() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2000, 1))
    problem = Problem(x, 3.0 * x, activation="identity")
    zero = torch.zeros(1, 1, dtype=torch.float64)
    parameters = ContinuumParameters(
        LegendreIncrements(0), zero.view(1, 1, 1), zero, 3.0 * torch.ones_like(zero), zero[0]
    )
    model = Fitted("continuum", problem, parameters)
    unit = torch.full((1,), 2.0, dtype=torch.float64)
    rows = robustness(
        model, Noise((0.1, 0.2), 5, 0), unit, scale=torch.tensor([10.0], dtype=torch.float64), targets=problem.y
    )
    assert rows[0].rms_change == pytest.approx(10.0 * 3.0 * 2.0 * 0.1, rel=0.03)
    assert rows[1].rms_change == pytest.approx(2.0 * rows[0].rms_change, rel=1e-12)  # the same draws
    assert rows[0].metrics["terminal_loss"] == pytest.approx((3.0 * 2.0 * 0.1) ** 2, rel=0.05)
    assert rows[1].metrics["r2"] < rows[0].metrics["r2"] < 1.0
    again = robustness(model, Noise((0.1,), 5, 0), unit)
    other = robustness(model, Noise((0.1,), 5, 1), unit)
    assert again[0].rms_change == rows[0].rms_change / 10.0
    assert other[0].rms_change != again[0].rms_change
    assert again[0].metrics == {}


def test_noise_changes_labels_near_the_boundary() -> None:
    x = np.array([[-2.0], [-0.01], [0.01], [2.0]])
    problem = Problem(x, [0, 0, 1, 1], activation="identity", loss="cross_entropy")
    zero = torch.zeros(1, 1, dtype=torch.float64)
    parameters = ContinuumParameters(
        LegendreIncrements(0),
        zero.view(1, 1, 1),
        zero,
        tensor(-1.0, 1.0, shape=(2, 1)),
        torch.zeros(2, dtype=torch.float64),
    )
    model = Fitted("continuum", problem, parameters)
    row = robustness(model, Noise((0.1,), 40, 0), torch.ones(1, dtype=torch.float64), targets=problem.y)[0]
    assert row.changed_labels == pytest.approx(0.5 * 0.46, abs=0.1)  # of the two in the middle, Φ(−0.1) each
    assert row.metrics["accuracy"] == pytest.approx(1.0 - (row.changed_labels or 0.0), abs=1e-12)
    assert row.deviations["accuracy"] > 0.0


def test_states_of_the_continuum_are_those_of_the_flow() -> None:
    continuum = fixed_flow("tanh", 1.0)
    t, states = continuum.states(continuum.problem.x, 8)
    exact = [math.asinh(math.exp(s) * math.sinh(1.0)) for s in t.tolist()]
    assert states[:, 0, 0].tolist() == pytest.approx(exact, abs=1e-11)
