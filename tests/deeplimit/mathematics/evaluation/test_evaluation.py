"""Evaluation: depths never trained, resolved flows, noise, against known answers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from deeplimit.mathematics import Problem, Regime
from deeplimit.mathematics.evaluation import fitted
from deeplimit.mathematics.evaluation.fitted import Fitted
from deeplimit.mathematics.evaluation.robustness import Noise, noise_curve
from deeplimit.mathematics.evaluation.sampled import sample, sampling_errors
from deeplimit.mathematics.evaluation.solvers import solver_consistency
from deeplimit.mathematics.kernels.two_layer import TwoLayerRungeKutta
from deeplimit.mathematics.model.coordinates import ContinuumBasis, LegendreIncrements, PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters
from deeplimit.mathematics.problem.regime import Block
from tests.support.flows import constant_readout, fixed_flow, tensor, trained_continuum

if TYPE_CHECKING:
    from deeplimit.mathematics.kernels.kernel import Trajectory


@pytest.mark.parametrize("tau", [1.0, 2.5])
@pytest.mark.parametrize("degree", [0, 1, 2, 3, 8])
def test_coefficients_give_the_function_back(degree: int, tau: float) -> None:
    basis = LegendreIncrements(degree)
    u = torch.randn(degree + 1, 2, 2, generator=torch.Generator().manual_seed(degree), dtype=torch.float64)
    back = basis.coordinates(basis.coefficients(u, tau), tau)
    torch.testing.assert_close(back, u, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("basis", [LegendreIncrements(5), PiecewiseLinearIncrements(6)])
def test_parameters_as_a_client_has_them_give_the_same_flow(basis: ContinuumBasis) -> None:
    generator = torch.Generator().manual_seed(0)
    K, b = (torch.randn(basis.size, *shape, generator=generator, dtype=torch.float64) for shape in ((2, 2), (2,)))
    W, c = torch.eye(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    original = ContinuumParameters(basis, K, b, W, c)
    again = ContinuumParameters.from_coefficients(basis, *original.coefficients(), W, c)
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
            order = getattr(row, name).order
            assert order is not None
            assert order == pytest.approx(1.0, abs=0.02)
    # the leading term of Euler's error halves with the step
    assert rows[2].predictions.sup_error / rows[1].predictions.sup_error == pytest.approx(0.5, abs=5e-3)


def test_another_continuum_shows_no_order() -> None:
    """The control: networks sampled from parameters that are one part in a hundred off approach something else."""
    continuum = trained_continuum("tanh")
    assert isinstance(continuum.parameters, ContinuumParameters)
    off = replace(continuum.parameters, K=1.01 * continuum.parameters.K)
    networks = [sample(Fitted("continuum", continuum.problem, off), depth) for depth in (64, 128, 256)]
    for row in sampling_errors(continuum, networks, continuum.problem.x)[1:]:
        assert row.states.order is None or row.states.order < 0.9


def test_noise_that_is_not_in_the_columns_unit_is_told_apart() -> None:
    """The control of the unit: with a third of it the same levels change a third as much."""
    model = trained_continuum("identity")
    whole, third = (
        noise_curve(model, Noise((0.01,), 5, 0), torch.full((1,), unit, dtype=torch.float64))[0]
        for unit in (1.0, 1 / 3)
    )
    assert whole.rms_change == pytest.approx(3.0 * third.rms_change, rel=1e-9)


def test_orders_of_predictions_do_not_hang_on_their_unit() -> None:
    continuum = trained_continuum("tanh")
    networks = [sample(continuum, depth) for depth in (64, 128)]
    plain, scaled = (
        sampling_errors(continuum, networks, continuum.problem.x, scale)
        for scale in (None, torch.tensor([1e-12], dtype=torch.float64))
    )
    assert scaled[1].predictions.sup_error == pytest.approx(1e-12 * plain[1].predictions.sup_error, rel=1e-12)
    assert scaled[1].predictions.order == pytest.approx(plain[1].predictions.order, rel=1e-9)


def test_what_overflows_is_no_error_of_zero() -> None:
    """X' = 40 X from 1e300: X(1) and Euler's X_64 are over the largest double, and their difference is no number."""
    continuum = fixed_flow("identity", 40.0, 1e300)
    (row,) = sampling_errors(continuum, [sample(continuum, 64)], continuum.problem.x)
    assert not math.isfinite(row.states.sup_error)
    assert not math.isfinite(row.predictions.sup_error)
    (level,) = noise_curve(continuum, Noise((0.1,), 2, 0), torch.ones(1, dtype=torch.float64))
    assert not math.isfinite(level.sup_change)
    assert not math.isfinite(level.rms_change)
    assert solver_consistency(continuum, (8,), 0.01).consistent is None


def test_a_sampled_network_is_eulers_method() -> None:
    """Known answer D: n(X(1) − X_n) → 0.1076491."""
    continuum = fixed_flow("tanh", 1.0)
    exact = math.asinh(math.e * math.sinh(1.0))
    assert exact == pytest.approx(1.8782301658, abs=1e-10)
    assert float(continuum.output(continuum.problem.x)) == pytest.approx(exact, abs=1e-11)
    network = sample(continuum, 4096)
    row = sampling_errors(continuum, [network], continuum.problem.x)[0]
    assert 4096 * row.predictions.sup_error == pytest.approx(0.1076491, rel=1e-3)


@pytest.mark.parametrize("wanted", [1e-6, 1e-8])
def test_the_integration_error_is_that_of_the_flow(monkeypatch: pytest.MonkeyPatch, wanted: float) -> None:
    """Within a factor of 2, against X' = tanh(3 cos(3t) X + t) solved by Dormand–Prince to 1e-12, written out here."""
    monkeypatch.setattr(fitted, "FIRST_STEPS", 4)
    problem = Problem([[1.0], [-0.3], [0.7]], [[0.0]] * 3)
    t = np.linspace(0.0, 1.0, 41)
    coefficients = [
        torch.from_numpy(np.polynomial.legendre.legfit(2.0 * t - 1.0, values, 16))
        for values in (3.0 * np.cos(3.0 * t), t)
    ]
    flow = ContinuumParameters.from_coefficients(
        LegendreIncrements(16), coefficients[0][:, None, None], coefficients[1][:, None], *constant_readout()
    )
    exact = solve_ivp(
        lambda s, X: np.tanh(3.0 * np.cos(3.0 * s) * X + s),
        (0.0, 1.0),
        [1.0, -0.3, 0.7],
        method="DOP853",
        rtol=1e-12,
        atol=1e-12,
    ).y[:, -1]
    monkeypatch.setattr(fitted, "SMOOTH_ERROR", wanted)
    loose = Fitted("continuum", problem, flow)
    steps, error = loose.resolved
    true = float(np.abs(loose.final(problem.x)[:, 0].numpy() - exact).max())
    assert 0.0 < error <= wanted * np.abs(exact).max()
    assert 0.5 * true < error < 2.0 * true
    monkeypatch.setattr(fitted, "SMOOTH_ERROR", 1e-12)
    sharp = Fitted("continuum", problem, flow)
    assert (sharp.resolved[0] or 0) > (steps or 0) > 4
    assert float(np.abs(sharp.final(problem.x)[:, 0].numpy() - exact).max()) < 1e-11


