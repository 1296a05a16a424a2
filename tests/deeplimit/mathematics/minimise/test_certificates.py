"""Second-order certificates against dense eigenvalues, a bifurcation with a closed form, and where they must refuse."""

import copy
import math
import time

import pytest
import torch
from torch import Tensor

from deeplimit.mathematics import ContinuumOptions, Problem, Regime, Regularisation, Scaling, Training, train
from deeplimit.mathematics.diagnostics.report import diagnose
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.minimise import Budget, Solution, certificate, minimise
from deeplimit.mathematics.minimise.certificate import Certificate, Kind, certify, judge
from deeplimit.mathematics.minimise.davidson import RitzPair, smallest_eigenvalue
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.model.objective import DiscretisedObjective
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.study.branch_certificates import certify_branch
from deeplimit.mathematics.study.sweep import Study
from tests.support.small_problems import bifurcating, critical, odd_pair, trained


def dense_hessian(objective: DiscretisedObjective, u: Tensor, h: float = 1e-5) -> Tensor:
    """Central differences of the gradient."""
    rows = []
    for k in range(len(u)):
        step = torch.zeros_like(u)
        step[k] = h
        rows.append((objective.evaluate(u + step).gradient - objective.evaluate(u - step).gradient) / (2.0 * h))
    H = torch.stack(rows)
    return 0.5 * (H + H.T)


def normal(length: int, seed: int = 3) -> Tensor:
    return torch.randn(length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_smallest_eigenvalues_agree_with_dense_ones(activation: str) -> None:
    study = trained(activation).study
    branch = study.verdict_branch
    certificates = trained(activation).diagnostics.certificates
    assert branch.continuum is not None
    assert certificates.continuum is not None
    cases: list[tuple[DiscretisedObjective, Solution, Certificate]] = [
        (branch.points[n].network, branch.points[n].solution, certificates.depths[n]) for n in (8, 32, 64)
    ]
    cases.append((branch.continuum.flow, branch.continuum.solution, certificates.continuum))
    for objective, solution, found in cases:
        values = torch.linalg.eigvalsh(dense_hessian(objective, solution.u))
        assert found.lambda_min is not None
        assert found.lambda_min_error is not None
        assert found.kind is Kind.STRICT_MINIMUM
        assert float(values[0]) > 0.0
        assert abs(found.lambda_min - float(values[0])) <= found.lambda_min_error + 1e-7
        assert found.lambda_min == pytest.approx(float(values[0]), rel=2e-5)
        assert found.lambda_min_error <= 2e-5 * found.lambda_min


def test_a_hessian_without_its_regularisation_does_not_agree() -> None:
    """The negative control: the comparison with the dense eigenvalue can fail."""
    point = trained("tanh").study.verdict_branch.points[8]
    product = point.network.linearise(point.solution.u).hessian_product
    wrong = smallest_eigenvalue(lambda v: product(v) - 0.1 * v, normal(len(point.solution.u)))
    dense = float(torch.linalg.eigvalsh(dense_hessian(point.network, point.solution.u))[0])
    assert abs(wrong.value - dense) > 0.09
    assert abs(wrong.value - dense) > wrong.error


def test_the_optimisation_error_is_bounded() -> None:
    """E(u) − E* some way from the minimum against the bound, which is attained along the eigenvector."""
    point = trained("tanh").study.verdict_branch.points[16]
    vector = trained("tanh").diagnostics.certificates.depths[16].vector
    assert vector is not None
    for size in (1e-3, 1e-4, 1e-5):
        for direction, slack in ((normal(len(vector)), 100.0), (vector, 1.01)):
            u = point.solution.u + size * direction / direction.norm()
            evaluation = point.network.evaluate(u)
            found = certify(point.network, Solution(u, evaluation, point.solution.status, 0.0))
            assert found.kind is Kind.STRICT_MINIMUM
            assert found.optimisation_error is not None
            assert found.distance is not None
            excess = evaluation.objective - point.solution.objective
            assert 0.0 < 0.99 * excess <= found.optimisation_error <= slack * excess
            assert 0.99 * size <= found.distance


@pytest.mark.parametrize(("length", "rank"), [(300, 12), (40, 3)])
def test_the_search_finds_the_lower_end_of_a_clustered_spectrum(length: int, rank: int) -> None:
    """2αI and a low rank, the shape that Hessians have here."""
    Q = torch.linalg.qr(normal(length * rank).view(length, rank))[0]
    shifts = torch.linspace(-0.7, 4.0, rank, dtype=torch.float64)
    found = smallest_eigenvalue(lambda v: v + Q @ (shifts * (Q.T @ v)), normal(length, 5), tolerance=1e-10)
    assert found.value == pytest.approx(0.3, abs=1e-12)
    assert found.converged
    assert found.products <= rank + 4
    assert abs(float(found.vector @ Q[:, 0])) == pytest.approx(1.0, abs=1e-9)


def test_the_search_stops_and_says_so() -> None:
    values = torch.logspace(-6, 0, 500, dtype=torch.float64)
    found = smallest_eigenvalue(lambda v: values * v, normal(500), tolerance=1e-8, max_products=20)
    assert not found.converged
    assert found.products == 20
    assert found.value >= float(values[0])
    assert smallest_eigenvalue(lambda v: values * v, normal(500), stop=lambda: True).products == 1


def null_solution(problem: Problem, objective: DiscretisedObjective, y: float) -> Solution:
    parts = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in objective.coordinates.shapes.items()}
    parts["c"] += y / (1.0 + problem.regularisation.alpha["c"])
    return minimise(objective, objective.coordinates.pack(parts), Budget())


