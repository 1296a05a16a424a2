"""A study that was broken off at any evaluation goes on from its journal to the very same numbers."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

import pytest
import torch

from deeplimit.mathematics import ContinuumOptions, TrainedStudy, Training, train
from deeplimit.mathematics.journal import Step, Value, begin_step, journaled, kept
from deeplimit.mathematics.problem.learning_problem import Problem, Regularisation
from deeplimit.mathematics.watch import watched
from tests.support.small_problems import bifurcating, odd_pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from deeplimit.mathematics.study.branches import StationaryPoint


def wave(samples: int) -> Problem:
    """A problem whose vectors are so long that sums of their products are rounded by where these lie in memory."""
    x = torch.randn(samples, 2, generator=torch.Generator().manual_seed(0)).double()
    y = torch.sin(2.0 * x[:, :1]) + x[:, 1:].square()
    return Problem(x.numpy(), y.numpy(), state_dim=2, regularisation=Regularisation(dict.fromkeys("KbWc", 1e-2)))


STUDIES: dict[str, Callable[[], TrainedStudy]] = {
    "smooth": lambda: train(odd_pair("tanh"), (4, 8), ContinuumOptions(), Training(starts=2)),
    "with long vectors": lambda: train(wave(40), (4, 8, 16), ContinuumOptions(), Training(starts=1)),
    "with kinks": lambda: train(odd_pair("relu"), (4, 8), ContinuumOptions(), Training(starts=1)),
    "without carried curvature, to Newton's steps": lambda: train(
        odd_pair("tanh"), (4, 8), None, Training(gradient_tolerance=1e-15, starts=1, carry_curvature=False)
    ),
    "with a saddle": lambda: train(bifurcating(3.0), (4, 8), None, Training(starts=1)),
}


class Killed(BaseException):
    """Ends an attempt at once."""


class Journal:
    """Keeps everything in memory, from what another has written."""

    def __init__(self, written: bytes | None = None) -> None:
        self.steps: list[Any] = []
        self.under_way: Any = None
        if written is not None:
            self.steps, self.under_way = torch.load(io.BytesIO(written), weights_only=True)
        self.number = 0
        self.state: Callable[[], Value] | None = None
        self.key: list[Any] = []

    @property
    def recalls(self) -> bool:
        return self.number < len(self.steps) or self.under_way is not None

    def step(self, name: str, *of: Tensor) -> Step:
        digest = hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in of)).hexdigest()
        self.key, self.state = [self.number, name, digest], None
        step = Kept(self)
        if self.number < len(self.steps):
            key, step.done = self.steps[self.number]
            assert key == self.key, "another attempt comes to the same steps"
            self.number += 1
        elif self.under_way is not None and self.under_way[0] == self.key:
            step.begun, self.under_way = self.under_way[1], None
        return step

    def written(self) -> bytes:
        file = io.BytesIO()
        torch.save([self.steps, None if self.state is None else [self.key, self.state()]], file)
        return file.getvalue()


class Kept(Step):
    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def going(self, state: Callable[[], Value]) -> None:
        self.journal.state = state

    def ended(self, value: Value) -> None:
        self.journal.steps.append([self.journal.key, value])
        self.journal.number, self.journal.state = self.journal.number + 1, None


def numbers(found: TrainedStudy) -> str:
    """Return everything that is told of a study, to the last bit."""
    digest = hashlib.sha256()
    for branch in found.study.branches:
        points: list[StationaryPoint] = [point for _, point in sorted(branch.points.items())]
        points += [] if branch.continuum is None else [branch.continuum]
        for point in points:
            solution = point.solution
            digest.update(solution.u.numpy().tobytes())
            counts = (solution.iterations, solution.evaluations, solution.hessian_products, solution.status)
            digest.update(repr((counts, solution.error_estimate, solution.history, point.certificate)).encode())
    told = found.diagnostics
    digest.update(repr((told.minima, told.minimisers, told.consecutive, told.states, told.lift, told.verdict)).encode())
    digest.update(repr((told.classification, told.independent_check)).encode())
    return digest.hexdigest()


def attempt(study: Callable[[], TrainedStudy], kill: int, written: bytes | None = None) -> tuple[Any, int, bytes]:
    """Make one; return its numbers, or None where it was killed, the evaluations, and what its journal has."""
    journal, looks = Journal(written), 0

    def watch() -> None:
        nonlocal looks
        looks += 1
        if looks == kill:
            raise Killed

    try:
        with watched(watch), journaled(journal):
            return numbers(study()), looks, journal.written()
    except Killed:
        return None, looks, journal.written()


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_goes_on_from_wherever_it_was_broken_off(name: str) -> None:
    study = STUDIES[name]
    whole, total, _ = attempt(study, -1)
    assert numbers(study()) == whole, "a journal changes nothing"
    for kill in range(2, total, max(1, total // 5)):
        _, _, written = attempt(study, kill)
        found, looks, _ = attempt(study, -1, written)
        assert found == whole, kill
        assert looks <= total
    assert looks < 0.6 * total, "nearly all had been done"


def test_it_may_be_broken_off_again_and_again() -> None:
    study = STUDIES["smooth"]
    whole, total, _ = attempt(study, -1)
    found, written, attempts = None, None, 0
    while found is None:
        attempts += 1
        found, _, written = attempt(study, total // 2, written)
    assert found == whole
    assert attempts > 1


def test_without_a_journal_every_step_is_done() -> None:
    assert begin_step("anything").done is None
    assert kept("anything", [], lambda: 3.0) == 3.0
    with journaled(Journal()):
        assert kept("anything", [torch.ones(1)], lambda: 3.0) == 3.0
