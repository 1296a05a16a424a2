"""What the course of a minimisation asks for, and what it is told: so that one course serves alone or beside others.

A course is a generator. It yields a ``Trial`` wherever it needs E at a new point, is sent what was ``Reached``, and
returns its result. Who evaluates, one point or those of many courses at once, is not its concern.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from deeplimit.mathematics.model.objective import Evaluation


@dataclass(frozen=True)
class Trial:
    """The point u + step · direction; u itself without a direction."""

    u: Tensor
    direction: Tensor | None = None
    step: float = 1.0

    @property
    def point(self) -> Tensor:
        """Where E is asked for."""
        return self.u if self.direction is None else self.u + self.step * self.direction


@dataclass(frozen=True)
class Reached:
    """A point, E there, and the slope of E along the direction in which it was tried (0 without one)."""

    u: Tensor
    evaluation: Evaluation
    slope: float


_Result = TypeVar("_Result")
Course = Generator[Trial, Reached, _Result]
"""What asks for trials and returns a result."""


def reach(evaluate: Callable[[Tensor], Evaluation], trial: Trial) -> Reached:
    """Evaluate one trial."""
    point = trial.point
    evaluation = evaluate(point)
    slope = 0.0 if trial.direction is None else float(evaluation.gradient @ trial.direction)
    return Reached(point, evaluation, slope)


def run(course: Course[_Result], answer: Callable[[Trial], Reached]) -> _Result:
    """Run a course to its end, answering each trial by itself."""
    try:
        trial = next(course)
        while True:
            trial = course.send(answer(trial))
    except StopIteration as ended:
        result: _Result = ended.value
        return result
