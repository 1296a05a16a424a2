"""Error budgets: intervals that contain the sharp orders, and what is too coarse to be reported."""

import math
from typing import Any

import pytest

from deeplimit.mathematics import ContinuumOptions, Problem, Regime, Regularisation, Scaling, Training, train
from deeplimit.mathematics.diagnostics.errors import Errors
from deeplimit.mathematics.diagnostics.measure.bracket import ExcessRow
from deeplimit.mathematics.diagnostics.measure.error_budget import ErrorBudget, interval, interval_of_three, with_orders
from deeplimit.mathematics.diagnostics.measure.orders import Observation
from tests.support.small_problems import DEPTHS, odd_pair, trained


def test_every_gap_and_order_has_a_budget() -> None:
    found = trained("tanh").diagnostics
    assert found.minima is not None
    tables: list[Any] = [found.minima.depths, found.minimisers, found.consecutive, found.states, found.predictions]
    for table in [*tables, found.lift, found.recovery]:
        assert table
        for index, row in enumerate(table):
            known = row.error_budget
            assert known is not None
            assert min(known.optimisation, known.integration, known.discretisation) >= 0.0
            order = row.order["total"] if isinstance(row.order, dict) else row.order
            assert (known.interval is None) == (order is None)
            if known.interval is not None and order is not None:
                low, high = known.interval
                assert low <= order <= high
                assert high - low < 0.2
            elif index:
                assert "order" in row.withheld


def test_the_true_gap_is_within_its_budget() -> None:
    """A loosely trained study against a sharp one."""
    sharp = trained("tanh").diagnostics.minima
    loose = train(odd_pair("tanh"), DEPTHS, ContinuumOptions(tolerance=1e-5), Training(1e-4, starts=1)).diagnostics
    assert sharp is not None
    assert loose.minima is not None
    for exact, row in zip(sharp.depths, loose.minima.depths, strict=True):
        assert row.error_budget is not None
        assert exact.gap is not None
        total = row.error_budget.optimisation + row.error_budget.integration + row.error_budget.discretisation
        gap = row.objective - (loose.minima.continuum or math.nan)
        assert abs(gap - exact.gap) <= total
        if row.order is not None:
            assert row.error_budget.interval is not None
            assert exact.order is not None
            assert row.error_budget.interval[0] <= exact.order <= row.error_budget.interval[1]


def test_the_sources_are_told_apart() -> None:
    """Each is made large on its own, and nothing else is."""

    def of(tolerance: float, gradient: float) -> ErrorBudget:
        training = Training(gradient_tolerance=gradient, starts=1)
        minima = train(odd_pair("tanh"), (8, 16), ContinuumOptions(tolerance=tolerance), training).diagnostics.minima
        assert minima is not None
        assert minima.depths[-1].error_budget is not None
        return minima.depths[-1].error_budget

    sharp, stopped, coarse = of(1e-11, 1e-10), of(1e-11, 1e-3), of(1e-4, 1e-10)
    assert stopped.optimisation > 1e3 * sharp.optimisation
    assert coarse.integration > 1e2 * sharp.integration
    assert coarse.discretisation > 10.0 * sharp.discretisation
    assert coarse.optimisation < 1e-12


def test_without_a_floor_of_curvature_no_order_is_claimed() -> None:
    """Every depth has the same minimum, 1/1200: the differences are what optimisation left in flat valleys."""
    weights = Regularisation(alpha={"K": 1.0, "b": 0.05, "W": 0.1, "c": 1.0}, tau={"K": 2.0, "b": 2.0})
    problem = Problem([[0.0]], [[0.1]], activation="tanh", regularisation=weights, regime=Regime(scaling=Scaling.NONE))
    found = train(problem, (4, 8, 16, 32), None, Training(1e-8, starts=2)).diagnostics.minima
    assert found is not None
    assert [row.order for row in found.depths] == [None] * 4


def test_what_is_not_resolved_is_withheld() -> None:
    """The control: minima known to ±1e-3 say nothing about gaps of that size."""
    found = train(
        odd_pair("tanh"), DEPTHS, training=Training(gradient_tolerance=3e-2, starts=1, sharpen=False)
    ).diagnostics.minima
    assert found is not None
    last = found.depths[-1]
    assert last.gap is None
    assert last.order is None
    assert "not small beside the gap" in last.withheld["gap"]
    assert last.error_budget is not None
    assert last.error_budget.optimisation > 1e-5
    assert last.error_budget.interval is None


def test_without_a_continuum_the_budget_is_of_three_minima() -> None:
    found = train(odd_pair("tanh"), DEPTHS, None, Training(gradient_tolerance=1e-8, starts=1)).diagnostics.minima
    assert found is not None
    for row in found.depths[2:]:
        assert row.error_budget is not None
        assert row.error_budget.interval is not None
        assert row.error_budget.interval[0] <= (row.order or math.nan) <= row.error_budget.interval[1]
        assert row.error_budget.integration == 0.0


def test_intervals_are_those_of_interval_arithmetic() -> None:
    before, after = Observation(8, 0.1, 0.01), Observation(16, 0.05, 0.005)
    known = interval(before, after)
    assert known is not None
    assert known[0] == pytest.approx(math.log2(0.09 / 0.055))
    assert known[1] == pytest.approx(math.log2(0.11 / 0.045))
    assert interval(before, Observation(16, 0.05, 0.05)) is None
    assert interval(before, Observation(16, None, 0.0)) is None
    low, high = interval_of_three((8, 16, 32), (1.0 + 1 / 8, 1.0 + 1 / 16, 1.0 + 1 / 32), (1e-4, 1e-4, 1e-4)) or (9, 9)
    assert low < 1.0 < high
    assert interval_of_three((8, 16, 32), (1.125, 1.0625, 1.03125), (0.1, 0.1, 0.1)) is None


def test_errors_add_and_scale() -> None:
    total = Errors(1.0, 2.0, 3.0) + Errors(0.5, 0.0, 0.0).scaled(2.0)
    assert total == Errors(2.0, 2.0, 3.0)
    assert total.total == 7.0


def test_no_interval_without_an_order() -> None:
    observations = [Observation(8, 0.1, 0.0), Observation(16, 0.05, 0.0, "not trained")]
    rows = [ExcessRow(8, 1.0, 0.1, withheld={"excess": "kept"}), ExcessRow(16, 1.0, 0.05)]
    first, second = with_orders(rows, observations, [Errors(), Errors(1.0)])
    assert first.error_budget == ErrorBudget(0.0, 0.0, 0.0, None)
    assert second.error_budget == ErrorBudget(1.0, 0.0, 0.0, None)
    assert (first.order, second.order) == (None, None)
    assert (first.withheld, second.withheld) == ({"excess": "kept"}, {"order": "not trained"})


def test_an_order_has_its_interval() -> None:
    observations = [Observation(8, 0.1, 0.001), Observation(16, 0.05, 0.0005)]
    rows = [ExcessRow(8, 1.0, 0.1), ExcessRow(16, 1.0, 0.05)]
    _, second = with_orders(rows, observations, [Errors(0.001), Errors(0.0005)])
    assert second.order == pytest.approx(1.0)
    assert second.error_budget is not None
    assert second.error_budget.interval == interval(*observations)
