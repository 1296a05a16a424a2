"""Closed forms of each regime.

With σ = identity, K = 0, W = 1, c = 0 and y − x = 1 the last state is x + g·u in the increment coordinates u of b, so
that E = a/(G + a) with G = ‖g‖²: one number a regime, from its definition.
"""

import math
from collections.abc import Callable

import pytest
import torch

from deeplimit.mathematics import (
    Block,
    ContinuumOptions,
    Integrator,
    Problem,
    Regime,
    Regularisation,
    Scaling,
    Training,
    Weights,
    train,
)
from deeplimit.mathematics.minimise import Budget, Status, minimise
from deeplimit.mathematics.model.residual_network import ResidualNetwork

A, TAU = 0.1, 1.4


def bias_only(regime: Regime) -> Problem:
    return Problem(
        [[1.0]],
        [[2.0]],
        activation="identity",
        regularisation=Regularisation(dict.fromkeys("KbWc", A), dict.fromkeys("Kb", TAU)),
        regime=regime,
        fixed={"K": [[0.0]], "W": [[1.0]], "c": [0.0]},
    )


def minimum(problem: Problem, depth: int) -> float:
    network = ResidualNetwork(problem, depth)
    start = network.random(torch.Generator().manual_seed(0), 0.5)
    solution = minimise(network, start, Budget(gradient_tolerance=1e-8))
    assert solution.status is Status.CONVERGED
    return solution.objective


def ramps(n: int, shift: float) -> float:
    """1/τ + (1/n) Σ_{i=1}^{n−1} ((n − i + shift)/n)²: what each increment moves the last state by."""
    return 1.0 / TAU + math.fsum(((n - i + shift) / n) ** 2 for i in range(1, n)) / n


T = 2.5
GAINS: dict[str, tuple[Regime, Callable[[int], float]]] = {
    "h1": (Regime(), lambda n: ramps(n, 0.0)),
    "l2": (Regime(scaling=Scaling.L2), lambda _: 1.0),
    "unscaled": (Regime(scaling=Scaling.UNSCALED), lambda n: 1.0 / TAU + (n - 1) * (2 * n - 1) / (6.0 * n)),
    "constant": (Regime(weights=Weights.CONSTANT), lambda _: 1.0 / TAU),
    "midpoint": (Regime(integrator=Integrator.MIDPOINT), lambda n: ramps(n, 0.5)),
    "rk4": (Regime(integrator=Integrator.RK4), lambda n: ramps(n, 0.5)),
    "implicit_euler": (Regime(integrator=Integrator.IMPLICIT_EULER), lambda n: ramps(n, 1.0)),
    "horizon h1": (Regime(horizon=T), lambda n: T**2 / TAU + T**3 * (ramps(n, 0.0) - 1.0 / TAU)),
    "horizon l2": (Regime(scaling=Scaling.L2, horizon=T), lambda _: T),
    "horizon unscaled": (
        Regime(scaling=Scaling.UNSCALED, horizon=T),
        lambda n: T**2 * (1.0 / TAU + (n - 1) * (2 * n - 1) / (6.0 * n)),
    ),
}


@pytest.mark.parametrize("depth", [2, 7, 64])
@pytest.mark.parametrize("name", GAINS)
def test_bias_alone(name: str, depth: int) -> None:
    regime, gain = GAINS[name]
    assert minimum(bias_only(regime), depth) == pytest.approx(A / (gain(depth) + A), rel=1e-10)


@pytest.mark.parametrize("depth", [2, 64])
def test_bias_alone_without_regulariser_fits_exactly(depth: int) -> None:
    assert minimum(bias_only(Regime(scaling=Scaling.NONE)), depth) < 1e-13


