"""Observed orders of convergence: published ones, of the schemes themselves, and when they are withheld."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deeplimit.mathematics import Problem, TrainedStudy
from deeplimit.mathematics.diagnostics.measure.orders import Observation, observed_orders, order_from_three
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters, integrate
from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from tests.support import known_answers
from tests.support.known_answers import KnownAnswer

CASES = [
    pytest.param("linear", known_answers.B, 128, id="B"),
    pytest.param("tanh", known_answers.C, 128, id="C"),
    pytest.param("breast_cancer", known_answers.E, 64, id="E"),
]


@pytest.mark.parametrize(("name", "known", "depth"), CASES)
def test_published_orders(name: str, known: KnownAnswer, depth: int, request: pytest.FixtureRequest) -> None:
    trained: TrainedStudy = request.getfixturevalue(name)
    found, expected = trained.diagnostics, known.orders
    index = trained.study.depths.index(depth)
    assert expected is not None
    assert found.minima is not None
    assert found.minimisers is not None
    assert found.states is not None
    assert found.lift is not None
    # One unit of the last published digit.
    assert found.minima.depths[index].order == pytest.approx(expected.gap, abs=1e-3)
    assert found.minimisers[index].order["total"] == pytest.approx(expected.tl2, abs=1e-3)
    assert found.states[index].order == pytest.approx(expected.states, abs=1e-3)
    assert found.lift[index].order == pytest.approx(expected.lift, abs=1e-3)


@pytest.mark.parametrize("name", ["linear", "tanh", "breast_cancer", "moons"])
def test_orders_on_the_finest_pair(name: str, request: pytest.FixtureRequest) -> None:
    trained: TrainedStudy = request.getfixturevalue(name)
    found = trained.diagnostics
    assert found.minima is not None
    assert found.minimisers is not None
    assert found.states is not None
    assert found.predictions is not None
    assert found.lift is not None
    assert found.recovery is not None
    assert found.minima.depths[-1].order == pytest.approx(1.0, abs=0.05)
    assert found.minimisers[-1].order["total"] == pytest.approx(1.0, abs=0.05)
    # Belongs to the two coarser depths of the last three.
    assert found.consecutive[-1].order["total"] == pytest.approx(1.0, abs=0.08)
    assert found.states[-1].order == pytest.approx(1.0, abs=0.05)
    assert found.predictions[-1].order == pytest.approx(1.0, abs=0.05)
    assert found.lift[-1].order == pytest.approx(2.0, abs=0.1)
    assert found.recovery[-1].order == pytest.approx(2.0, abs=0.1)
    assert all(row.excess > 0.0 for row in [*found.lift, *found.recovery])
    assert found.verdict.converges is True


def constant_field(activation: str) -> tuple[Problem, ContinuumParameters]:
    """D: X' = σ(X) from X(0) = 1."""
    problem = Problem([[1.0]], [[0.0]], activation=activation)
    one, zero = torch.ones(1, 1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    return problem, ContinuumParameters(LegendreIncrements(0), K=one, b=zero, W=one[0], c=zero[0])


def euler(depth: int) -> float:
    problem, field = constant_field("tanh")
    network = ResidualNetwork(problem, depth)
    layers = DiscreteParameters(field.K.expand(depth, 1, 1), field.b.expand(depth, 1), field.W, field.c)
    return float(network.trajectory(network.encode(layers), problem.x)[-1])


def test_forward_euler_has_its_known_error() -> None:
    exact = math.asinh(math.e * math.sinh(1.0))
    assert exact == pytest.approx(known_answers.D_FINAL_STATE, abs=5e-11)
    slopes = [n * (euler(n) - exact) for n in (256, 512, 1024)]
    # Twice extrapolated, what is left is O(n⁻³).
    once = [2.0 * fine - coarse for coarse, fine in pairwise(slopes)]
    assert abs((4.0 * once[1] - once[0]) / 3.0) == pytest.approx(known_answers.D_SLOPE, abs=5.5e-8)


def test_runge_kutta_has_order_four() -> None:
    problem, field = constant_field("tanh")
    exact = math.asinh(math.e * math.sinh(1.0))
    errors = [abs(float(integrate(problem, field, n, problem.x)[-1]) - exact) for n in (8, 16, 32, 64)]
    orders = [math.log2(coarse / fine) for coarse, fine in pairwise(errors)]
    assert orders[-1] == pytest.approx(4.0, abs=0.05)
    assert errors[-1] < 1e-9


def test_the_classical_exponential() -> None:
    """For X' = X one step of size h multiplies by 1 + h + h²/2 + h³/6 + h⁴/24."""
    problem, field = constant_field("identity")
    h = 1.0 / 5.0
    states = integrate(problem, field, 5, problem.x).flatten().numpy()
    factor = 1.0 + h + h**2 / 2.0 + h**3 / 6.0 + h**4 / 24.0
    np.testing.assert_allclose(states, factor ** np.arange(6), rtol=1e-14)


@given(
    limit=st.floats(-2.0, 2.0),
    amplitude=st.floats(0.1, 3.0),
    order=st.floats(0.3, 4.0),
    depths=st.sampled_from([(8, 16, 32), (5, 7, 20), (10, 30, 31)]),
)
def test_three_values_give_the_order(
    limit: float, amplitude: float, order: float, depths: tuple[int, int, int]
) -> None:
    a, b, c = (limit + amplitude * float(n) ** -order for n in depths)
    assert order_from_three(depths, (a, b, c)) == pytest.approx(order, abs=1e-4)


@pytest.mark.parametrize("values", [(1.0, 1.0, 1.0), (1.0, 0.5, 0.7), (1.0, 0.5, -0.6), (1.0, 0.5, 0.5)])
def test_three_values_without_an_order(values: tuple[float, float, float]) -> None:
    assert order_from_three((8, 16, 32), values) is None


def test_observed_orders_are_logarithms_of_ratios() -> None:
    rows = [Observation(n, 3.0 * n**-1.5, 0.0) for n in (5, 8, 40)]
    orders = observed_orders(rows)
    assert orders[0] == (None, None)
    assert [order for order, _ in orders[1:]] == pytest.approx([1.5, 1.5], rel=1e-13)
    assert observed_orders([]) == []


def test_noise_withholds_an_order_and_says_so() -> None:
    # An error of 5 % on both numbers moves the order by up to 0.1 / log 2 = 0.14.
    noisy = observed_orders([Observation(8, 1.0, 0.05), Observation(16, 0.5, 0.025)])[1]
    assert noisy[0] is None
    assert noisy[1] is not None
    assert "could move the order" in noisy[1]
    order, reason = observed_orders([Observation(8, 1.0, 0.03), Observation(16, 0.5, 0.015)])[1]
    assert order == pytest.approx(1.0, rel=1e-14)
    assert reason is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (Observation(8, 1.0, 0.0, "not trained"), "not trained"),
        (Observation(8, None, 0.0), "no value at depth 8"),
        (Observation(8, math.nan, 0.0), "no value at depth 8"),
        (Observation(8, 0.0, 0.0), "two positive numbers"),
        (Observation(8, -1.0, 0.0), "two positive numbers"),
    ],
)
def test_reasons_why_there_is_no_order(row: Observation, reason: str) -> None:
    for order, why in (
        observed_orders([row, Observation(16, 0.5, 0.0)])[1],
        observed_orders([Observation(4, 2.0, 0.0), row])[1],
    ):
        assert order is None
        assert why is not None
        assert reason in why
