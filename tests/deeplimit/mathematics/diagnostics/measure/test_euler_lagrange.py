"""Euler-Lagrange residuals, the H² bound, boundary conditions and compactness, with controls that must fail."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from deeplimit.mathematics import ContinuumOptions, Problem, Regularisation, Training, train
from deeplimit.mathematics.diagnostics.measure.compactness import measure_compactness, quotient
from deeplimit.mathematics.diagnostics.measure.euler_lagrange import euler_lagrange_residuals, right_hand_sides
from deeplimit.mathematics.diagnostics.measure.regularity import measure_regularity
from deeplimit.mathematics.diagnostics.measure.slope import slope_from_depth
from deeplimit.mathematics.study.branches import BranchPoint
from tests.support.small_problems import DEPTHS, TOLERANCE, odd_pair, one_sample, trained

BOTH = pytest.mark.parametrize("activation", ["identity", "tanh"])


@BOTH
def test_residuals_are_at_the_level_of_the_asked_tolerance(activation: str) -> None:
    """The tolerance is one on E_∞, which is quadratic in the residual."""
    found = trained(activation).diagnostics
    assert found.euler_lagrange is not None
    assert found.minima is not None
    assert found.minima.continuum is not None
    K, b = found.euler_lagrange.K, found.euler_lagrange.b
    assert K is not None
    assert b is not None
    assert K.objective_error + b.objective_error <= TOLERANCE * found.minima.continuum
    assert max(K.residual, b.residual) <= TOLERANCE**0.5
    assert max(K.boundary_0, K.boundary_1, b.boundary_0, b.boundary_1) <= TOLERANCE**0.5


def test_residuals_fall_with_the_tolerance() -> None:
    problem = odd_pair("tanh")
    residuals = []
    for tolerance in (1e-5, 1e-8, 1e-11):
        training = Training(gradient_tolerance=min(1e-8, tolerance), starts=1)
        fit = train(problem, (8,), ContinuumOptions(tolerance=tolerance), training).study.verdict_branch.continuum
        assert fit is not None
        K = euler_lagrange_residuals(problem, fit).K
        assert K is not None
        residuals.append(K.residual)
    assert all(fine < 0.2 * coarse for coarse, fine in pairwise(residuals))
    assert residuals[-1] < 1e-6


def test_a_piecewise_linear_model_meets_the_same_equation() -> None:
    problem = odd_pair("tanh")
    residuals = []
    for cells in (1e-3, 1e-5):
        options = ContinuumOptions(basis="piecewise_linear", tolerance=cells)
        fit = train(problem, (8,), options, Training(starts=1)).study.verdict_branch.continuum
        assert fit is not None
        K = euler_lagrange_residuals(problem, fit).K
        assert K is not None
        residuals.append((fit.flow.basis.size - 1, K.residual))
    (m, coarse), (n, fine) = residuals
    assert n > m
    assert coarse / fine == pytest.approx(n / m, rel=0.1)


@BOTH
def test_another_problems_minimiser_does_not_meet_the_equation(activation: str) -> None:
    fit = trained(activation).study.verdict_branch.continuum
    assert fit is not None
    found = euler_lagrange_residuals(odd_pair(activation, alpha_K=0.0505), fit).K
    assert found is not None
    assert found.residual > 2e-3


def test_another_tau_does_not_meet_the_boundary_condition() -> None:
    fit = trained("tanh").study.verdict_branch.continuum
    assert fit is not None
    alpha = {"K": 0.05, "b": 0.05, "W": 0.1, "c": 0.1}
    other = Problem(
        [[1.0], [-1.0]],
        [[2.0], [-2.0]],
        activation="tanh",
        loss="squared_error",
        regularisation=Regularisation(alpha=alpha, tau={"K": 1.01, "b": 1.0}),
    )
    found = euler_lagrange_residuals(other, fit).K
    assert found is not None
    assert found.boundary_0 == pytest.approx(0.01 * 0.6554184, rel=1e-2)


def test_the_linear_continuum_has_a_constant_second_derivative() -> None:
    """B: K'' = −K(0), so F = −2α_K K(0) at every time."""
    fit = trained("identity").study.verdict_branch.continuum
    assert fit is not None
    force = right_hand_sides(fit.flow.problem, fit.parameters, 64)["K"].flatten()
    assert force.numpy() / (2.0 * 0.05) == pytest.approx(np.full(65, -0.838058), abs=2e-6)


@BOTH
def test_second_differences_are_within_their_bound(activation: str) -> None:
    rows = trained(activation).diagnostics.regularity
    assert [row.depth for row in rows] == list(DEPTHS)
    for row in rows:
        for part in (row.K, row.b):
            assert part is not None
            assert part.holds
            assert part.second_difference <= part.bound * (1.0 + 1e-9) + part.allowance
        assert row.K is not None
        # The samples mirror each other, so the triangle inequality is sharp.
        assert row.K.second_difference == pytest.approx(row.K.bound, abs=row.K.allowance + 1e-9)
        assert row.K.allowance < 1e-2


def test_second_differences_of_b_tend_to_the_known_value() -> None:
    """On the linear problem they tend to 0.838058 like 1/n."""
    rows = trained("identity").diagnostics.regularity
    errors = [abs(row.K.second_difference - 0.838058) for row in rows if row.K is not None]
    for before, after in pairwise(errors):
        assert np.log2(before / after) == pytest.approx(1.0, abs=0.3)
    assert errors[-1] < 0.005


@BOTH
@pytest.mark.parametrize("end", ["boundary_0", "boundary_1"])
def test_boundary_residuals_fall_like_one_over_n(activation: str, end: str) -> None:
    values = [getattr(row.K, end) for row in trained(activation).diagnostics.regularity]
    orders = [np.log2(before / after) for before, after in pairwise(values)]
    assert orders[-1] == pytest.approx(1.0, abs=0.02)
    assert orders == pytest.approx([1.0] * len(orders), abs=0.12)


def test_with_one_sample_the_bound_is_an_equality() -> None:
    problem = one_sample()
    study = train(problem, (12,), None, Training(gradient_tolerance=1e-11, starts=1)).study
    row = measure_regularity(problem, study.verdict_branch.points[12])
    for part in (row.K, row.b):
        assert part is not None
        assert part.second_difference == pytest.approx(part.bound, rel=1e-7)
        assert part.holds


def disturbed(point: BranchPoint, size: float) -> BranchPoint:
    """K with an alternating disturbance, as if it were the minimiser."""
    sign = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(point.depth // 2).view(-1, 1, 1)
    return replace(point, parameters=replace(point.parameters, K=point.parameters.K + size * sign))


def test_rough_weights_break_the_bound() -> None:
    point = trained("tanh").study.verdict_branch.points[64]
    row = measure_regularity(odd_pair("tanh"), disturbed(point, 1e-3))
    assert row.K is not None
    assert not row.K.holds
    assert row.K.second_difference > 10.0 * row.K.bound


def test_shifted_weights_break_the_boundary_condition() -> None:
    """A constant added to K leaves second differences alone: only the condition at 0 sees it, and does not fall."""
    for n in (32, 128):
        point = trained("tanh").study.verdict_branch.points[n]
        shifted = replace(point, parameters=replace(point.parameters, K=point.parameters.K + 0.1))
        row = measure_regularity(odd_pair("tanh"), shifted)
        assert row.K is not None
        assert row.K.holds
        assert row.K.boundary_0 > 0.1


@BOTH
def test_hoelder_quotients_are_within_their_bound(activation: str) -> None:
    found = trained(activation)
    for row in found.diagnostics.compactness:
        assert row.bounded
        assert row.holder is not None
        # E_n(0) = y² = 4.
        assert row.holder_bound == pytest.approx((4.0 / 0.05) ** 0.5, rel=1e-6)
        assert row.holder_bound is not None
        assert row.holder <= row.holder_bound
        point = found.study.verdict_branch.points[row.depth]
        assert pytest.approx(point.solution.evaluation.terms["K"], rel=1e-9) == 0.05 * row.R_K
    sizes = [row.R_K for row in found.diagnostics.compactness]
    assert max(sizes) / min(sizes) < 1.1


def test_the_quotient_of_a_straight_line_and_of_a_root() -> None:
    t = torch.arange(50, dtype=torch.float64)[:, None] / 50
    assert quotient(3.0 * t) == pytest.approx(3.0 * (49 / 50) ** 0.5, rel=1e-12)
    assert quotient(t.sqrt()) == pytest.approx(1.0, rel=1e-12)


def test_a_random_walk_without_scaling_exceeds_the_bound() -> None:
    point = trained("tanh").study.verdict_branch.points[128]
    walk = torch.randn(128, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64).cumsum(0)
    row = measure_compactness(odd_pair("tanh"), replace(point, parameters=replace(point.parameters, K=walk)))
    assert row.bounded is False
    assert row.R_K > 1000.0


@BOTH
def test_the_slope_from_depth_32_predicts_the_observed_one(activation: str) -> None:
    found = trained(activation)
    minima = found.diagnostics.minima
    assert minima is not None
    row = minima.depths[-1]
    point = found.study.verdict_branch.points[32]
    assert slope_from_depth(point.network, point.solution.u) == pytest.approx(row.slope, rel=0.02)
    # The control: away from the minimiser it predicts something else.
    assert slope_from_depth(point.network, 1.1 * point.solution.u) != pytest.approx(row.slope, rel=0.02)


def test_what_does_not_apply_is_withheld_with_the_reason() -> None:
    problem = Problem([[1.0], [-1.0]], [[2.0], [-2.0]], activation="tanh", loss="squared_error", fixed={"K": [[1.0]]})
    found = train(problem, (8, 16), training=Training(starts=1)).diagnostics
    assert found.euler_lagrange is not None
    assert found.euler_lagrange.K is None
    assert found.euler_lagrange.b is not None
    assert found.euler_lagrange.withheld == {"K": "K is fixed"}
    assert found.regularity[0].withheld == {"K": "K is fixed"}
    assert found.compactness[0].R_K == 0.0
    assert found.compactness[0].bounded
    assert found.independent_check is not None
    assert found.independent_check.withheld["objective"] == "K or b is fixed"
    kinked = train(odd_pair("relu"), (8, 16), training=Training(starts=1, max_iterations=300)).diagnostics
    assert kinked.euler_lagrange is not None
    assert set(kinked.euler_lagrange.withheld) == {"K", "b"}
    assert set(kinked.regularity[0].withheld) == {"K", "b"}
    assert kinked.compactness[0].bounded