@pytest.mark.parametrize("horizon", [1.0, T])
def test_constant_bias_with_a_running_cost(horizon: float) -> None:
    """X_i = 1 + iTb/n: a parabola in b, at each depth and in the continuum."""
    gamma = 0.3
    regime = Regime(weights=Weights.CONSTANT, horizon=horizon, running_cost=gamma)

    def lowest(first: float, second: float) -> float:
        """Of (1 − Tb)² + ατb² + γT(1 + first·Tb + second·(Tb)²)."""
        quadratic = horizon**2 + A * TAU + gamma * horizon**3 * second
        linear = -2.0 * horizon + gamma * horizon**2 * first
        return 1.0 + gamma * horizon - linear**2 / (4.0 * quadratic)

    problem = bias_only(regime)
    for n in (2, 16):
        assert minimum(problem, n) == pytest.approx(lowest((n - 1) / n, (n - 1) * (2 * n - 1) / (6 * n * n)), rel=1e-10)
    trained = train(problem, (), ContinuumOptions(tolerance=1e-10), Training(starts=1, gradient_tolerance=1e-10))
    fit = trained.study.verdict_branch.continuum
    assert fit is not None
    assert fit.limited is None
    assert fit.solution.objective == pytest.approx(lowest(1.0, 1.0 / 3.0), rel=1e-10)


def test_a_horizon_is_a_faster_activation() -> None:
    """σ = identity: [0, T] with h1 weights (α, τ) is [0, 1] with X' = T(KX + b), so with TK and Tb, α/T³ and τT."""
    data: tuple[list[list[float]], list[list[float]]] = ([[1.0], [-1.0]], [[2.0], [-2.0]])
    alpha = {"K": 0.05, "b": 0.05, "W": 0.1, "c": 0.1}
    long = Problem(
        *data,
        activation="identity",
        regularisation=Regularisation(alpha, {"K": 0.7, "b": 0.7}),
        regime=Regime(horizon=T),
    )
    scaled = {"K": 0.05 / T**3, "b": 0.05 / T**3, "W": 0.1, "c": 0.1}
    unit = Problem(*data, activation="identity", regularisation=Regularisation(scaled, {"K": 0.7 * T, "b": 0.7 * T}))
    assert minimum(long, 16) == pytest.approx(minimum(unit, 16), rel=1e-9)


def test_a_two_layer_block_of_the_identity_multiplies_its_matrices() -> None:
    """b = W = c = 0 fixed leaves no data term to gain from; with K = V = 0 the objective is ‖y‖² and stationary."""
    problem = Problem([[1.0, 0.5]], [[1.0]], regime=Regime(block=Block.TWO_LAYER, width=3))
    network = ResidualNetwork(problem, 4)
    assert network.coordinates.shapes == {"K": (4, 6, 2), "b": (4, 3), "W": (1, 2), "c": (1,)}
    at = network.evaluate(torch.zeros(network.coordinates.length, dtype=torch.float64))
    assert at.objective == 1.0
    assert float(network.coordinates.unpack(at.gradient)["K"].norm()) == 0.0


@pytest.mark.parametrize(
    "bad",
    [
        {"horizon": 0.0},
        {"horizon": math.inf},
        {"running_cost": -1.0},
        {"weights": Weights.CONSTANT, "scaling": Scaling.L2},
        {"width": 3},
        {"block": Block.TWO_LAYER, "width": 0},
    ],
    ids=str,
)
def test_regimes_that_make_no_sense_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"horizon|scaling|width"):
        Regime(**bad)  # type: ignore[arg-type]  # parametrised


def test_a_continuum_is_refused_where_there_is_none() -> None:
    for scaling in (Scaling.NONE, Scaling.L2, Scaling.UNSCALED):
        with pytest.raises(ValueError, match="no continuum problem"):
            train(bias_only(Regime(scaling=scaling)), (4, 8))


def test_a_running_cost_makes_a_turnpike() -> None:
    """The state goes to 0, stays there, and leaves for its target late; without the cost it never goes there."""

    def states(running_cost: float) -> torch.Tensor:
        problem = Problem(
            [[1.0]],
            [[1.0]],
            regularisation=Regularisation(dict.fromkeys("KbWc", 1e-3)),
            regime=Regime(horizon=5.0, running_cost=running_cost),
            fixed={"W": [[1.0]], "c": [0.0]},
        )
        network = ResidualNetwork(problem, 64)
        solution = minimise(network, network.random(torch.Generator().manual_seed(0), 0.5), Budget())
        assert solution.status is Status.CONVERGED
        return network.trajectory(solution.u, problem.x)[:, 0, 0]

    with_cost, without = states(0.2), states(0.0)
    assert float(with_cost[20:44].abs().max()) < 0.05
    assert float(with_cost[-1]) > 0.85
    assert float(without.min()) > 0.5