def objectives(problem: Problem) -> dict[int | None, DiscretisedObjective]:
    return {
        8: ResidualNetwork(problem, 8),
        32: ResidualNetwork(problem, 32),
        None: Flow(problem, LegendreIncrements(8), 32),
    }


def test_the_published_critical_value() -> None:
    assert critical(8) == pytest.approx(0.160806, abs=5e-7)


@pytest.mark.parametrize("n", [8, 32, None])
@pytest.mark.parametrize("share", [0.98, 0.99])
def test_below_the_bifurcation_the_null_solution_is_the_minimiser(n: int | None, share: float) -> None:
    y = share * critical(n)
    problem = bifurcating(y)
    objective = objectives(problem)[n]
    null = null_solution(problem, objective, y)
    found = certify(objective, null)
    assert found.kind is Kind.STRICT_MINIMUM
    assert found.lambda_min is not None
    assert 0.0 < found.lambda_min < 0.1 * (1.0 - share) * 10.0
    for seed in range(3):
        start = normal(len(null.u), seed)
        other = minimise(objective, start, Budget(gradient_tolerance=1e-9))
        assert other.objective == pytest.approx(null.objective, rel=1e-9)
        assert float((other.u - null.u).norm()) < 1e-3


@pytest.mark.parametrize("n", [8, 32, None])
@pytest.mark.parametrize("share", [1.01, 1.02])
def test_above_the_bifurcation_it_is_a_saddle(n: int | None, share: float) -> None:
    y = share * critical(n)
    problem = bifurcating(y)
    objective = objectives(problem)[n]
    null = null_solution(problem, objective, y)
    found = certify(objective, null)
    assert found.kind is Kind.SADDLE
    assert found.lambda_min is not None
    assert found.lambda_min < 0.0
    assert found.optimisation_error is None
    assert "saddle" in found.withheld["optimisation_error"]
    assert found.vector is not None
    # E falls along the direction that comes with the certificate, to a strict minimum.
    left = minimise(objective, null.u + 0.05 * found.vector, Budget(gradient_tolerance=1e-9))
    assert left.objective < null.objective - 1e-9
    assert certify(objective, left).kind is Kind.STRICT_MINIMUM


