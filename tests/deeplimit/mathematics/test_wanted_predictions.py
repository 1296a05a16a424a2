"""The smallest depth for a wanted prediction error, predicted, trained, and measured by other means."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from deeplimit.mathematics import (
    ContinuumOptions,
    Integrator,
    Problem,
    Regime,
    Regularisation,
    TrainedStudy,
    Training,
    train,
)
from deeplimit.mathematics.depth_search import train_for_error
from deeplimit.mathematics.diagnostics.advice.wanted import Quantity, Wanted
from deeplimit.mathematics.model.flow import ContinuumParameters
from deeplimit.mathematics.model.residual_network import DiscreteParameters
from deeplimit.mathematics.study.deepen import add_depth
from tests.support import sequences

ERROR = 1e-4
WANTED = Wanted(Quantity.PREDICTION_ERROR, ERROR)
FINE = ContinuumOptions(tolerance=1e-12)
CLOSELY = Training(gradient_tolerance=1e-9)


@pytest.fixture(scope="module")
def found() -> TrainedStudy:
    """Known answer C, trained for predictions within 1e-4 of the continuum's."""
    return train_for_error(sequences.odd_pair(), WANTED, continuum=FINE, training=CLOSELY)


def by_network(parameters: DiscreteParameters, x: float) -> float:
    """W X_n + c, by a loop over forward Euler's layers with d = 1."""
    K, b, W, c = (np.asarray(getattr(parameters, name)).ravel() for name in "KbWc")
    for i in range(len(K)):
        x += math.tanh(K[i] * x + b[i]) / len(K)
    return float(W[0] * x + c[0])


def by_flow(parameters: ContinuumParameters, x: float) -> float:
    """W X(1) + c, with the flow integrated by scipy from the polynomials that a client is given."""
    K, b = (np.polynomial.Legendre(np.asarray(part).ravel(), domain=[0, 1]) for part in parameters.coefficients())
    solution = solve_ivp(lambda t, X: np.tanh(K(t) * X + b(t)), (0, 1), [x], "DOP853", rtol=1e-12, atol=1e-12)
    return float(np.ravel(parameters.W)[0] * solution.y[0, -1] + np.ravel(parameters.c)[0])


def deviation(found: TrainedStudy, depth: int, inputs: tuple[float, ...] = (1.0, -1.0)) -> float:
    """Train one more depth, and return how far its predictions are from the continuum's."""
    limit = found.study.verdict_branch.continuum
    assert limit is not None
    network = add_depth(found.study, depth, CLOSELY).parameters
    return max(abs(by_network(network, x) - by_flow(limit.parameters, x)) for x in inputs)


def largest_deviation(found: TrainedStudy, depth: int) -> float:
    """The same for any problem with numbers as targets, by the library's own models, on the training data."""
    limit, x = found.study.verdict_branch.continuum, found.study.problem.x
    assert limit is not None
    point = add_depth(found.study, depth, CLOSELY)
    outputs = point.network.output(point.solution.u, x) - limit.flow.output(limit.solution.u, x)
    return float(outputs.abs().max())


