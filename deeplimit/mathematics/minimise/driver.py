"""The course of one minimisation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from torch import Tensor

from deeplimit.mathematics.journal import Step, Value, begin_step
from deeplimit.mathematics.minimise.bundle import Bundle
from deeplimit.mathematics.minimise.course import Course, Descent, Heading, Inverse, Reached, Trial, run
from deeplimit.mathematics.minimise.kept import (
    evaluation_of,
    evaluation_value,
    history_of,
    history_value,
    solution_of,
    solution_value,
)
from deeplimit.mathematics.minimise.lbfgs import InverseHessian
from deeplimit.mathematics.minimise.line_search import search
from deeplimit.mathematics.minimise.newton_cg import newton_direction
from deeplimit.mathematics.minimise.solution import (
    Budget,
    HistoryRow,
    Objective,
    Observer,
    Solution,
    Status,
    gradient_norm,
    rounding,
)
from deeplimit.mathematics.model.objective import Evaluation
from deeplimit.mathematics.watch import OutOfTimeError, until

_WINDOW: Final = 50
"""Iterations over which a non-smooth E must still decrease."""
_FLAT_DECREASE: Final = 10.0
"""It is flat when the relative decrease over them is below this many gradient tolerances, or a few roundings."""
_SCALE_FLOOR: Final = 1e-3
"""Relative is to max(|E|, this)."""
_ROUNDINGS: Final = 4.0
"""A decrease below so many roundings of E is none."""
_NEWTON_STEPS: Final = 12
"""Newton's method converges quadratically from where it starts; what needs more steps stalls."""
_SHRINKS: Final = 0.9
"""A Newton step shrinks the gradient when it leaves at most this share of it."""
_NOISE: Final = 1e4
"""Roundings of E that a Newton step may seem to rise by."""
_LEAST_NORM: Final = 1e-300
"""What a gradient's norm is taken for where it is 0, to divide by."""


@dataclass(frozen=True)
class OtherStart:
    """A second start, which is tried unless ‖g‖ at the first is at most ``enough``.

    It is taken unless the first has the lower E and the lower ‖g‖.
    """

    u: Tensor
    enough: float = 0.0


def minimise(
    objective: Objective,
    start: Tensor,
    budget: Budget,
    observer: Observer | None = None,
    *,
    curvature_floor: float = 0.0,
    inverse: InverseHessian | None = None,
    other: OtherStart | None = None,
) -> Solution:
    """Minimise from ``start``.

    Parameters
    ----------
    curvature_floor
        A curvature below which the Hessian is not expected in directions that were never explored (2 min α for
        white coordinates); the error estimate never assumes more there.
    inverse
        What is known of the inverse Hessian; by default nothing. What is learnt of it is added.
    other
        A start to weigh against ``start``.

    Returns
    -------
    Solution
        Whatever happened, with its status; where the time was up before the start was evaluated, that start, of which
        nothing is known. Exceptions come only from the observer.
    """
    inverse = InverseHessian() if inverse is None else inverse
    step = begin_step("minimise", start, *([] if other is None else [other.u]))
    if step.done is not None:
        return solution_of(step.done, inverse)
    own = _Minimisation(objective, start, budget, observer or _unobserved, curvature_floor, inverse, step)
    with until(budget.last):
        solution = run(own.course(other), objective.evaluate)
    if solution.status is not Status.TIME_LIMIT:
        step.ended(solution_value(solution))
    return solution


def _unobserved(_: HistoryRow) -> None:
    """Let a minimisation go on."""


def course(
    objective: Objective,
    start: Tensor,
    budget: Budget,
    observer: Observer | None = None,
    *,
    curvature_floor: float = 0.0,
    inverse: Inverse,
    kept: Step,
) -> Course[Solution]:
    """Return the course of one minimisation, which asks for the evaluations that it needs; see `minimise`.

    ``kept`` is told how far it has come, but not what it came to; what an ``inverse`` of many has learnt is not part of
    that.
    """
    return _Minimisation(objective, start, budget, observer or _unobserved, curvature_floor, inverse, kept).course(None)


