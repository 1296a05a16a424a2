"""Minimising from many starts at once: each has the course that it would have alone, only evaluations are shared."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from deeplimit.mathematics.journal import begin_step
from deeplimit.mathematics.minimise.course import Ask, Course, Descent, Heading, Reached, Trial
from deeplimit.mathematics.minimise.driver import course
from deeplimit.mathematics.minimise.inverse_hessians import InverseHessians, Row
from deeplimit.mathematics.minimise.kept import solution_of, solution_value
from deeplimit.mathematics.minimise.lbfgs import MEMORY, InverseHessian
from deeplimit.mathematics.minimise.solution import Budget, Objective, Observer, Solution, Status
from deeplimit.mathematics.model.objective import Evaluation


class Batch(Protocol):
    """What can be evaluated at many points at once."""

    @property
    def single(self) -> Objective:
        """The same objective, at one point at a time."""

    def evaluate(self, U: Tensor) -> list[Evaluation]:
        """Return value and gradient at each row of U."""


def minimise_together(
    objective: Batch,
    starts: Sequence[Tensor],
    budget: Budget,
    observers: Sequence[Observer] | None = None,
    *,
    curvature_floor: float = 0.0,
    memory: int = MEMORY,
) -> list[Solution]:
    """Minimise from every start; see `minimise`.

    What has ended takes no further part. The wall time of each is its own, and its share of the evaluations that it
    had part in.

    Parameters
    ----------
    observers
        One for each start.
    memory
        Pairs that each keeps.
    """
    if not starts:
        return []
    step = begin_step("minimise_together", *starts)
    if step.done is not None:
        return [solution_of(value, InverseHessian()) for value in step.done]
    watching: Sequence[Observer | None] = observers or [None] * len(starts)
    inverses = InverseHessians(len(starts), starts[0], memory)
    courses = {
        row: course(objective.single, start, budget, observer, curvature_floor=curvature_floor, inverse=row)
        for row, start, observer in zip(inverses.rows, starts, watching, strict=True)
    }
    solutions = _Together(objective, inverses, courses).run()
    if all(solution.status is not Status.TIME_LIMIT for solution in solutions):
        step.ended([solution_value(solution) for solution in solutions])
    return solutions


_Ask = TypeVar("_Ask", Trial, Descent)


class _Together:
    """The courses of a batch, each known by its row."""

    def __init__(self, objective: Batch, inverses: InverseHessians, courses: dict[Row, Course[Solution]]) -> None:
        self.objective, self.inverses, self.courses = objective, inverses, courses
        self.spent = dict.fromkeys(courses, 0.0)
        self.found: dict[Row, Solution] = {}
        self.asked: dict[Row, Ask] = {}

    def run(self) -> list[Solution]:
        for row in self.courses:
            self.go_on(row, None)
        while self.asked:
            descents = {row: ask for row, ask in self.asked.items() if isinstance(ask, Descent)}
            if descents:
                self.answer(descents, self.head)
            trials = {row: ask for row, ask in self.asked.items() if isinstance(ask, Trial)}
            if trials:
                self.answer(trials, self.reach)
            if self.asked and len(self.asked) < len(self.inverses.rows):
                self.inverses.keep(list(self.asked))
        return [_own(self.found[row], self.spent[row]) for row in self.courses]

    def answer(self, asks: dict[Row, _Ask], together: Callable[[dict[Row, _Ask]], Sequence[object]]) -> None:
        """Answer what courses have asked for, all at once; each is told its own, and takes its share of the time."""
        begun = time.monotonic()
        told = together(asks)
        share = (time.monotonic() - begun) / len(asks)
        for row, answer in zip(asks, told, strict=True):
            self.spent[row] += share
            self.go_on(row, answer)

    def go_on(self, row: Row, answer: object) -> None:
        """Let a course go on to what it asks for next, or to its end."""
        begun = time.monotonic()
        try:
            self.asked[row] = self.courses[row].send(answer)
        except StopIteration as ended:
            self.found[row] = ended.value
            self.asked.pop(row, None)
        self.spent[row] += time.monotonic() - begun

    def head(self, descents: dict[Row, Descent]) -> list[Heading]:
        return self.inverses.headings(list(descents), [descent.g for descent in descents.values()])

    def reach(self, asks: dict[Row, Trial]) -> list[Reached]:
        trials = asks.values()
        points, slopes = torch.stack([trial.u for trial in trials]), [0.0] * len(trials)
        along = _directions(trials)
        if along is not None:
            steps = [trial.step for trial in trials]
            whole = steps.count(1.0) == len(steps)  # as most are
            points += along if whole else points.new_tensor(steps).unsqueeze(1) * along
        evaluations = self.objective.evaluate(points)
        if along is not None:
            slopes = along.mul_(torch.stack([evaluation.gradient for evaluation in evaluations])).sum(1).tolist()
        return list(map(Reached, points.unbind(0), evaluations, slopes))


def _directions(trials: Collection[Trial]) -> Tensor | None:
    """Return the directions of trials, 0 for one without, or None where no trial has one."""
    directions = [trial.direction for trial in trials]
    nothing = next((torch.zeros_like(direction) for direction in directions if direction is not None), None)
    if nothing is None:
        return None
    return torch.stack([nothing if direction is None else direction for direction in directions])


def _own(solution: Solution, seconds: float) -> Solution:
    """Return a solution with its time, and with arrays of its own: rows of a batch would keep all of it."""
    evaluation = replace(solution.evaluation, gradient=solution.evaluation.gradient.clone())
    return replace(solution, u=solution.u.clone(), evaluation=evaluation, wall_time_s=seconds)