def test_the_advised_depth_meets_the_prediction_error_and_one_layer_less_does_not(found: TrainedStudy) -> None:
    advice = found.diagnostics.depth_advice[0]
    assert (advice.gap, advice.wanted_prediction_error, advice.relative) == (None, ERROR, None)
    assert advice.basis == f"discrete-{advice.depth}, as trained"
    assert advice.depth is not None
    assert advice.depth > 64
    assert advice.check is not None
    assert advice.check.depth == advice.depth
    assert (advice.check.met, advice.check.detail) == (True, None)
    assert advice.check.prediction_error == pytest.approx(deviation(found, advice.depth), rel=1e-6)
    assert deviation(found, advice.depth) <= ERROR
    assert deviation(found, advice.depth - 1) > ERROR
    assert deviation(found, advice.depth // 2) > 1.9 * ERROR


def test_the_prediction_error_was_foretold_by_shallow_networks(found: TrainedStudy) -> None:
    advice, rows = found.diagnostics.depth_advice[0], found.diagnostics.predictions
    assert rows is not None
    assert [row.depth for row in rows] == [8, 16, 32, advice.depth]
    assert advice.prediction_error == rows[-1].sup_error
    assert advice.check is not None
    assert found.diagnostics.minima is not None
    assert advice.check.gap == found.diagnostics.minima.depths[-1].gap
    shallow = train(sequences.odd_pair(), (8, 16, 32), FINE, CLOSELY).diagnostics.depth_advice[1]
    assert shallow.depth is not None
    assert shallow.prediction_error == pytest.approx(deviation(found, shallow.depth), rel=1e-4)


def test_advice_for_standard_gaps_stays(found: TrainedStudy) -> None:
    rows = found.diagnostics.depth_advice[1:]
    assert [row.depth for row in rows] == [19, 182, 1817]
    assert {row.wanted_prediction_error for row in rows} == {None}


def test_a_depth_that_is_too_small_misses() -> None:
    capped = train_for_error(sequences.odd_pair(), WANTED, continuum=FINE, most_depth=42).diagnostics.depth_advice[0]
    assert capped.depth == 84
    assert capped.check is not None
    assert capped.check.depth == 42
    assert capped.check.met is False
    assert capped.check.prediction_error == pytest.approx(2 * ERROR, rel=0.01)
    assert capped.check.detail == "depth 84 is over the limit of 42"


def test_predictions_are_those_on_validation_data_in_the_units_of_the_user() -> None:
    inputs = (0.1, 2.0)
    scaled = train_for_error(
        sequences.odd_pair(),
        Wanted(Quantity.PREDICTION_ERROR, 0.2),
        continuum=FINE,
        training=CLOSELY,
        validation_inputs=[[x] for x in inputs],
        prediction_scale=[100.0],
    )
    check = scaled.diagnostics.depth_advice[0].check
    assert check is not None
    assert check.depth is not None
    assert check.met
    assert scaled.diagnostics.data == "validation"
    measured = 100.0 * deviation(scaled, check.depth, inputs)
    assert check.prediction_error == pytest.approx(measured, rel=1e-6)
    assert measured <= 0.2 < 100.0 * deviation(scaled, check.depth - 1, inputs)
    # On the training data half as many layers would do, in scaled units ever so few.
    assert 100.0 * deviation(scaled, check.depth // 2) < 0.2


def test_another_order_has_another_law() -> None:
    """Midpoint layers: predictions are off by O(n⁻²)."""
    known = sequences.odd_pair()
    problem = Problem(
        [[1.0], [-1.0]],
        [[2.0], [-2.0]],
        regularisation=known.regularisation,
        regime=Regime(integrator=Integrator.MIDPOINT),
    )
    wanted = Wanted(Quantity.PREDICTION_ERROR, 9.5e-8)
    found = train_for_error(problem, wanted, continuum=FINE, training=CLOSELY)
    advice = found.diagnostics.depth_advice[0]
    assert advice.check is not None
    assert advice.check.met
    # Forward Euler takes 88,000 layers; and the first term alone, from depth 32, says 21.
    assert advice.depth == 22
    assert largest_deviation(found, 22) <= wanted.error < largest_deviation(found, 21)


def test_one_depth_foretells_nothing_and_is_joined_by_deeper_ones() -> None:
    """From depth 4 alone the errors seem to be 0.0718/n, which would make it 24; they tend to 0.0739/n."""
    problem = Problem(
        [[1.0], [-1.0], [0.3]],
        [[2.0], [-2.0], [-1.0]],
        activation="sin",
        regularisation=Regularisation(dict.fromkeys("KbWc", 0.05)),
    )
    wanted = Wanted(Quantity.PREDICTION_ERROR, 3e-3)
    found = train_for_error(problem, wanted, (4,), training=Training(gradient_tolerance=1e-9, starts=1))
    advice = found.diagnostics.depth_advice[0]
    assert advice.depth == 25
    assert advice.check is not None
    assert (advice.check.depth, advice.check.met, advice.check.detail) == (25, True, None)
    assert largest_deviation(found, 25) <= wanted.error < largest_deviation(found, 24)


def test_a_prediction_error_that_is_not_resolved_is_neither_met_nor_missed() -> None:
    coarse = ContinuumOptions(basis="piecewise_linear", tolerance=0.5)
    first = train_for_error(sequences.odd_pair(), WANTED, continuum=coarse).diagnostics.depth_advice[0].check
    assert first is not None
    assert first.depth is not None
    assert first.prediction_error is not None
    as_measured = Wanted(Quantity.PREDICTION_ERROR, first.prediction_error)
    again = train_for_error(sequences.odd_pair(), as_measured, continuum=coarse, most_depth=first.depth)
    advice = again.diagnostics.depth_advice[0]
    if advice.depth is None:
        assert "by what is known of the errors" in advice.withheld["depth"]
    else:
        assert advice.depth_interval is not None
        assert advice.depth_interval[0] <= first.depth < advice.depth_interval[1]
    assert advice.check is not None
    assert advice.check.met is not True
    assert (advice.check.depth or 0) <= first.depth


def test_models_that_are_not_minimisers_predict_nothing() -> None:
    stopped = train_for_error(sequences.odd_pair(), WANTED, training=Training(max_iterations=1))
    advice = stopped.diagnostics.depth_advice[0]
    assert (advice.depth, advice.basis, advice.wanted_prediction_error) == (None, "", ERROR)
    assert advice.check is not None
    reason = "the optimisation at depth 32 ended as max_iterations"
    assert advice.check.detail == f"no trained model predicts the prediction error: {reason}"
    assert (advice.check.met, advice.check.depth) == (None, None)


def test_a_prediction_error_takes_a_continuum() -> None:
    with pytest.raises(ValueError, match="continuum"):
        train_for_error(sequences.odd_pair(), WANTED, continuum=None)
