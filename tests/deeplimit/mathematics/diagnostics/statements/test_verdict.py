"""Heads and votes: what is expected of a regime, what is said of its orders, and what without a theorem."""

from functools import cache

import pytest

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
from tests.support.small_problems import odd_pair

WITHOUT = (Scaling.NONE, Scaling.L2, Scaling.UNSCALED)
DEPTHS = (4, 8, 16, 32)


def pair(regime: Regime, activation: str = "tanh", **fixed: object) -> Problem:
    plain = odd_pair(activation)
    return Problem(
        [[1.0], [-1.0]],
        [[2.0], [-2.0]],
        activation=activation,
        regularisation=Regularisation(plain.regularisation.alpha),
        regime=regime,
        fixed=fixed,  # type: ignore[arg-type]  # arrays, as the problem checks
    )


@cache
def without(scaling: Scaling, depth_start: DepthStart = DepthStart.PROLONG) -> TrainedStudy:
    training = Training(1e-9, starts=2, depth_start=depth_start)
    return train(pair(Regime(scaling=scaling)), DEPTHS, None, training)


@pytest.mark.parametrize("scaling", WITHOUT)
def test_nothing_is_expected_without_a_limit_problem(scaling: Scaling) -> None:
    assert Regime(scaling=scaling).expected_orders() == {}
    for integrator in Integrator:
        assert Regime(scaling=scaling, integrator=integrator).expected_orders() == {}


@pytest.mark.parametrize("scaling", WITHOUT)
@pytest.mark.parametrize("depth_start", [DepthStart.PROLONG, DepthStart.INDEPENDENT])
def test_no_theory_is_quoted_without_one(scaling: Scaling, depth_start: DepthStart) -> None:
    found = without(scaling, depth_start).diagnostics
    assert found.verdict.converges is not True
    assert not any("expected" in line or "theory" in line for line in found.verdict.statements)
    orders = [line for line in found.verdict.statements if line.startswith("From depth") and "order" in line]
    assert all(line.endswith("there is no theorem to compare it with.") for line in orders)
    distances = [f"{row.tl2.total:.3g}" for row in found.consecutive]
    assert any(all(value in line for value in distances) for line in found.verdict.statements)
    assert found.minima is not None
    assert found.minima.richardson is None
    assert "no continuum problem" in found.minima.withheld["richardson"]


def test_a_sequence_that_visibly_fails_is_told_so() -> None:
    found = without(Scaling.UNSCALED).diagnostics
    assert found.verdict.converges is False
    head = found.verdict.statements[0]
    assert head.startswith("The study speaks against convergence: ")
    assert "do not fall" in head
    distances = [row.tl2.total for row in found.consecutive]
    assert distances[-1] > distances[0]


def test_orders_near_one_are_no_convergence_to_a_limit_that_nothing_defines() -> None:
    """The control: minima and minimisers of the Tikhonov penalty have orders that would be called convergence."""
    found = without(Scaling.L2).diagnostics
    assert found.minima is not None
    assert found.minima.depths[-1].order == pytest.approx(1.0, abs=0.05)
    assert found.consecutive[-1].order["total"] == pytest.approx(1.0, abs=0.05)
    assert found.verdict.converges is None
    assert found.verdict.statements[0].startswith("Undecided: no theorem says")


def test_what_is_expected() -> None:
    assert Regime().expected_orders() == {"minima": 1.0, "minimisers": 1.0, "states": 1.0}
    assert Regime(integrator=Integrator.RK4).expected_orders() == {"minima": 2.0, "minimisers": 1.0, "states": 2.0}
    constant = Regime(weights=Weights.CONSTANT, integrator=Integrator.RK4)
    assert constant.expected_orders() == {"minima": 4.0, "minimisers": 4.0, "states": 4.0}
    # A kink of σ is crossed at a cost of second order, and what is fixed is constant.
    assert constant.expected_orders(smooth=False) == {"minima": 2.0, "minimisers": 2.0, "states": 2.0}
    midpoint = Regime(integrator=Integrator.MIDPOINT)
    assert pair(midpoint).expected_orders()["minimisers"] == 1.0
    assert pair(midpoint, K=[[1.0]]).expected_orders()["minimisers"] == 1.0
    assert pair(midpoint, K=[[1.0]], b=[0.0]).expected_orders()["minimisers"] == 2.0
    assert pair(constant, "relu").expected_orders()["states"] == 2.0


def test_fixed_layers_let_minimisers_reach_the_integrators_order() -> None:
    problem = pair(Regime(integrator=Integrator.MIDPOINT), K=[[1.0]], b=[0.0])
    found = train(problem, (8, 16), ContinuumOptions(tolerance=1e-12), Training(1e-11, starts=1)).diagnostics
    assert found.minimisers is not None
    assert found.minimisers[-1].order["total"] == pytest.approx(2.0, abs=0.1)
    assert found.verdict.converges is True


def test_heads_carry_orders_and_depths() -> None:
    found = train(odd_pair("tanh"), (8, 16), training=Training(1e-9, starts=1)).diagnostics
    assert found.minima is not None
    assert found.minimisers is not None
    minima, minimisers = found.minima.depths[-1].order, found.minimisers[-1].order["total"]
    assert found.verdict.statements[0] == (
        "The lowest minima found, and their minimisers, converge to the continuum limit at the expected rate, with"
        f" orders {minima:.3f} and {minimisers:.3f} from depth 8 to 16."
    )
    assert f"From depth 8 to 16 the order of the minima is {minima:.3f}; 1 is expected." in found.verdict.statements


def test_without_a_continuum_model_no_limit_was_compared_with() -> None:
    found = train(odd_pair("tanh"), (8, 16, 32), None, Training(1e-9, starts=1)).diagnostics.verdict
    assert found.converges is True
    assert "continuum limit" not in found.statements[0]
    assert found.statements[0].endswith(" from depth 8 to 32; no continuum model was trained to compare them with.")


@pytest.mark.parametrize(
    "problem",
    [
        pair(Regime(block=Block.TWO_LAYER, width=2)),
        pair(Regime(integrator=Integrator.IMPLICIT_EULER)),
        pair(Regime(), "sigmoid"),
    ],
    ids=["two layers", "implicit Euler", "sigmoid"],
)
def test_a_problem_that_the_theorem_does_not_cover_is_not_said_to_follow_it(problem: Problem) -> None:
    found = train(problem, (8, 16), training=Training(1e-9, starts=1)).diagnostics.verdict
    assert found.converges is True
    assert found.statements[0].endswith("; the theorem does not cover this problem.")
    assert not any("theory" in line for line in found.statements)
    assert sum(line.startswith("An assumption of the theorem fails: ") for line in found.statements) == 1


def test_unresolved_orders_are_named() -> None:
    found = train(odd_pair("tanh"), (8, 16), training=Training(max_iterations=2, starts=1)).diagnostics.verdict
    assert (
        found.statements[0]
        == "Undecided: the study does not resolve the orders of the minima, minimisers (TL²) and states."
    )
    found = train(odd_pair("relu"), (8, 16), training=Training(starts=1)).diagnostics.verdict
    assert found.converges is None
    assert found.statements[0].startswith("Undecided: the study does not resolve the order")