def test_at_the_bifurcation_it_is_degenerate() -> None:
    y = critical(8)
    problem = bifurcating(y)
    network = ResidualNetwork(problem, 8)
    found = certify(network, null_solution(problem, network, y))
    assert found.kind is Kind.DEGENERATE
    assert found.lambda_min == pytest.approx(0.0, abs=1e-12)
    assert "optimisation_error" in found.withheld


def test_a_study_beyond_the_bifurcation_reports_its_saddles() -> None:
    """A study stuck on the null solution must not be given orders."""
    problem = bifurcating(1.02 * critical(8))
    study = train(problem, (8, 16), ContinuumOptions(), Training(starts=1)).study
    for point in study.verdict_branch.points.values():
        point.solution = null_solution(problem, point.network, 1.02 * critical(8))
        point.parameters = point.network.parameters(point.solution.u)
        point.certificate = None
    found = diagnose(Subject(study, problem.x, "train"))
    assert [each.kind for each in found.certificates.depths.values()] == [Kind.SADDLE, Kind.SADDLE]
    assert found.minima is not None
    assert "saddle" in found.minima.depths[-1].withheld["gap"]
    assert found.verdict.converges is None
    assert any("is a saddle" in sentence for sentence in found.verdict.statements)


def test_no_certificate_for_a_kinked_objective() -> None:
    problem = odd_pair("relu")
    study = train(problem, (8,), None, Training(starts=1, max_iterations=300)).study
    found = certify_branch(study.verdict_branch).depths[8]
    assert found.lambda_min is None
    assert found.kind is None
    assert set(found.withheld) == {"lambda_min", "lambda_min_error", "kind", "optimisation_error"}


def test_no_certificate_without_a_solution() -> None:
    study = train(odd_pair("tanh"), (8,), None, Training(starts=1, max_iterations=2)).study
    found = certify_branch(study.verdict_branch).depths[8]
    assert found.kind is None
    assert "max_iterations" in found.withheld["kind"]


@pytest.mark.parametrize(
    ("floor", "value", "kind"),
    [
        (0.0, -5e-8, Kind.DEGENERATE),
        (0.0, -1e-3, Kind.SADDLE),
        (1e-3, -5e-6, Kind.SADDLE),
        (1e-3, 5e-6, Kind.STRICT_MINIMUM),
    ],
)
def test_how_flat_is_flat(floor: float, value: float, kind: Kind) -> None:
    """Without a regulariser a valley's floor is flat to √eps of the largest curvature; with one, to 1e-4 of 2 min α."""
    alpha = dict.fromkeys(("K", "b", "W", "c"), max(floor, 1e-3) / 2.0)
    scaling = Scaling.NONE if floor == 0.0 else Scaling.H1
    problem = Problem(
        [[1.0]], [[1.0]], activation="tanh", regularisation=Regularisation(alpha=alpha), regime=Regime(scaling=scaling)
    )
    network = ResidualNetwork(problem, 4)
    solution = minimise(network, normal(network.coordinates.length, 0), Budget(gradient_tolerance=1e-9))
    direction = torch.nn.functional.normalize(normal(network.coordinates.length, 1), dim=0)
    pair = RitzPair(value, direction, error=1e-12, largest=10.0, products=50, converged=True)
    assert judge(problem, solution, pair).kind is kind


def test_the_search_ends_near_zero() -> None:
    """A relative accuracy of an eigenvalue 0 is never reached; the level below which nothing is told apart is."""
    diagonal = torch.cat([torch.zeros(1, dtype=torch.float64), torch.linspace(1.0, 2.0, 199, dtype=torch.float64)])
    counts = [
        smallest_eigenvalue(lambda v: diagonal * v, normal(200, 0), tolerance=1e-6, absolute=level, max_products=80)
        for level in (0.0, 1e-5)
    ]
    assert not counts[0].converged or counts[0].products > counts[1].products
    assert counts[1].converged
    assert abs(counts[1].value) < 1e-5


def test_the_search_says_that_a_product_is_not_finite() -> None:
    found = smallest_eigenvalue(lambda v: v * torch.nan, normal(20, 0))
    assert math.isnan(found.value)
    assert not found.converged
    assert found.products == 1


