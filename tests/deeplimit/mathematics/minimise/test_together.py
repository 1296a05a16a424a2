"""Minimising from many starts at once against one by one: the same ends, whatever happens to others of the batch."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from deeplimit.mathematics.minimise import (
    Budget,
    HistoryRow,
    Observer,
    Solution,
    Status,
    inverse_hessians,
    minimise,
    minimise_together,
)
from deeplimit.mathematics.minimise import together as together_module
from deeplimit.mathematics.minimise.inverse_hessians import InverseHessians
from deeplimit.mathematics.minimise.lbfgs import InverseHessian
from deeplimit.mathematics.model.batched_objective import BatchedObjective
from deeplimit.mathematics.model.objective import Evaluation
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from tests.deeplimit.mathematics.minimise.test_minimise import Function, normal, rosenbrock, spread, vector
from tests.support import known_answers


@dataclass
class Rows:
    """A function at many points, one after the other; notes how many each time."""

    single: Function
    sizes: list[int]

    def evaluate(self, U: Tensor) -> list[Evaluation]:
        self.sizes.append(len(U))
        return [self.single.evaluate(u) for u in U]


def both(
    function: Function, starts: Sequence[Tensor], budget: Budget, observers: Sequence[Observer] | None = None
) -> tuple[list[Solution], list[Solution], Rows]:
    """One by one, together, and what was evaluated together."""
    rows = Rows(function, [])
    alone = [minimise(function, start, budget) for start in starts]
    return alone, minimise_together(rows, starts, budget, observers), rows


def test_the_inverse_hessians_are_those_of_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs come at different times; some are refused, one row forgets its own, one is given up, room is made."""
    length, memory = 9, 4
    monkeypatch.setattr(inverse_hessians, "_FIRST_ROOM", 1)
    many = InverseHessians(3, normal(length, 0), memory)
    alone = [InverseHessian(memory) for _ in range(3)]
    rows = list(many.rows)
    bend = torch.linspace(1.0, 40.0, length, dtype=torch.float64)
    for turn in range(12):
        asked = [index for index in range(3) if (turn + index) % 3 != 0 or turn > 8]
        if turn == 7:
            rows[1].clear()
            alone[1].clear()
        if turn == 9:
            many.keep([rows[0], rows[2]])
        asked = [index for index in asked if turn < 9 or index != 1]
        for index in asked:
            s = normal(length, 10 * turn + index)
            y = -s if turn % 5 == 4 else bend * s + 0.1 * s.roll(1)
            u, at_u = normal(length, 2000 + turn), normal(length, 3000 + turn)
            rows[index].learn((u, at_u), (u + s, at_u + y))
            alone[index].update(s, y)
        g = {index: normal(length, 500 + 10 * turn + index) for index in asked}
        found = many.headings([rows[index] for index in asked], list(g.values()))
        for index, heading in zip(asked, found, strict=True):
            torch.testing.assert_close(-heading.direction, alone[index].apply(g[index]), rtol=1e-10, atol=1e-12)
            assert heading.slope == pytest.approx(float(heading.direction @ g[index]))
            assert rows[index].known is alone[index].known
    again = normal(length, 999)
    torch.testing.assert_close(rows[2].apply(again), alone[2].apply(again), rtol=1e-10, atol=1e-12)


def test_quadratics_take_the_same_courses() -> None:
    alone, together, rows = both(Function(spread), [normal(20, seed) for seed in range(5)], Budget(1e-9))
    for one, found in zip(alone, together, strict=True):
        assert found.status is one.status is Status.CONVERGED
        assert float((found.u - 1.0).norm()) <= 1e-9
        assert found.iterations == pytest.approx(one.iterations, abs=3)
        assert [row.iteration for row in found.history] == list(range(found.iterations + 1))
        assert found.history[0].objective == one.history[0].objective
        assert found.history[-1].gradient_norm == pytest.approx(found.gradient_norm)
        assert 0.3 * one.error_estimate <= found.error_estimate <= 3.0 * one.error_estimate + 1e-18
    assert sum(rows.sizes) == sum(found.evaluations for found in together)
    assert len(rows.sizes) == max(found.evaluations for found in together)
    assert rows.sizes == sorted(rows.sizes, reverse=True), "what has ended leaves"


def test_one_alone_is_a_batch_of_one() -> None:
    alone, together, rows = both(Function(rosenbrock), [vector(-1.2, 1.0)], Budget(1e-10))
    assert together[0].objective == pytest.approx(alone[0].objective, abs=1e-18)
    assert set(rows.sizes) == {1}
    assert minimise_together(rows, [], Budget()) == []


def test_one_that_diverges_and_one_that_is_there_leave_the_others_alone() -> None:
    starts = [vector(-1.2, 1.0), vector(math.nan, 0.0), vector(1.0, 1.0), vector(2.0, 0.5)]
    _, together, rows = both(Function(rosenbrock), starts, Budget(1e-10))
    assert [found.status for found in together] == [
        Status.CONVERGED,
        Status.DIVERGED,
        Status.CONVERGED,
        Status.CONVERGED,
    ]
    assert together[1].error_estimate == math.inf
    assert together[1].history == []
    assert (together[2].evaluations, together[2].iterations) == (1, 0)
    assert all(found.objective <= 1e-18 for found in (together[0], together[2], together[3]))
    assert rows.sizes[:2] == [4, 2]


