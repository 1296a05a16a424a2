"""L-BFGS, the line search and Newton-CG on functions with known answers, and every way of ending."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from deeplimit.mathematics.minimise import Budget, HistoryRow, Solution, Status, minimise
from deeplimit.mathematics.minimise.lbfgs import InverseHessian
from deeplimit.mathematics.minimise.newton_cg import newton_direction
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.model.objective import Evaluation
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from tests.support import known_answers


@dataclass
class Function:
    """A function of R^k, differentiated by torch.autograd; counts what it is asked."""

    value: Callable[[Tensor], Tensor]
    evaluations: int = 0
    points: list[Tensor] = field(default_factory=list)

    def evaluate(self, u: Tensor) -> Evaluation:
        self.evaluations += 1
        self.points.append(u)
        at = u.clone().requires_grad_()
        value = self.value(at)
        slope = torch.autograd.grad(value, at)[0]
        return Evaluation(float(value.detach()), {"terminal": float(value.detach())}, slope)

    def linearise(self, u: Tensor) -> "Hessian":
        return Hessian(self, u)


@dataclass
class Hessian:
    function: Function
    u: Tensor

    def hessian_product(self, v: Tensor) -> Tensor:
        at = self.u.clone().requires_grad_()
        slope = torch.autograd.grad(self.function.value(at), at, create_graph=True)[0]
        return torch.autograd.grad(slope @ v, at)[0]


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def normal(length: int, seed: int) -> Tensor:
    return torch.randn(length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rosenbrock(u: Tensor) -> Tensor:
    return (100.0 * (u[1:] - u[:-1] ** 2) ** 2 + (1.0 - u[:-1]) ** 2).sum()


def spread(u: Tensor) -> Tensor:
    eigenvalues = torch.logspace(0.0, 2.5, len(u), dtype=u.dtype)
    return 0.5 * (eigenvalues * (u - 1.0) ** 2).sum()


def test_a_quadratic_with_a_spread_spectrum() -> None:
    function = Function(spread)
    found = minimise(function, normal(60, 0), Budget(gradient_tolerance=1e-9))
    assert found.status is Status.CONVERGED
    assert found.gradient_norm <= 1e-9
    assert float((found.u - 1.0).norm()) <= 1e-9
    assert found.evaluations == function.evaluations
    assert found.evaluations <= 1.3 * found.iterations + 5
    assert found.iterations <= 250


def test_a_curved_valley() -> None:
    found = minimise(Function(rosenbrock), normal(10, 3), Budget(gradient_tolerance=1e-10))
    assert found.status is Status.CONVERGED
    assert found.gradient_norm <= 1e-10
    assert float((found.u - 1.0).norm()) <= 1e-9 or found.objective > 1.0, "the global or the known local minimum"


def test_the_history_is_what_was_accepted() -> None:
    seen: list[HistoryRow] = []
    found = minimise(Function(rosenbrock), vector(-1.2, 1.0), Budget(), seen.append)
    assert [row.iteration for row in found.history] == list(range(found.iterations + 1))
    assert seen == found.history
    objectives = [row.objective for row in found.history]
    assert objectives[0] == pytest.approx(24.2)
    assert objectives == sorted(objectives, reverse=True)
    assert found.history[-1].gradient_norm == found.gradient_norm
    assert found.work == found.iterations + found.hessian_products


def test_a_start_at_a_maximum_in_one_direction() -> None:
    """E = (x² − 1)² + y² from near its saddle goes to one of the two minima."""
    found = minimise(Function(lambda u: (u[0] ** 2 - 1.0) ** 2 + u[1] ** 2), vector(1e-3, 0.7), Budget(1e-10))
    assert found.status is Status.CONVERGED
    assert abs(float(found.u[0])) == pytest.approx(1.0, abs=1e-9)


def test_newton_meets_negative_curvature() -> None:
    matrix = torch.diag(vector(2.0, -1.0, 3.0))
    found = newton_direction(lambda v: matrix @ v, vector(1.0, 1.0, 1.0), limit=10)
    assert found.negative_curvature
    assert float(found.direction @ vector(1.0, 1.0, 1.0)) < 0.0
    at_once = newton_direction(lambda v: matrix @ v, vector(0.0, 1.0, 0.0), limit=10)
    assert at_once.negative_curvature
    assert torch.equal(at_once.direction, vector(0.0, -1.0, 0.0))


def test_newton_solves_to_the_square_root_of_the_gradient() -> None:
    matrix, g = torch.diag(torch.logspace(0.0, 3.0, 30, dtype=torch.float64)), 1e-6 * normal(30, 1)
    found = newton_direction(lambda v: matrix @ v, g, limit=200)
    assert not found.negative_curvature
    assert float((matrix @ found.direction + g).norm()) <= math.sqrt(float(g.norm())) * float(g.norm())
    assert newton_direction(lambda v: matrix @ v, g, limit=3).products == 3


def test_the_inverse_hessian_is_exact_on_its_pairs() -> None:
    """The secant equation H y = s for the last pair; pairs without curvature are refused."""
    inverse = InverseHessian()
    for seed in range(5):
        s = normal(6, seed)
        inverse.update(s, s * vector(1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
    torch.testing.assert_close(inverse.apply(s * vector(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)), s)
    inverse.update(s, -s)
    assert len(inverse) == 5
    inverse.clear()
    assert len(inverse) == 0


def test_a_region_of_nan_is_backed_out_of() -> None:
    """√ and log are NaN below zero, which a first step of length one reaches."""
    function = Function(lambda u: (1e3 * u[0] - torch.log(u[0])).sum() + u[1] ** 2)
    found = minimise(function, vector(0.5, 1.0), Budget(1e-8))
    assert any(not math.isfinite(function.value(point)) for point in function.points)
    assert found.status is Status.CONVERGED
    assert float(found.u[0]) == pytest.approx(1e-3, rel=1e-6)


@pytest.mark.parametrize("start", [math.nan, math.inf])
def test_a_start_without_a_value_has_diverged(start: float) -> None:
    found = minimise(Function(lambda u: (u * u).sum()), vector(start), Budget())
    assert found.status is Status.DIVERGED
    assert found.error_estimate == math.inf
    assert not found.status.optimised


def test_max_iterations() -> None:
    found = minimise(Function(rosenbrock), vector(-1.2, 1.0), Budget(1e-10, max_iterations=3))
    assert (found.status, found.iterations) == (Status.MAX_ITERATIONS, 3)
    assert found.objective < 24.2


def test_a_deadline() -> None:
    found = minimise(Function(rosenbrock), vector(-1.2, 1.0), Budget(1e-10, deadline=time.monotonic() - 1.0))
    assert (found.status, found.iterations) == (Status.TIME_LIMIT, 0)
    assert math.isfinite(found.objective)


def test_the_start_may_be_the_answer() -> None:
    found = minimise(Function(lambda u: (u * u).sum()), vector(0.0, 0.0), Budget())
    assert (found.status, found.iterations, found.evaluations) == (Status.CONVERGED, 0, 1)


def test_an_exception_of_the_observer_passes_through() -> None:
    class EnoughError(Exception):
        pass

    def stop(row: HistoryRow) -> None:
        if row.iteration == 2:
            raise EnoughError

    with pytest.raises(EnoughError):
        minimise(Function(rosenbrock), vector(-1.2, 1.0), Budget(1e-10), stop)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(lambda u: u.abs().sum() + 1.0, id="kink at the minimum"),
        pytest.param(lambda u: torch.maximum(u[0] ** 2 + u[1].abs(), 3.0 * u[1] - u[0]) + 1.0, id="two pieces"),
    ],
)
def test_a_kink_is_a_stationary_point(value: Callable[[Tensor], Tensor]) -> None:
    found = minimise(Function(value), vector(1.3, -0.4), Budget(1e-6, smooth=False))
    assert found.status is Status.STATIONARY_NONSMOOTH
    assert found.status.optimised
    assert found.objective == pytest.approx(1.0, abs=1e-9)
    assert found.hessian_products == 0
    assert found.gradient_norm > 0.1


def sharp(tolerance: float) -> Solution:
    network = ResidualNetwork(known_answers.odd_pair("tanh"), 16)
    start = network.random(torch.Generator().manual_seed(0), 0.5)
    return minimise(network, start, Budget(tolerance), curvature_floor=0.1)


def test_a_sharp_tolerance_is_reached() -> None:
    found = sharp(1e-13)
    assert found.status is Status.CONVERGED
    assert found.gradient_norm <= 1e-13
    assert found.objective == pytest.approx(known_answers.C.minima[16], abs=6e-11)


def test_newton_takes_over_where_values_are_noise() -> None:
    """Values off by 1e-12 hide the last descent; gradients and products are exact."""

    def noisy(u: Tensor) -> Tensor:
        return rosenbrock(u) + 1e-12 * torch.frac(1e9 * u.detach().sum())

    found = minimise(Function(noisy), vector(-1.0, 1.0), Budget(1e-10))
    assert found.status is Status.CONVERGED
    assert found.hessian_products > 0


@pytest.mark.parametrize("seed", range(8))
def test_a_convex_quadratic_does_not_stall(seed: int) -> None:
    """A: the residual is a small difference of larger numbers, so E is noisier than its own size suggests."""
    flow = Flow(known_answers.bias_only(0.02, 2.5), LegendreIncrements(12), 48)
    start = 0.5 * normal(flow.coordinates.length, seed)
    found = minimise(flow, start, Budget(1e-10), curvature_floor=0.04)
    assert found.status is Status.CONVERGED, (found.gradient_norm, found.hessian_products)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-6])
def test_the_error_estimate_covers_the_error(tolerance: float) -> None:
    best, found = sharp(1e-12), sharp(tolerance)
    assert found.status is Status.CONVERGED
    error = found.objective - best.objective
    assert 0.0 <= error <= found.error_estimate <= 100.0 * error


def test_relu_ends_on_a_kink_of_two_moons() -> None:
    problem = known_answers.two_moons(activation="relu", kernel="torch")  # rounding decides on steps
    network = ResidualNetwork(problem, 8)
    start = network.random(torch.Generator().manual_seed(0), 0.5)
    found = minimise(network, start, Budget(1e-7, smooth=problem.smooth), curvature_floor=2e-3)
    assert found.status is Status.STATIONARY_NONSMOOTH
    assert found.objective == pytest.approx(0.04758, rel=1e-3)
    assert found.gradient_norm > 1e-3
    assert found.hessian_products == 0
    assert 0.0 < found.error_estimate < 1e-3 * found.objective
