"""Budgets and intervals hold what is so, where closed forms tell it, and are not much wider than that takes."""

import math
import statistics
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from benchmarks.linear_quadratic import LinearQuadratic
from deeplimit.mathematics import ContinuumOptions, Training, train
from deeplimit.mathematics.diagnostics.measure.minima import Minima
from deeplimit.mathematics.diagnostics.report import Diagnostics
from deeplimit.mathematics.problem.regime import Integrator

DEPTHS = (8, 16, 32)
FAMILY = [
    LinearQuadratic(1.0, y=3.5, alpha=0.01),
    LinearQuadratic(-1.0, y=1.9),
    LinearQuadratic(1.0, y=1.0, integrator=Integrator.RK4),
    LinearQuadratic(0.5, y=-2.0, tau=0.3, integrator=Integrator.IMPLICIT_EULER),
]
TOLERANCES = (1e-5, 1e-7)
ROUNDING = 1e-13


@cache
def studied(family: LinearQuadratic, tolerance: float, *, continuum: bool = True) -> Diagnostics:
    options = ContinuumOptions(tolerance=tolerance / 10.0) if continuum else None
    return train(family.problem(), DEPTHS, options, Training(tolerance, starts=1, sharpen=False)).diagnostics


def exact(family: LinearQuadratic, n: int) -> dict[str, float]:
    b = family.minimiser(n)
    minimum = family.objective(b)
    recovered = family.bias(family.times(n))
    return {
        "gap": minimum - family.limit,
        "tl2": family.tl2(b),
        "states": family.state_error(b),
        "predictions": abs(float(family.states(b)[-1]) - family.state(1.0)),
        "lift": family.lifted(b) - family.limit,
        "recovery": family.objective(recovered) - minimum,
    }


def tables(found: Any) -> Iterator[tuple[str, list[Any], list[float]]]:
    minima = [row.objective - found.minima.continuum for row in found.minima.depths]
    yield "gap", found.minima.depths, minima
    yield "tl2", found.minimisers, [row.tl2.total for row in found.minimisers]
    for name in ("states", "predictions"):
        yield name, getattr(found, name), [row.sup_error for row in getattr(found, name)]
    for name in ("lift", "recovery"):
        yield name, getattr(found, name), [row.excess for row in getattr(found, name)]


def total(row: Any) -> float:
    budget = row.error_budget
    return float(budget.optimisation + budget.integration + budget.discretisation)


@pytest.mark.parametrize("family", FAMILY, ids=lambda family: f"{family.integrator.value} {family.k:g}")
def test_the_closed_forms_are_what_sharp_training_reaches(family: LinearQuadratic) -> None:
    found = train(family.problem(), (8,), ContinuumOptions(tolerance=1e-12), Training(1e-12, starts=1)).diagnostics
    known = exact(family, 8)
    for name, _, (value,) in tables(found):
        assert value == pytest.approx(known[name], rel=1e-6, abs=1e-10), name
    assert found.minima is not None
    assert found.minima.continuum == pytest.approx(family.limit, rel=1e-10)
    if found.minima.predicted_slope is not None:
        assert found.minima.predicted_slope == pytest.approx(family.slope, rel=1e-7)


@pytest.mark.parametrize("family", FAMILY, ids=lambda family: f"{family.integrator.value} {family.k:g}")
@pytest.mark.parametrize("tolerance", TOLERANCES)
def test_values_are_within_their_budgets_and_orders_in_their_intervals(
    family: LinearQuadratic, tolerance: float
) -> None:
    known = {n: exact(family, n) for n in DEPTHS}
    for name, rows, values in tables(studied(family, tolerance)):
        for row, value in zip(rows, values, strict=True):
            assert abs(value - known[row.depth][name]) <= total(row) + ROUNDING, (name, row)
        for coarse, fine in zip(DEPTHS, rows[1:], strict=False):
            if (bounds := fine.error_budget.interval) is not None:
                left, right = known[coarse][name], known[fine.depth][name]
                order = math.log(left / right) / math.log(fine.depth / coarse)
                assert bounds[0] - 1e-7 <= order <= bounds[1] + 1e-7, (name, fine)


def test_budgets_are_no_wider_than_they_must_be() -> None:
    """The control: at the default tolerances the median budget is a few errors, and orders of order 1 are given."""
    widths: dict[str, list[float]] = {}
    for family in FAMILY:
        found = studied(family, 1e-7)
        for name, rows, values in tables(found):
            for row, value in zip(rows, values, strict=True):
                error = abs(value - exact(family, row.depth)[name])
                widths.setdefault(name, []).append(total(row) / max(error, ROUNDING))
        if family.integrator is Integrator.EULER:
            assert found.states is not None
            assert found.predictions is not None
            assert [row.order is None for row in found.states] == [True, False, False]
            assert [row.order is None for row in found.predictions] == [True, False, False]
    for name in ("states", "predictions", "lift", "recovery"):
        assert statistics.median(widths[name]) < 20.0, name