class _Minimisation:
    def __init__(
        self,
        objective: Objective,
        start: Tensor,
        budget: Budget,
        observer: Observer,
        curvature_floor: float,
        inverse: Inverse,
        kept: Step,
    ) -> None:
        self.objective, self.budget, self.observer = objective, budget, observer
        self.curvature_floor = curvature_floor
        self.started = time.monotonic()
        self.evaluations = self.iterations = self.products = 0
        self.history: list[HistoryRow] = []
        self.inverse = inverse
        self.bundle = Bundle()
        self.u = start.clone()
        self.now = Evaluation.unknown(self.u)
        self.kept = kept
        self.newton_steps: int | None = None

    def trial(self, direction: Tensor | None = None, step: float = 1.0) -> Course[Reached]:
        if self.history and self.budget.out_of_time():
            raise OutOfTimeError
        reached: Reached = yield Trial(self.u, direction, step)
        self.evaluations += 1
        if not self.budget.smooth:
            self.bundle.add(reached.u, reached.evaluation)
        return reached

    def descent(self) -> Course[Heading]:
        heading: Heading = yield Descent(self.inverse, self.now.gradient)
        return heading

    def course(self, other: OtherStart | None) -> Course[Solution]:
        try:
            if self.kept.begun is not None:
                self.restore(self.kept.begun)
            else:
                early = yield from self.begin(other)
                if early is not None:
                    return self.end(early)
            status = Status.STALLED
            if self.newton_steps is None:
                status = yield from self.quasi_newton()
            if status is Status.STALLED and self.budget.smooth:
                status = yield from self.newton()
        except OutOfTimeError:
            status = Status.TIME_LIMIT
        return self.end(status)

    def begin(self, other: OtherStart | None) -> Course[Status | None]:
        """Evaluate the start; return how the minimisation ends where nothing can be done from there."""
        self.now = (yield from self.trial()).evaluation
        if other is not None and not gradient_norm(self.now) <= other.enough:
            yield from self.weigh(other)
        if not math.isfinite(self.now.objective) or not math.isfinite(gradient_norm(self.now)):
            return Status.DIVERGED
        self.record()
        return None

    def weigh(self, other: OtherStart) -> Course[None]:
        """Take the other start, unless it is the worse one or there is no time to tell."""
        first, self.u = self.u, other.u.clone()
        try:
            second = (yield from self.trial()).evaluation
        except OutOfTimeError:
            self.u = first
            return
        if _lower(self.now, second):
            self.u = first
        else:
            self.now = second

    def quasi_newton(self) -> Course[Status]:
        """Run L-BFGS; STALLED when no step decreases E beyond rounding, twice."""
        while True:
            early = self.stop()
            if early is not None:
                return early
            if not self.budget.smooth and self.flat():
                return Status.STATIONARY_NONSMOOTH
            before = self.evaluations
            step = yield from self.step((yield from self.descent()))
            if step is None:
                if not self.inverse.known:
                    return Status.STALLED if self.budget.smooth else Status.STATIONARY_NONSMOOTH
                self.inverse.clear()
                self.keep()
                continue
            self.inverse.learn((self.u, self.now.gradient), (step.u, step.evaluation.gradient))
            self.inverse.took(self.evaluations - before)
            self.iterations += 1
            self.move(step)

    def newton(self) -> Course[Status]:
        """Run Newton-CG from where E's differences are rounding; steps are judged by the gradient."""
        for done in range(self.newton_steps or 0, _NEWTON_STEPS):
            self.newton_steps = done
            early = self.stop()
            if early is not None:
                return early
            self.keep()  # what quasi-Newton tried in vain counts as well
            hessian = self.objective.linearise(self.u)
            limit = self.budget.max_iterations - self.iterations - self.products
            product, precondition = self.guarded(hessian.hessian_product), self.preconditioner()
            newton = newton_direction(product, self.now.gradient, limit=limit, precondition=precondition)
            trial = yield from self.trial(newton.direction)
            evaluation = trial.evaluation
            shrinks = gradient_norm(evaluation) < _SHRINKS * gradient_norm(self.now)
            self.newton_steps = done + 1
            if shrinks and not newton.negative_curvature and evaluation.objective <= self.ceiling():
                self.move(trial)
                continue
            slope = float(self.now.gradient @ newton.direction)
            step = yield from self.step(Heading(newton.direction, slope))
            if step is None:
                return Status.STALLED
            self.move(step)
        return Status.CONVERGED if self.budget.reached(self.now) else Status.STALLED

    def step(self, heading: Heading) -> Course[Reached | None]:
        first = 1.0 if self.inverse.known else min(1.0, 1.0 / max(gradient_norm(self.now), _LEAST_NORM))
        return (yield from search(self.trial, self.now, heading, first_step=first, smooth=self.budget.smooth))

    def preconditioner(self) -> Callable[[Tensor], Tensor] | None:
        """Return what is known of the inverse Hessian, where a nearby model's is."""
        return self.inverse.apply if isinstance(self.inverse, InverseHessian) and self.inverse.initial else None

    def guarded(self, product: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """Count products and let the observer, or the deadline, interrupt a long solve."""

        def counted(v: Tensor) -> Tensor:
            if self.budget.out_of_time():
                raise OutOfTimeError
            self.products += 1
            self.observer(self.history[-1])
            return product(v)

        return counted

    def stop(self) -> Status | None:
        if self.budget.reached(self.now):
            return Status.CONVERGED
        if self.iterations + self.products >= self.budget.max_iterations:
            return Status.MAX_ITERATIONS
        return Status.TIME_LIMIT if self.budget.out_of_time() else None

    def flat(self) -> bool:
        """Whether E has stopped decreasing: the gradient at a kink never says so.

        Lewis and Overton's quasi-Newton iteration goes down in a staircase, so single steps would not do.
        """
        if len(self.history) <= _WINDOW:
            return False
        return self.history[-1 - _WINDOW].objective - self.now.objective <= self.negligible()

    def negligible(self) -> float:
        """Return the decrease of a non-smooth E that is not worth another window of iterations."""
        scale = max(abs(self.now.objective), _SCALE_FLOOR)
        return max(_ROUNDINGS * rounding(self.now), _FLAT_DECREASE * self.budget.gradient_tolerance * scale)

    def ceiling(self) -> float:
        """Return how high E may seem after a Newton step that shrinks the gradient along positive curvature.

        A residual that is a small difference of large numbers makes E noisier than its own size tells, and Newton's
        method starts where E's differences are noise.
        """
        return self.now.objective + _NOISE * rounding(self.now)

    def move(self, to: Reached) -> None:
        self.u, self.now = to.u, to.evaluation
        self.record()

    def record(self) -> None:
        row = HistoryRow(self.iterations, self.now.objective, self.now.terms, gradient_norm(self.now))
        self.history.append(row)
        self.keep()
        self.observer(row)

    def keep(self) -> None:
        """Let the journal keep what is known now; of the rest nothing changes before this is called again."""
        counts, newton, tried = (
            [self.iterations, self.evaluations, self.products],
            self.newton_steps,
            self.bundle.value(),
        )

        def value() -> Value:
            inverse = self.inverse
            return {
                "u": self.u,
                "now": evaluation_value(self.now),
                "counts": counts,
                "newton": newton,
                "seconds": time.monotonic() - self.started,
                "history": history_value(self.history),
                "bundle": tried,
                "inverse": inverse.value() if isinstance(inverse, InverseHessian) else None,
            }

        self.kept.going(value)

    def restore(self, value: Value) -> None:
        """Go on from what was known in another attempt."""
        self.u, self.now = value["u"], evaluation_of(value["now"])
        self.iterations, self.evaluations, self.products = value["counts"]
        self.newton_steps, self.history = value["newton"], history_of(value["history"])
        self.started -= value["seconds"]
        self.bundle.restore(value["bundle"])
        if isinstance(self.inverse, InverseHessian):
            self.inverse.restore(value["inverse"])

    def end(self, status: Status) -> Solution:
        return Solution(
            u=self.u,
            evaluation=self.now,
            status=status,
            error_estimate=self.error_estimate(),
            iterations=self.iterations,
            evaluations=self.evaluations,
            hessian_products=self.products,
            wall_time_s=time.monotonic() - self.started,
            history=self.history,
            inverse=self.inverse.alone() if self.budget.smooth and status.optimised else None,
        )

    def error_estimate(self) -> float:
        """Estimate E(u) minus the local minimum.

        Smooth: half the Newton decrement gᵀH⁻¹g, with the quasi-Newton H⁻¹ where it is known and the curvature floor
        where it is not. Non-smooth: what the bundle of the last points leaves open, with the curvature floor; the
        decrease over the latter half of the iterations, which bounds what is left when E decays like 1/k or faster; and
        never less than what counts as flat: a fit that starts near a kink has too short a history to say more.
        """
        if not self.history:  # the start is not finite, or there was no time to evaluate it
            return math.inf
        if self.budget.smooth:
            g = self.now.gradient
            decrement = 0.5 * float(g @ self.inverse.apply(g))
            floor = float(g @ g) / (2.0 * self.curvature_floor) if self.curvature_floor else 0.0
            return max(decrement, floor, rounding(self.now))
        half = self.history[len(self.history) // 2].objective
        left = self.bundle.gap(self.u, self.now, self.curvature_floor) if self.curvature_floor else 0.0
        return max(left, half - self.now.objective, self.negligible())


def _lower(one: Evaluation, other: Evaluation) -> bool:
    """Whether E and the norm of its gradient are lower at one start than at another; never at one that diverged."""
    return one.objective <= other.objective + rounding(other) and gradient_norm(one) < gradient_norm(other)