def test_each_has_its_own_limit_of_iterations() -> None:
    starts = [vector(-1.2, 1.0), vector(1.0 + 1e-7, 1.0)]
    _, together, _ = both(Function(rosenbrock), starts, Budget(1e-5, max_iterations=6))
    assert (together[0].status, together[0].iterations) == (Status.MAX_ITERATIONS, 6)
    assert together[1].status is Status.CONVERGED
    assert together[1].iterations < 6


def test_a_deadline_ends_all_of_them() -> None:
    budget = Budget(1e-10, deadline=time.monotonic() - 1.0)
    _, together, rows = both(Function(rosenbrock), [vector(-1.2, 1.0), vector(3.0, 1.0)], budget)
    assert [(found.status, found.iterations) for found in together] == [(Status.TIME_LIMIT, 0)] * 2
    assert rows.sizes == [2]


def test_an_exception_of_one_observer_passes_through() -> None:
    class EnoughError(Exception):
        pass

    seen: list[HistoryRow] = []

    def stop(row: HistoryRow) -> None:
        if row.iteration == 2:
            raise EnoughError

    with pytest.raises(EnoughError):
        both(Function(rosenbrock), [vector(-1.2, 1.0), vector(3.0, 1.0)], Budget(1e-10), [seen.append, stop])
    assert [row.iteration for row in seen] in ([0, 1], [0, 1, 2])


def test_observers_see_their_own_history() -> None:
    seen: list[list[HistoryRow]] = [[], []]
    observers = [rows.append for rows in seen]
    _, together, _ = both(Function(rosenbrock), [vector(-1.2, 1.0), vector(3.0, 1.0)], Budget(1e-9), observers)
    assert [found.history for found in together] == seen


def test_newton_takes_over_for_the_one_that_needs_it() -> None:
    """Values off by 1e-12 hide the last descent; products with the Hessian are that start's own."""

    def noisy(u: Tensor) -> Tensor:
        return rosenbrock(u) + 1e-12 * torch.frac(1e9 * u.detach().sum())

    _, together, _ = both(Function(noisy), [vector(-1.0, 1.0), vector(1.0, 1.0)], Budget(1e-10))
    assert [found.status for found in together] == [Status.CONVERGED] * 2
    assert together[0].hessian_products > 0
    assert together[1].hessian_products == 0


def test_each_takes_its_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that only evaluations move, by one: the last on its way alone takes all of it."""
    now = 0.0

    class Slow(Rows):
        def evaluate(self, U: Tensor) -> list[Evaluation]:
            nonlocal now
            now += 1.0
            return super().evaluate(U)

    monkeypatch.setattr(together_module, "time", SimpleNamespace(monotonic=lambda: now))
    rows = Slow(Function(rosenbrock), [])
    found = minimise_together(rows, [vector(-1.2, 1.0), vector(1.0, 1.0), vector(3.0, 1.0)], Budget(1e-9))
    assert found[1].wall_time_s == pytest.approx(1 / 3)
    assert sum(each.wall_time_s for each in found) == pytest.approx(len(rows.sizes))
    shares = sum(1.0 / size for size in rows.sizes[: found[0].evaluations])
    assert found[0].wall_time_s == pytest.approx(shares)


@pytest.mark.parametrize(("activation", "count"), [("tanh", 16), ("relu", 4)])
def test_starts_of_two_moons(activation: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same minima as one by one, in as many evaluations of all as the longest takes."""
    problem = known_answers.two_moons(activation=activation)
    network = ResidualNetwork(problem, 4)
    generator = torch.Generator().manual_seed(0)
    starts = [network.random(generator, 0.5) for _ in range(count)]
    budget = Budget(1e-6 if problem.smooth else 1e-4, smooth=problem.smooth)
    batch = BatchedObjective.of(network)
    assert batch is not None
    calls: list[int] = []
    real = BatchedObjective.evaluate

    def counted(self: BatchedObjective, U: Tensor) -> list[Evaluation]:
        calls.append(len(U))
        return real(self, U)

    monkeypatch.setattr(BatchedObjective, "evaluate", counted)
    floor = problem.curvature_floor
    together = minimise_together(batch, starts, budget, curvature_floor=floor)
    assert len(calls) == max(found.evaluations for found in together)
    assert sum(calls) == sum(found.evaluations for found in together) > count / 2 * len(calls)
    alone = [minimise(network, start, budget, curvature_floor=floor) for start in starts]
    assert [found.status for found in together] == [one.status for one in alone]
    if problem.smooth:
        for one, found in zip(alone, together, strict=True):
            assert found.objective == pytest.approx(one.objective, rel=1e-7)
        assert len(calls) <= 1.3 * max(one.evaluations for one in alone)
        return
    lowest = min(one.objective for one in alone)
    assert min(found.objective for found in together) == pytest.approx(lowest, rel=0.02), "kinks tell roundings apart"


def test_single_precision() -> None:
    network = ResidualNetwork(known_answers.odd_pair("tanh", torch.float32), 16)
    generator = torch.Generator().manual_seed(0)
    batch = BatchedObjective.of(network)
    assert batch is not None
    starts = [network.random(generator, 0.5) for _ in range(4)]
    for found in minimise_together(batch, starts, Budget(1e-4), curvature_floor=0.1):
        assert found.status is Status.CONVERGED
        assert found.u.dtype is torch.float32
        assert found.objective == pytest.approx(known_answers.C.minima[16], abs=2e-5)


def test_solutions_keep_nothing_of_the_batch() -> None:
    _, together, _ = both(Function(rosenbrock), [vector(-1.2, 1.0), vector(3.0, 1.0)], Budget(1e-9))
    for found in together:
        for array in (found.u, found.evaluation.gradient):
            assert array.untyped_storage().nbytes() == array.numel() * array.element_size()
