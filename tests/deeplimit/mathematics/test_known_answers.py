"""Published answers: minima at every depth and in the limit, parameters, slopes and excesses."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from deeplimit.mathematics import ContinuumOptions, TrainedStudy, Training, train
from deeplimit.mathematics.diagnostics.measure.slope import slope_from_depth
from deeplimit.mathematics.model.residual_network import DiscreteParameters
from deeplimit.mathematics.model.transfer import prolong
from deeplimit.mathematics.study.branches import BranchPoint
from tests.support import known_answers
from tests.support.known_answers import KnownAnswer

STUDIES = {
    "linear": known_answers.B,
    "tanh": known_answers.C,
    "breast_cancer": known_answers.E,
    "moons": known_answers.MOONS,
}
Study = tuple[TrainedStudy, KnownAnswer]


@pytest.fixture(params=STUDIES)
def study(request: pytest.FixtureRequest) -> Study:
    return request.getfixturevalue(request.param), STUDIES[request.param]


@pytest.fixture(params=["linear", "tanh"])
def odd_pair(request: pytest.FixtureRequest) -> Study:
    return request.getfixturevalue(request.param), STUDIES[request.param]


def points(trained: TrainedStudy) -> dict[int, BranchPoint]:
    return trained.study.verdict_branch.points


@pytest.mark.parametrize(("alpha", "tau"), [(0.1, 1.0), (0.02, 2.5)])
def test_bias_only_has_a_closed_form(alpha: float, tau: float) -> None:
    problem = known_answers.bias_only(alpha, tau)
    depths = (4, 9, 64)
    trained = train(problem, depths, ContinuumOptions(tolerance=1e-10), Training(1e-11, starts=1))
    expected = [known_answers.bias_only_minimum(n, alpha, tau) for n in depths]
    assert [point.solution.objective for point in points(trained).values()] == pytest.approx(expected, rel=1e-12)
    minima = trained.diagnostics.minima
    assert minima is not None
    assert minima.continuum == pytest.approx(known_answers.bias_only_minimum(None, alpha, tau), rel=1e-10)
    # E_n = a/(G_n + a) with G_n = G − 1/(2n) + …
    slope = alpha / (2.0 * (1.0 / tau + 1.0 / 3.0 + alpha) ** 2)
    assert minima.predicted_slope == pytest.approx(slope, rel=1e-9)


def test_the_closed_form_gives_the_published_digits() -> None:
    for depth, value in known_answers.A.minima.items():
        assert known_answers.bias_only_minimum(depth) == pytest.approx(value, abs=known_answers.A.digit)
    assert known_answers.bias_only_minimum(None) == pytest.approx(known_answers.A.limit, abs=known_answers.A.digit)


def test_minima(study: Study) -> None:
    trained, known = study
    found = points(trained)
    for depth in known.minima.keys() & found.keys():
        assert found[depth].solution.objective == pytest.approx(known.minima[depth], abs=1.1 * known.digit), depth
    assert len(known.minima.keys() & found.keys()) >= 4
    assert trained.study.verdict_branch.left == []


@pytest.mark.parametrize(
    ("name", "digit"),
    [("linear", 5e-11), ("tanh", 8e-11), ("breast_cancer", 5e-10), ("moons", known_answers.MOONS_LIMIT_DIGIT)],
)
def test_limits(name: str, digit: float, request: pytest.FixtureRequest) -> None:
    trained: TrainedStudy = request.getfixturevalue(name)
    assert trained.diagnostics.minima is not None
    assert trained.diagnostics.minima.continuum == pytest.approx(STUDIES[name].limit, abs=digit)


def test_the_linear_limit_solves_a_scalar_problem(linear: TrainedStudy) -> None:
    """E_∞ = min_m y² α_W / (e^{2m} + α_W) + α_K m² / G."""

    def energy(m: float) -> float:
        return 4.0 * 0.1 / (math.exp(2.0 * m) + 0.1) + 0.05 * m * m / (4.0 / 3.0)

    reduced = minimize_scalar(energy, bounds=(0.0, 3.0), options={"xatol": 1e-12})
    assert linear.diagnostics.minima is not None
    assert linear.diagnostics.minima.continuum == pytest.approx(float(reduced.fun), rel=1e-10)


def test_parameters_at_the_ends(odd_pair: Study) -> None:
    trained, known = odd_pair
    fit = trained.study.verdict_branch.continuum
    assert fit is not None
    K, b = fit.parameters.sample(torch.tensor([0.0, 1.0], dtype=torch.float64))
    found = {"K(0)": float(K[0]), "K(1)": float(K[1]), "W": float(fit.parameters.W)}
    digits = {name: 5.5 * 10.0 ** -(len(str(value).split(".")[1]) + 1) for name, value in known.ends.items()}
    for name, value in known.ends.items():
        assert found[name] == pytest.approx(value, abs=digits[name]), name
    # The data are odd, so is the flow: no bias.
    assert max(float(b.abs().max()), float(fit.parameters.c.abs().max())) < 1e-9


def test_norms_on_real_data(breast_cancer: TrainedStudy) -> None:
    assert [branch.starts for branch in breast_cancer.study.branches] == [2]
    fit = breast_cancer.study.verdict_branch.continuum
    assert fit is not None
    K, _ = fit.parameters.sample(torch.zeros(1, dtype=torch.float64))
    assert float(K[0].norm()) == pytest.approx(known_answers.E.ends["‖K(0)‖"], abs=5.5e-7)
    assert float(fit.parameters.W.norm()) == pytest.approx(known_answers.E.ends["‖W‖"], abs=5.5e-7)
    norms = [float(p.parameters.K[0].norm()) for p in points(breast_cancer).values()]
    errors = np.abs(np.array(norms) - known_answers.E.ends["‖K(0)‖"])
    assert np.log2(errors[:-1] / errors[1:]) == pytest.approx(1.0, abs=0.1)


def test_predicted_slopes(odd_pair: Study) -> None:
    trained, known = odd_pair
    minima = trained.diagnostics.minima
    assert minima is not None
    assert known.slope is not None
    assert minima.predicted_slope == pytest.approx(known.slope, abs=5.5e-8)
    assert minima.continuum is not None
    for row in minima.depths:
        observed = row.depth * (row.objective - minima.continuum)
        assert row.slope == pytest.approx(observed, rel=1e-12)
        if row.depth >= 32:
            assert row.predicted_slope == pytest.approx(known.slope, rel=0.005)
        if row.depth == 128:
            assert row.predicted_slope == pytest.approx(observed, rel=0.01)
    # Richardson's value of 128 and 256 is better than the last minimum by two orders of magnitude.
    assert minima.richardson == pytest.approx(known.limit, abs=5e-6)
    coarse, fine = minima.depths[-2:]
    assert minima.richardson == pytest.approx((256 * fine.objective - 128 * coarse.objective) / 128, rel=1e-14)


@pytest.mark.parametrize(("depth", "predicted", "observed"), [(64, 0.051334, 0.051084)])
def test_slopes_on_two_moons(moons: TrainedStudy, depth: int, predicted: float, observed: float) -> None:
    point = points(moons)[depth]
    assert slope_from_depth(point.network, point.solution.u) == pytest.approx(predicted, abs=5.5e-7)
    fit = moons.study.verdict_branch.continuum
    assert fit is not None
    assert depth * (point.solution.objective - fit.solution.objective) == pytest.approx(observed, abs=1e-6)


def test_lift_excess_of_the_linear_problem(linear: TrainedStudy) -> None:
    assert linear.diagnostics.lift is not None
    for row in linear.diagnostics.lift:
        if row.depth in known_answers.B.lift_excess:
            assert row.depth**2 * row.excess == pytest.approx(known_answers.B.lift_excess[row.depth], abs=5.5e-4)


def repeated(parameters: DiscreteParameters, depth: int) -> DiscreteParameters:
    """Layers repeated, which is what prolongation must not do."""
    times = depth // parameters.depth
    K, b = (value.repeat_interleave(times, 0) for value in (parameters.K, parameters.b))
    return DiscreteParameters(K, b, parameters.W, parameters.c)


def excess(trained: TrainedStudy, depth: int, move: Callable[[DiscreteParameters, int], DiscreteParameters]) -> float:
    """E_{2n}(moved θ_n) − E_{2n}*."""
    coarse, fine = points(trained)[depth], points(trained)[2 * depth]
    moved = fine.network.encode(move(coarse.parameters, 2 * depth))
    return fine.network.evaluate(moved).objective - fine.solution.objective


@pytest.mark.parametrize("depth", known_answers.B.prolongation_excess)
def test_prolongation_excess_of_the_linear_problem(linear: TrainedStudy, depth: int) -> None:
    known = known_answers.B.prolongation_excess[depth]
    assert depth**2 * excess(linear, depth, prolong) == pytest.approx(known, abs=5.5e-4)


def test_repeating_layers_does_not_converge(linear: TrainedStudy) -> None:
    assert excess(linear, 128, repeated) == pytest.approx(0.0117, abs=5.5e-5)
    assert excess(linear, 128, repeated) > 0.99 * excess(linear, 64, repeated)
