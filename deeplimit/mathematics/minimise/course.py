"""What the course of a minimisation asks for, and what it is told: so that one course serves alone or beside others.

A course is a generator. It yields a ``Trial`` wherever it needs E at a new point and is sent what was ``Reached``; it
yields a ``Descent`` wherever it needs a quasi-Newton direction and is sent a ``Heading``; and it returns its result.
Whether one is answered or many at once is not its concern. Where the time ends before it is answered,
``OutOfTimeError`` is raised in it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple, Protocol, TypeVar

from torch import Tensor

from deeplimit.mathematics.minimise.lbfgs import InverseHessian, Point
from deeplimit.mathematics.model.objective import Evaluation
from deeplimit.mathematics.watch import OutOfTimeError


class Inverse(Protocol):
    """What is known of the inverse Hessian."""

    @property
    def known(self) -> bool:
        """Whether anything is known of the Hessian, so that a step of length 1 is worth a trial."""

    def learn(self, before: Point, after: Point) -> None:
        """Take in a step and the change of the gradient along it."""

    def took(self, trials: int) -> None:
        """Be told how many trials a step took."""

    def clear(self) -> None:
        """Forget every pair, and what was known before any."""

    def apply(self, g: Tensor) -> Tensor:
        """Return H g."""

    def alone(self) -> InverseHessian:
        """Return it with arrays that nothing else shares."""


class Trial(NamedTuple):
    """The point u + step · direction; u itself without a direction."""

    u: Tensor
    direction: Tensor | None = None
    step: float = 1.0

    @property
    def point(self) -> Tensor:
        """Where E is asked for."""
        return self.u if self.direction is None else self.u + self.step * self.direction


class Reached(NamedTuple):
    """A point, E there, and the slope of E along the direction in which it was tried (0 without one)."""

    u: Tensor
    evaluation: Evaluation
    slope: float


class Descent(NamedTuple):
    """The direction −H g, with the inverse Hessian H at a point of gradient g."""

    inverse: Inverse
    g: Tensor

    def heading(self) -> Heading:
        """Return it alone."""
        direction = -self.inverse.apply(self.g)
        return Heading(direction, float(self.g @ direction))


class Heading(NamedTuple):
    """A direction, and the slope of E along it."""

    direction: Tensor
    slope: float


_Result = TypeVar("_Result")
Ask = Trial | Descent
Course = Generator[Ask, Any, _Result]
"""What asks, and returns a result; ``Reached`` is sent to a trial, ``Heading`` to a descent."""


def reach(evaluate: Callable[[Tensor], Evaluation], trial: Trial) -> Reached:
    """Evaluate one trial."""
    point = trial.point
    evaluation = evaluate(point)
    slope = 0.0 if trial.direction is None else float(evaluation.gradient @ trial.direction)
    return Reached(point, evaluation, slope)


def run(course: Course[_Result], evaluate: Callable[[Tensor], Evaluation]) -> _Result:
    """Run one course to its end by itself."""
    try:
        ask = next(course)
        while True:
            try:
                told = ask.heading() if isinstance(ask, Descent) else reach(evaluate, ask)
            except OutOfTimeError as over:
                ask = course.throw(over)
            else:
                ask = course.send(told)
    except StopIteration as ended:
        result: _Result = ended.value
        return result
