"""Minimising from many starts at once: each has the course that it would have alone, only evaluations are shared.

How far all of them have come is told to the journal before every evaluation: for each start where its course last
stood, and what it was told since. So another attempt asks for the very same batch next, whose roundings might depend on
who is in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from deeplimit.mathematics.journal import Step, Value, begin_step
from deeplimit.mathematics.minimise.course import Ask, Course, Descent, Heading, Reached, Trial
from deeplimit.mathematics.minimise.driver import course
from deeplimit.mathematics.minimise.inverse_hessians import InverseHessians, Row
from deeplimit.mathematics.minimise.kept import evaluation_of, evaluation_value, solution_of, solution_value
from deeplimit.mathematics.minimise.lbfgs import MEMORY, InverseHessian
from deeplimit.mathematics.minimise.solution import Budget, Objective, Observer, Solution, Status
from deeplimit.mathematics.model.objective import Evaluation
from deeplimit.mathematics.watch import OutOfTimeError, until


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
    inverses, members = InverseHessians(len(starts), starts[0], memory), []
    watching: Sequence[Observer | None] = observers or [None] * len(starts)
    known = [None] * len(starts) if step.begun is None else step.begun["members"]
    for row, start, observer, begun in zip(inverses.rows, starts, watching, known, strict=True):
        kept = _Kept(begun)
        going = course(
            objective.single, start, budget, observer, curvature_floor=curvature_floor, inverse=row, kept=kept
        )
        members.append(_Member(row, going, kept))
    together = _Together(objective, inverses, members, step)
    if step.begun is not None:
        together.restore(step.begun)
    with until(budget.last):
        solutions = together.run()
    if all(solution.status is not Status.TIME_LIMIT for solution in solutions):
        step.ended([solution_value(solution) for solution in solutions])
    return solutions


_Ask = TypeVar("_Ask", Trial, Descent)


class _Kept(Step):
    """Where one course stood when it last said so, and what it was told since."""

    def __init__(self, known: Value | None) -> None:
        self.told: list[Heading | Reached] = []
        self.before: list[Heading | Reached] = []
        """What it is to be told again by another attempt."""
        if known is not None:
            self.begun = known["stood"]
            self.before = [_answer_of(value) for value in known["told"]]
        self._state: Callable[[], Value | None] = lambda: self.begun

    def going(self, state: Callable[[], Value]) -> None:
        self.told, self._state = [], state

    def value(self) -> Value:
        return {"stood": self._state(), "told": [_answer_value(answer) for answer in self.told]}


@dataclass
class _Member:
    """One start of a batch: its course, what it has asked for, and what it has found."""

    row: Row
    course: Course[Solution]
    kept: _Kept
    asked: Ask | None = None
    found: Solution | None = None
    spent: float = 0.0

    def go_on(self, answer: Heading | Reached | OutOfTimeError | None) -> None:
        """Go on to what is asked for next, or to the end."""
        begun = time.monotonic()
        try:
            if isinstance(answer, OutOfTimeError):
                self.asked = self.course.throw(answer)
            else:
                if answer is not None:
                    self.kept.told.append(answer)
                self.asked = self.course.send(answer)
        except StopIteration as ended:
            self.found, self.asked = ended.value, None
        self.spent += time.monotonic() - begun

    def value(self) -> Value:
        if self.found is not None:
            return {"found": solution_value(self.found), "spent": self.spent, "stood": None, "told": []}
        return {"found": None, "spent": self.spent, "row": self.row.value(), **self.kept.value()}


class _Together:
    """The members of a batch."""

    def __init__(self, objective: Batch, inverses: InverseHessians, members: Sequence[_Member], step: Step) -> None:
        self.objective, self.inverses, self.members, self.step = objective, inverses, members, step

    def run(self) -> list[Solution]:
        for member in self.active():
            member.go_on(None)
            for answer in member.kept.before:
                if member.found is None:  # the time may be over by now
                    member.go_on(answer)
        while active := self.active():
            if len(active) < len(self.inverses.rows):
                self.inverses.keep([member.row for member in active])
            self.step.going(self.value)
            self.answer(active, Descent, self.head)
            self.answer(active, Trial, self.reach)
        return [_own(member) for member in self.members]

    def active(self) -> list[_Member]:
        return [member for member in self.members if member.found is None]

    def answer(
        self,
        members: Sequence[_Member],
        kind: type[_Ask],
        together: Callable[[Sequence[_Member], Sequence[_Ask]], list[Any]],
    ) -> None:
        """Answer those who ask for one thing, all at once; each is told its own, and takes its share of the time.

        All are told even where one fails, so that all have come as far when another attempt goes on.
        """
        asking = [member for member in members if isinstance(member.asked, kind)]
        if not asking:
            return
        begun = time.monotonic()
        told: Sequence[Any]
        try:
            told = together(asking, [member.asked for member in asking if isinstance(member.asked, kind)])
        except OutOfTimeError as over:
            told = [over] * len(asking)
        share = (time.monotonic() - begun) / len(asking)
        failures = []
        for member, answer in zip(asking, told, strict=True):
            member.spent += share
            try:
                member.go_on(answer)
            except BaseException as failure:  # whatever it is, it is raised below  # noqa: BLE001
                failures.append(failure)
        if failures:
            raise failures[0]

    def value(self) -> Value:
        rows = [member.row for member in self.active()]
        return {"members": [member.value() for member in self.members], "inverses": self.inverses.value(rows)}

    def restore(self, value: Value) -> None:
        """Take over how far another attempt had come."""
        for member, known in zip(self.members, value["members"], strict=True):
            member.spent = known["spent"]
            if known["found"] is not None:
                member.found = solution_of(known["found"], InverseHessian())
            else:
                member.row.restore(known["row"])
        self.inverses.restore(value["inverses"], [member.row for member in self.active()])

    def head(self, members: Sequence[_Member], descents: Sequence[Descent]) -> list[Heading]:
        return self.inverses.headings([member.row for member in members], [descent.g for descent in descents])

    def reach(self, _: Sequence[_Member], trials: Sequence[Trial]) -> list[Reached]:
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


def _own(member: _Member) -> Solution:
    """Return a solution with its time, and with arrays of its own: rows of a batch would keep all of it."""
    solution = member.found
    assert solution is not None  # noqa: S101 - for the type checker: it has ended
    evaluation = replace(solution.evaluation, gradient=solution.evaluation.gradient.clone())
    return replace(solution, u=solution.u.clone(), evaluation=evaluation, wall_time_s=member.spent)


def _answer_value(answer: Heading | Reached) -> Value:
    if isinstance(answer, Heading):
        return answer._asdict()
    return {**answer._asdict(), "evaluation": evaluation_value(answer.evaluation)}


def _answer_of(value: Value) -> Heading | Reached:
    return (
        Heading(**value)
        if "direction" in value
        else Reached(**{**value, "evaluation": evaluation_of(value["evaluation"])})
    )