@pytest.mark.parametrize("kink", [0.07, 0.3, 0.5 + 1 / 97, 0.9])
def test_the_integration_error_bounds_that_of_a_kink(monkeypatch: pytest.MonkeyPatch, kink: float) -> None:
    """X' = relu(t − a): X(1) = (1 − a)²/2, and no order that a change could be divided by."""
    monkeypatch.setattr(fitted, "MOST_STEPS", 256)
    problem = Problem([[0.0]], [[0.0]], activation="relu")
    flow = ContinuumParameters.from_coefficients(
        LegendreIncrements(1),
        torch.zeros(2, 1, 1, dtype=torch.float64),
        tensor(0.5 - kink, 0.5, shape=(2, 1)),
        *constant_readout(),
    )
    model = Fitted("continuum", problem, flow)
    steps, error = model.resolved
    true = abs(float(model.output(problem.x)) - 0.5 * (1.0 - kink) ** 2)
    assert steps == 256
    assert error / 15.0 < true <= error


def test_an_error_that_the_most_steps_leave_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitted, "MOST_STEPS", 64)
    model = fixed_flow("identity", 20.0)
    steps, error = model.resolved
    assert steps == 64
    true = abs(float(model.output(model.problem.x)) - math.exp(20.0))
    assert 0.5 * true < error < 2.0 * true


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
    rows = noise_curve(
        model, Noise((0.1, 0.2), 5, 0), unit, scale=torch.tensor([10.0], dtype=torch.float64), targets=problem.y
    )
    assert rows[0].rms_change == pytest.approx(10.0 * 3.0 * 2.0 * 0.1, rel=0.03)
    assert rows[1].rms_change == pytest.approx(2.0 * rows[0].rms_change, rel=1e-12)  # the same draws
    gentle, strong = (row.metrics or {} for row in rows)
    assert gentle["terminal_loss"] == pytest.approx((3.0 * 2.0 * 0.1) ** 2, rel=0.05)
    assert strong["r2"] < gentle["r2"] < 1.0
    again = noise_curve(model, Noise((0.1,), 5, 0), unit)
    other = noise_curve(model, Noise((0.1,), 5, 1), unit)
    assert again[0].rms_change == rows[0].rms_change / 10.0
    assert other[0].rms_change != again[0].rms_change
    assert again[0].metrics is None


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
    row = noise_curve(model, Noise((0.1,), 40, 0), torch.ones(1, dtype=torch.float64), targets=problem.y)[0]
    assert row.changed_labels == pytest.approx(0.5 * 0.46, abs=0.1)  # of the two in the middle, Φ(−0.1) each
    assert row.metrics is not None
    assert row.deviations is not None
    assert row.metrics["accuracy"] == pytest.approx(1.0 - (row.changed_labels or 0.0), abs=1e-12)
    assert row.deviations["accuracy"] > 0.0