def test_the_same_steps_in_flow_and_network_do_not_hide_an_error() -> None:
    """A network of Runge-Kutta steps is what its flow is integrated by: the deviation and its budget are not 0."""
    family = LinearQuadratic(0.5, integrator=Integrator.RK4)
    found = train(
        family.problem(), (16, 32), ContinuumOptions(tolerance=1e-6), Training(1e-8, starts=1, sharpen=False)
    ).diagnostics
    assert found.states is not None
    for row in found.states:
        truth = exact(family, row.depth)["states"]
        assert row.error_budget is not None
        assert row.error_budget.integration > 0.0
        assert abs(row.sup_error - truth) <= total(row)


def slopes(minima: Minima | None) -> list[tuple[float | None, float | None, dict[str, str]]]:
    """The continuum's C₁ and those of the depths, with their errors and what is withheld."""
    assert minima is not None
    rows = ((row.predicted_slope, row.predicted_slope_error, row.withheld) for row in minima.depths)
    return [(minima.predicted_slope, minima.predicted_slope_error, minima.withheld), *rows]


def test_a_predicted_slope_is_known_to_its_error() -> None:
    """In the second case optimisation leaves a third of C₁, which is of second order in y − x."""
    for family, tolerance in [*((each, 1e-7) for each in FAMILY), (LinearQuadratic(0.0, y=1.002), 1e-4)]:
        if family.integrator is Integrator.RK4:
            continue
        for value, error, withheld in slopes(studied(family, tolerance).minima):
            assert error is not None
            assert (value is None) == ("predicted_slope" in withheld)
            assert value is None or abs(value - family.slope) <= error + ROUNDING
    (value, error, _), *_ = slopes(studied(LinearQuadratic(0.0, y=1.002), 1e-4).minima)
    assert value is None or 2e-8 < (error or 0.0) < 2e-7
    (value, error, _), *_ = slopes(studied(FAMILY[0], 1e-7).minima)
    assert value == pytest.approx(FAMILY[0].slope, rel=1e-6)
    assert error is not None
    assert error < 1e-5 * FAMILY[0].slope


def test_a_slope_below_its_error_is_withheld() -> None:
    """Depth 8 alone has C₁ with the wrong sign, where the terms of order 2 are as large."""
    family = LinearQuadratic(-1.0, y=1.9)
    _, (value, error, withheld), *_ = slopes(studied(family, 1e-7).minima)
    assert value is None
    assert error is not None
    assert error > family.slope
    assert "deeper networks" in withheld["predicted_slope"]


def test_budgets_hold_without_certificates() -> None:
    """With relu nothing is certified; here it is the identity all along, and the closed forms are the same."""
    family = LinearQuadratic(1.0, y=3.5)
    problem = family.problem(activation="relu")
    found = train(
        problem, DEPTHS, ContinuumOptions(tolerance=1e-4), Training(1e-5, starts=1, sharpen=False)
    ).diagnostics
    for name, rows, values in tables(found):
        for row, value in zip(rows, values, strict=True):
            assert abs(value - exact(family, row.depth)[name]) <= total(row), (name, row)
    for predicted, error, _ in slopes(found.minima):
        assert predicted is not None
        assert error is not None
        assert abs(predicted - family.slope) <= error < abs(family.slope)


def test_without_a_continuum_neighbouring_depths_tell_a_slopes_error() -> None:
    family = LinearQuadratic(1.0, y=3.5, alpha=0.01)
    minima = studied(family, 1e-7, continuum=False).minima
    assert minima is not None
    for row in minima.depths:
        assert row.predicted_slope is not None
        assert row.predicted_slope_error is not None
        error = abs(row.predicted_slope - family.slope)
        assert error <= 1.5 * row.predicted_slope_error
        assert row.predicted_slope_error < 4.0 * error


def test_richardsons_extrapolation_is_known_to_its_error() -> None:
    for family in FAMILY:
        minima = studied(family, 1e-7).minima
        assert minima is not None
        assert minima.richardson is not None
        assert minima.richardson_error is not None
        error = abs(minima.richardson - family.limit)
        assert error <= minima.richardson_error
        assert minima.richardson_error < 30.0 * error


def test_two_depths_alone_do_not_tell_the_next_term() -> None:
    family = FAMILY[0]
    minima = train(family.problem(), (8, 16), None, Training(starts=1)).diagnostics.minima
    assert minima is not None
    assert minima.richardson is not None
    assert minima.richardson_error is None
    assert "three depths" in minima.withheld["richardson_error"]
    with_limit = train(family.problem(), (8, 16), training=Training(starts=1)).diagnostics.minima
    assert with_limit is not None
    assert with_limit.richardson is not None
    assert abs(with_limit.richardson - family.limit) <= (with_limit.richardson_error or 0.0)
