"""The continuum model: its tolerance is honoured, its parts fit together, the flow is a flow."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import legendre
from torch import Tensor

from deeplimit.mathematics import ContinuumOptions, Problem, Regularisation, TrainedStudy
from deeplimit.mathematics.minimise import Budget, Status, minimise
from deeplimit.mathematics.model.coordinates import LegendreIncrements, PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters, Flow, integrate
from deeplimit.mathematics.study.continuum_fit import Beginning, ContinuumFit, fit_continuum
from tests.support import known_answers

PROBLEMS = {
    "B": known_answers.odd_pair("identity"),
    "C": known_answers.odd_pair("tanh"),
    "moons": known_answers.two_moons(2),
}


def fitted(name: str, tolerance: float, basis: str = "auto") -> ContinuumFit:
    generator = torch.Generator().manual_seed(0)
    return fit_continuum(PROBLEMS[name], Beginning(generator), ContinuumOptions(basis, tolerance), Budget(1e-10))


def finer(problem: Problem, fit: ContinuumFit, steps: int = 512) -> float:
    """The minimum near a fit with a higher degree and more steps than any test reaches."""
    flow = Flow(problem, LegendreIncrements(24), steps)
    linear = isinstance(fit.flow.basis, PiecewiseLinearIncrements)
    start = flow.project(fit.parameters) if linear else flow.encode(fit.parameters)
    return minimise(flow, start, Budget(1e-8), curvature_floor=2e-3).objective


@pytest.fixture(scope="module")
def limits() -> dict[str, float]:
    """E_∞ of every problem, far beyond the tolerances that are tried."""
    return {name: finer(problem, fitted(name, 1e-10)) for name, problem in PROBLEMS.items()}


@pytest.mark.parametrize("tolerance", [1e-5, 1e-8, 1e-10])
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_tolerance_is_honoured(name: str, tolerance: float, limits: dict[str, float]) -> None:
    fit = fitted(name, tolerance)
    error, scale = abs(fit.solution.objective - limits[name]), max(abs(limits[name]), 1e-3)
    assert fit.limited is None
    assert fit.flow.basis.family == "legendre"
    assert error <= tolerance * scale
    assert fit.tolerance_reached <= tolerance
    assert fit.tolerance_reached == pytest.approx(fit.error / scale, rel=1e-4)
    # The estimate is neither flattering nor a guess.
    assert error == pytest.approx(fit.error, rel=0.1, abs=1e-12)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-10])
@pytest.mark.parametrize("name", ["B", "C"])
def test_piecewise_linear_functions_say_how_far_they_got(name: str, tolerance: float, limits: dict[str, float]) -> None:
    fit = fitted(name, tolerance, "piecewise_linear")
    error = abs(fit.solution.objective - limits[name])
    assert error == pytest.approx(fit.error, rel=0.1)
    assert fit.solution.status is Status.CONVERGED
    if tolerance < 1e-6:
        assert fit.limited == "the finest basis was reached"
        assert fit.tolerance_reached > tolerance
    else:
        assert fit.limited is None
        assert error <= tolerance * limits[name]


def test_piecewise_linear_functions_converge_with_order_two(limits: dict[str, float]) -> None:
    errors = []
    for cells in (8, 16, 32):
        flow = Flow(PROBLEMS["C"], PiecewiseLinearIncrements(cells), 2 * cells)
        start = torch.full((flow.coordinates.length,), 0.1, dtype=torch.float64)
        errors.append(minimise(flow, start, Budget(1e-10)).objective - limits["C"])
    assert [math.log2(coarse / fine) for coarse, fine in pairwise(errors)] == pytest.approx([2.0, 2.0], abs=0.05)


def test_two_moons_from_a_lift(moons: TrainedStudy) -> None:
    fit = moons.study.verdict_branch.continuum
    assert fit is not None
    exact = finer(moons.study.problem, fit, 2 * fit.flow.steps)
    assert fit.limited is None
    assert abs(fit.solution.objective - exact) <= 1e-8 * exact
    assert exact == pytest.approx(known_answers.MOONS.limit, abs=known_answers.MOONS_LIMIT_DIGIT)


def test_what_stops_a_fit_is_said() -> None:
    generator = torch.Generator().manual_seed(0)
    short = fit_continuum(PROBLEMS["C"], Beginning(generator), ContinuumOptions(), Budget(1e-10, max_iterations=3))
    assert short.limited == "the minimisation ended as max_iterations"
    late = fit_continuum(PROBLEMS["C"], Beginning(generator), ContinuumOptions(), Budget(1e-10, deadline=0.0))
    assert late.limited == "the minimisation ended as time_limit"


@pytest.mark.parametrize(
    ("activation", "basis", "family"),
    [
        ("tanh", "auto", "legendre"),
        ("relu", "auto", "piecewise_linear"),
        ("leaky_relu", "auto", "piecewise_linear"),
        ("tanh", "piecewise_linear", "piecewise_linear"),
        ("relu", "legendre", "legendre"),
    ],
)
def test_the_basis_follows_the_activation(activation: str, basis: str, family: str) -> None:
    ladder = ContinuumOptions(basis).ladder(Problem([[1.0]], [1.0], activation=activation))
    assert {rung.family for rung in ladder} == {family}
    assert [rung.size for rung in ladder] == sorted({rung.size for rung in ladder})


def random_problem(activation: str = "tanh") -> Problem:
    generator = np.random.default_rng(0)
    return Problem(
        generator.standard_normal((5, 2)),
        generator.standard_normal((5, 2)),
        activation=activation,
        state_dim=3,
        regularisation=Regularisation({"K": 0.3, "b": 0.5, "W": 0.7, "c": 0.9}, {"K": 0.4, "b": 2.5}),
    )


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("basis", [LegendreIncrements(6), PiecewiseLinearIncrements(5)], ids=lambda b: b.family)
def test_the_objective_is_the_sum_of_its_parts(basis: LegendreIncrements | PiecewiseLinearIncrements) -> None:
    problem = random_problem()
    flow = Flow(problem, basis, 10)
    u = normal(1, flow.coordinates.length)
    theta, terms = flow.parameters(u), flow.evaluate(u).terms
    torch.testing.assert_close(flow.encode(theta), u, rtol=1e-13, atol=1e-13)
    final = integrate(problem, theta, 10, problem.x)[-1]
    terminal = (final @ theta.W.T + theta.c - problem.y).square().sum(1).mean()
    assert terms["terminal"] == pytest.approx(float(terminal), rel=1e-12)
    nodes, weights = legendre.leggauss(8)
    t = torch.as_tensor(((np.arange(5)[:, None] + (nodes + 1.0) / 2.0) / 5.0).ravel())
    w = torch.as_tensor(np.tile(weights / 10.0, 5))
    start = theta.sample(torch.zeros(1, dtype=torch.float64))
    for name, first, slope in zip("Kb", start, theta.derivative(t), strict=True):
        R = float((slope.square().flatten(1).sum(1) * w).sum())
        R += problem.regularisation.tau[name] * float(first.square().sum())
        assert terms[name] == pytest.approx(problem.regularisation.alpha[name] * R, rel=1e-11)
    assert terms["W"] == pytest.approx(0.7 * float(theta.W.square().sum()), rel=1e-13)
    assert terms["c"] == pytest.approx(0.9 * float(theta.c.square().sum()), rel=1e-13)


def piecewise_linear(nodes: tuple[Tensor, Tensor], problem: Problem) -> ContinuumParameters:
    basis = PiecewiseLinearIncrements(len(nodes[0]) - 1)
    K, b = (basis.coordinates(value, 1.0) for value in nodes)
    return ContinuumParameters(basis, K, b, normal(5, 2, 3).to(problem.x), normal(6, 2).to(problem.x))


@pytest.mark.parametrize("activation", ["identity", "relu", "leaky_relu"])
@settings(max_examples=25)
@given(cells=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_the_flow_is_a_semigroup(activation: str, cells: int, seed: int) -> None:
    """[0, ½] then [½, 1] is [0, 1]. For these σ, ½ σ(z) = σ(z/2): a half is the flow of ½K and ½b at half the speed."""
    problem = random_problem(activation)
    K, b = normal(seed, 2 * cells + 1, 3, 3), normal(seed + 1, 2 * cells + 1, 3)
    steps = 3 * cells
    whole = integrate(problem, piecewise_linear((K, b), problem), 2 * steps, problem.x)
    first, second = (
        piecewise_linear((0.5 * K[part], 0.5 * b[part]), problem) for part in (slice(cells + 1), slice(cells, None))
    )
    middle = integrate(problem, first, steps, problem.x)
    end = integrate(problem, second, steps, middle[-1])
    joined = torch.cat([middle, end[1:]])
    torch.testing.assert_close(joined, whole, rtol=1e-10, atol=1e-10 * float(whole.abs().max()))


@pytest.mark.parametrize("activation", ["tanh", "sin", "softplus", "gelu", "sigmoid"])
def test_integration_has_order_four_for_moving_parameters(activation: str) -> None:
    problem = random_problem(activation)
    theta = ContinuumParameters(
        LegendreIncrements(4), normal(1, 5, 3, 3), normal(2, 5, 3), normal(3, 2, 3), normal(4, 2)
    )
    final = [integrate(problem, theta, n, problem.x)[-1] for n in (32, 64, 128, 1024)]
    errors = [float((value - final[-1]).abs().max()) for value in final[:-1]]
    assert [math.log2(coarse / fine) for coarse, fine in pairwise(errors)] == pytest.approx([4.0, 4.0], abs=0.15)


def test_projecting_a_lift_keeps_the_states() -> None:
    """A field that is linear in t lies in both families."""
    problem = random_problem()
    t = torch.linspace(0.0, 1.0, 5, dtype=torch.float64)
    K = normal(1, 3, 3) + t[:, None, None] * normal(2, 3, 3)
    b = normal(3, 3) + t[:, None] * normal(4, 3)
    lifted = piecewise_linear((K, b), problem)
    flow = Flow(problem, LegendreIncrements(3), 8)
    projected = flow.parameters(flow.project(lifted))
    torch.testing.assert_close(
        integrate(problem, projected, 8, problem.x), integrate(problem, lifted, 8, problem.x), rtol=1e-12, atol=1e-12
    )
    with pytest.raises(TypeError, match="piecewise linear"):
        flow.project(projected)
