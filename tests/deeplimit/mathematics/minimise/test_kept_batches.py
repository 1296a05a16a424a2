"""A batch of minimisations that was broken off goes on where it was: to the last bit, and with nothing done twice."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
import torch

from deeplimit.mathematics.journal import journaled
from deeplimit.mathematics.minimise import Budget, HistoryRow, Solution, Status, minimise_together
from deeplimit.mathematics.model.batched_objective import BatchedObjective
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from tests.deeplimit.mathematics.minimise.test_minimise import Function, rosenbrock, vector
from tests.deeplimit.mathematics.test_journal import Journal
from tests.support import known_answers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from deeplimit.mathematics.minimise.together import Batch
    from deeplimit.mathematics.model.objective import Evaluation


class Killed(BaseException):
    """Ends an attempt at once."""


class Counted:
    """A batch whose rounds are counted; a kill is in a round, or below 0 in what an observer sees."""

    def __init__(self, batch: Batch, kill: int) -> None:
        self.single, self.batch, self.kill = batch.single, batch, kill
        self.rounds = self.observed = 0

    def evaluate(self, U: Tensor) -> list[Evaluation]:
        self.rounds += 1
        if self.rounds == self.kill:
            raise Killed
        return self.batch.evaluate(U)

    def observe(self, _: HistoryRow) -> None:
        self.observed += 1
        if self.observed == -self.kill:
            raise Killed


class Rows:
    """A function at many points, one after the other."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.single = Function(function)

    def evaluate(self, U: Tensor) -> list[Evaluation]:
        return [self.single.evaluate(u) for u in U]


def noisy(u: Tensor) -> Tensor:
    """Hide the last descent, so that Newton's method takes over."""
    return rosenbrock(u) + 1e-12 * torch.frac(1e9 * u.detach().sum())


def moons(activation: str, count: int) -> tuple[Batch, list[Tensor], Budget]:
    problem = known_answers.two_moons(activation=activation)
    network = ResidualNetwork(problem, 4)
    generator = torch.Generator().manual_seed(0)
    batch = BatchedObjective.of(network)
    assert batch is not None
    budget = Budget(1e-6 if problem.smooth else 1e-4, smooth=problem.smooth)
    return batch, [network.random(generator, 0.5) for _ in range(count)], budget


BATCHES: dict[str, Callable[[], tuple[Batch, list[Tensor], Budget]]] = {
    "some end early": lambda: (
        Rows(rosenbrock),
        [vector(-1.2, 1.0), vector(float("nan"), 0.0), vector(1.0, 1.0), vector(2.0, 0.5), vector(3.0, 1.0)],
        Budget(1e-10),
    ),
    "Newton for one": lambda: (Rows(noisy), [vector(-1.0, 1.0), vector(1.0, 1.0)], Budget(1e-10)),
    "two moons": lambda: moons("tanh", 4),
    "kinks": lambda: moons("relu", 3),
}


def bits(solutions: Sequence[Solution]) -> str:
    digest = hashlib.sha256()
    for found in solutions:
        digest.update(found.u.numpy().tobytes())
        counts = (found.iterations, found.evaluations, found.hessian_products, found.status)
        digest.update(repr((counts, found.error_estimate, found.history)).encode())
    return digest.hexdigest()


def attempt(name: str, kill: int, written: bytes | None = None) -> tuple[list[Solution] | None, Counted, bytes]:
    batch, starts, budget = BATCHES[name]()
    counted, journal = Counted(batch, kill), Journal(written)
    try:
        with journaled(journal):
            found = minimise_together(counted, starts, budget, [counted.observe] * len(starts), memory=4)
    except Killed:
        return None, counted, journal.written()
    return found, counted, journal.written()


@pytest.mark.parametrize("name", BATCHES)
def test_it_goes_on_where_it_was_broken_off(name: str) -> None:
    whole, total, _ = attempt(name, 0)
    assert whole is not None
    for kill in range(1, total.rounds + 1, max(1, total.rounds // 7)):
        nothing, _, written = attempt(name, kill)
        found, after, _ = attempt(name, 0, written)
        assert nothing is None
        assert found is not None
        assert bits(found) == bits(whole), kill
        assert after.rounds == total.rounds - (kill - 1), "no round is done again"


@pytest.mark.parametrize("name", BATCHES)
def test_one_of_them_may_break_it_off_between_two_evaluations(name: str) -> None:
    whole, total, _ = attempt(name, 0)
    assert whole is not None
    for kill in range(1, total.observed + 1, max(1, total.observed // 7)):
        _, before, written = attempt(name, -kill)
        found, after, _ = attempt(name, 0, written)
        assert found is not None
        assert bits(found) == bits(whole), kill
        assert before.rounds + after.rounds == total.rounds


def test_it_may_be_broken_off_in_every_round() -> None:
    whole, total, _ = attempt("some end early", 0)
    found, written, attempts = None, None, 0
    while found is None:
        attempts += 1
        found, _, written = attempt("some end early", 2, written)
    assert whole is not None
    assert bits(found) == bits(whole)
    assert attempts == total.rounds
    assert [each.status for each in found].count(Status.DIVERGED) == 1