class StopNowError(Exception):
    """Raised by an observer."""


def uncertified() -> Study:
    """A study as larger problems leave it: with certificates left to the diagnostics."""
    study = copy.deepcopy(trained("tanh").study)
    for point in study.verdict_branch.points.values():
        point.certificate = None
    assert study.verdict_branch.continuum is not None
    study.verdict_branch.continuum.certificate = None
    return study


def test_a_checkpoint_may_raise_anywhere() -> None:
    calls = 0
    last = math.inf

    def checkpoint() -> None:
        nonlocal calls
        calls += 1
        if calls >= last:
            raise StopNowError

    def run() -> None:
        study = uncertified()
        diagnose(Subject(study, study.problem.x, "train"), checkpoint)

    run()
    total = calls
    assert total > 100
    for call in (1, 40, total - 3):
        calls, last = 0, call
        with pytest.raises(StopNowError):
            run()


def test_a_deadline_withholds_what_is_long() -> None:
    study = uncertified()
    found = diagnose(Subject(study, study.problem.x, "train"), deadline=time.monotonic() - 1.0)
    assert {each.withheld["kind"] for each in found.certificates.depths.values()} == {"the time limit was reached"}
    assert found.independent_check is not None
    assert found.independent_check.withheld["objective"] == "the time limit was reached"
    assert found.minima is not None
    assert found.minima.depths[-1].order == pytest.approx(1.0, abs=0.01)


def test_the_verdict_says_what_is_certified() -> None:
    statements = trained("tanh").diagnostics.verdict.statements
    assert any("certified as a strict local minimum at every depth and in the continuum" in s for s in statements)
    assert any("every inner layer" in s and "within their H² bound and its allowance" in s for s in statements)
    assert any("order of the boundary residuals is 1.00 for K" in s for s in statements)
    assert any("solved by collocation" in s and "it confirms" in s for s in statements)


@pytest.mark.parametrize("products", [1, 2, 3, 5])
def test_a_search_that_is_cut_short_certifies_no_minimum(products: int) -> None:
    """Early residuals are small beside the curvature that was met, whatever curvature was not."""
    target = 1.2 * critical(64)
    problem = bifurcating(target)
    network = ResidualNetwork(problem, 64)
    solution = null_solution(problem, network, target)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > products + 1

    found = certify(network, solution, stop=stop)
    assert found.kind is not Kind.STRICT_MINIMUM
    assert certify(network, solution).kind is Kind.SADDLE


@pytest.mark.parametrize("hidden", [-0.1, -0.03])
def test_an_eigenvalue_that_crossed_below_the_expected_one_is_found(hidden: float) -> None:
    """The preconditioner knows all of the Hessian but one direction, and the eigenvector expected is another's."""
    length = 2000
    for seed in range(8):
        Q = torch.linalg.qr(normal(length * 12, seed).view(length, 12))[0]
        values = torch.cat([torch.tensor([hidden, 0.3]), torch.logspace(0.3, 2.5, 10)]).double()
        known = values.clone()
        known[0] = 1.0
        pair = smallest_eigenvalue(
            lambda v, Q=Q, values=values: v + Q @ ((values - 1.0) * (Q.T @ v)),  # type: ignore[misc]  # bound at once
            Q[:, 1] + 0.3 * unit(inverse_of(Q, known, normal(length, 100 + seed))),
            precondition=lambda v, Q=Q, known=known: inverse_of(Q, known, v),  # type: ignore[misc]  # bound at once
            tolerance=1e-2,
            least_products=certificate._LEAST_WARM,
            max_products=60,
        )
        assert pair.value < 0.0, (seed, pair.value)


def inverse_of(Q: Tensor, values: Tensor, v: Tensor) -> Tensor:
    return v + Q @ ((1.0 / values - 1.0) * (Q.T @ v))


def unit(v: Tensor) -> Tensor:
    return torch.nn.functional.normalize(v, dim=0)