def test_wide_blocks_are_gone_through_in_smaller_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every stage the kernel keeps w numbers a sample, not d = 1."""
    kept: list[int] = []
    forward = TwoLayerRungeKutta.forward

    def watched(kernel: TwoLayerRungeKutta, *arguments: Any) -> Trajectory:
        run = forward(kernel, *arguments)
        kept.append(run.z.nbytes + run.a.nbytes)
        return run

    monkeypatch.setattr(TwoLayerRungeKutta, "forward", watched)
    width, samples = 2000, 40
    regime = Regime(block=Block.TWO_LAYER, width=width)
    problem = Problem(np.linspace(-1.0, 1.0, samples)[:, None], np.zeros((samples, 1)), regime=regime)
    zero = torch.zeros(1, 2 * width, 1, dtype=torch.float64), torch.zeros(1, width, dtype=torch.float64)
    model = Fitted("continuum", problem, ContinuumParameters(LegendreIncrements(0), *zero, *constant_readout()))
    solver_consistency(model, (64,), 0.01)
    assert 2**20 < max(kept) <= 32 * 2**20
    assert len(kept) > 10


def test_states_of_the_continuum_are_those_of_the_flow() -> None:
    continuum = fixed_flow("tanh", 1.0)
    t, states = continuum.states(continuum.problem.x, 8)
    exact = [math.asinh(math.exp(s) * math.sinh(1.0)) for s in t.tolist()]
    assert states[:, 0, 0].tolist() == pytest.approx(exact, abs=1e-11)
