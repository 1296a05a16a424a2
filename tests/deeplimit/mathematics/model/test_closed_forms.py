"""States, predictions and the bracket where everything can be written down: known answers A and D."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from deeplimit.mathematics import ContinuumOptions, Problem, Regularisation, TrainedStudy, Training, train
from tests.support import known_answers

Floats = npt.NDArray[np.float64]
DEPTHS = (8, 16, 32, 64)
ALPHA_C = 0.25
ALPHA_B = 0.1


def sharply(problem: Problem) -> TrainedStudy:
    return train(problem, DEPTHS, ContinuumOptions(tolerance=1e-12), Training(1e-11, starts=1))


@pytest.fixture(scope="module")
def constant_field() -> TrainedStudy:
    """D with W = 1, and c to be trained: X' = tanh(X) from 1, and a prediction X(1) + c of 3."""
    return sharply(
        Problem(
            [[1.0]],
            [[3.0]],
            activation="tanh",
            regularisation=Regularisation(dict.fromkeys("KbW", 1.0) | {"c": ALPHA_C}),
            fixed={"K": [[1.0]], "b": [0.0], "W": [[1.0]]},
        )
    )


def euler(n: int) -> Floats:
    states = [1.0]
    for _ in range(n):
        states.append(states[-1] + math.tanh(states[-1]) / n)
    return np.array(states)


def exact(t: Floats) -> Floats:
    return np.asarray(np.arcsinh(np.exp(t) * math.sinh(1.0)))


def test_states_of_a_constant_field(constant_field: TrainedStudy) -> None:
    rows = constant_field.diagnostics.states
    assert rows is not None
    for row in rows:
        t = np.arange(row.depth + 1) / row.depth
        assert row.sup_error == pytest.approx(np.abs(euler(row.depth) - exact(t)).max(), rel=1e-7)
        # The control: the same states compared a step early are several times as far away.
        assert np.abs(euler(row.depth)[1:] - exact(t[:-1])).max() > 5.0 * row.sup_error
    assert 64 * rows[-1].sup_error == pytest.approx(0.1076491, rel=0.02)


def test_predictions_of_a_constant_field(constant_field: TrainedStudy) -> None:
    """c_n = (3 − X_n)/(1 + α_c) makes up for all of a deviation of X_n but its share α_c/(1 + α_c)."""
    rows = constant_field.diagnostics.predictions
    assert rows is not None
    for row in rows:
        deviation = abs(float(euler(row.depth)[-1] - exact(np.array([1.0]))[0]))
        assert row.sup_error == pytest.approx(deviation * ALPHA_C / (1.0 + ALPHA_C), rel=1e-6)
        # The control: predictions with the continuum's c, and not the depth's own, are farther away.
        assert deviation > 1.5 * row.sup_error


@pytest.fixture(scope="module")
def bias_only() -> TrainedStudy:
    return sharply(known_answers.bias_only(ALPHA_B))


def bias_objective(b: Floats, integral: float) -> float:
    """(1 − ∫b)² + a(n Σ(b_i − b_{i−1})² + b_0²)."""
    return (1.0 - integral) ** 2 + ALPHA_B * float(len(b) * np.square(np.diff(b)).sum() + b[0] ** 2)


def limit(t: Floats) -> Floats:
    """b = (1 + t − t²/2)/(G + a), from a b'' = −(1 − ∫b), b'(0) = b(0), b'(1) = 0."""
    return (1.0 + t - t**2 / 2.0) / (4.0 / 3.0 + ALPHA_B)


def minimiser(n: int) -> Floats:
    """The same with differences: b_i − b_{i−1} = (1 − i/n)/n times the share of the data, b_0 the share."""
    share = known_answers.bias_only_minimum(n, ALPHA_B) / ALPHA_B
    return share * (1.0 + np.concatenate([[0.0], np.cumsum(1.0 - np.arange(1, n) / n) / n]))


def test_recovery_of_the_bias_problem(bias_only: TrainedStudy) -> None:
    rows = bias_only.diagnostics.recovery
    assert rows is not None
    for row in rows:
        n = row.depth
        sampled = limit(np.arange(n) / n)
        least = known_answers.bias_only_minimum(n, ALPHA_B)
        assert bias_objective(minimiser(n), float(minimiser(n).mean())) == pytest.approx(least, rel=1e-13)
        assert row.objective == pytest.approx(bias_objective(sampled, float(sampled.mean())), rel=1e-8)
        assert row.excess == pytest.approx(bias_objective(sampled, float(sampled.mean())) - least, rel=1e-5)
        # The control: sampled at the ends of the layers it would not be the recovery sequence.
        late = limit((np.arange(n) + 1.0) / n)
        assert bias_objective(late, float(late.mean())) != pytest.approx(row.objective, rel=1e-6)


def test_lift_of_the_bias_problem(bias_only: TrainedStudy) -> None:
    rows = bias_only.diagnostics.lift
    assert rows is not None
    for row in rows:
        b = minimiser(row.depth)
        # Trapezoids between the nodes, and a rectangle beyond the last.
        integral = float((b[:-1] + b[1:]).sum() / 2.0 + b[-1]) / row.depth
        lifted = bias_objective(b, integral)
        assert row.objective == pytest.approx(lifted, rel=1e-9)
        assert row.excess == pytest.approx(lifted - known_answers.bias_only_minimum(None, ALPHA_B), rel=1e-5)
        # The control: a step function would have the discrete integral.
        assert bias_objective(b, float(b.mean())) != pytest.approx(row.objective, rel=1e-6)
