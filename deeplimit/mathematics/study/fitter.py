"""Fits of one study: every network and every continuum model is minimised, and saddles left, the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeVar

import torch
from torch import Tensor

from deeplimit.mathematics.minimise import Budget, minimise, minimise_together
from deeplimit.mathematics.minimise.carried_inverse import KnownCurvature, inverse_hessian_of
from deeplimit.mathematics.minimise.certificate import NearbyEigenvector, carried_over
from deeplimit.mathematics.minimise.driver import OtherStart
from deeplimit.mathematics.minimise.lbfgs import InverseHessian
from deeplimit.mathematics.model.batched_objective import BatchedObjective
from deeplimit.mathematics.model.flow import ContinuumParameters, Flow
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.model.transfer import Model
from deeplimit.mathematics.problem.learning_problem import Problem
from deeplimit.mathematics.study.branches import BranchPoint, StationaryPoint
from deeplimit.mathematics.study.continuum_fit import (
    MOST_STEPS,
    Beginning,
    ContinuumFit,
    ContinuumOptions,
    fit_continuum,
)
from deeplimit.mathematics.study.expected_work import (
    CONTINUED,
    STAGES,
    evaluations_after,
    of_certificate,
    of_continuum,
    of_network,
)
from deeplimit.mathematics.study.progress import Meter
from deeplimit.mathematics.study.saddles import certified_at_once, settle
from deeplimit.mathematics.study.training import Training
from deeplimit.mathematics.watch import until

_Point = TypeVar("_Point", bound=StationaryPoint)
SHARPEN: Final = "sharpen"
"""What progress calls minimising on."""


class Fitter:
    """Minimises the models of one problem within one budget.

    Parameters
    ----------
    options
        How E_∞ is sought.
    meter
        Counts the work and reports progress.
    deadline
        In seconds of ``time.monotonic``; by default the training's wall time from now.
    """

    def __init__(
        self,
        problem: Problem,
        training: Training,
        meter: Meter,
        options: ContinuumOptions | None = None,
        deadline: float | None = None,
    ) -> None:
        self.budget = Budget(
            gradient_tolerance=training.gradient_tolerance,
            max_iterations=training.max_iterations,
            deadline=training.deadline() if deadline is None else deadline,
            smooth=problem.smooth,
        )
        self._problem, self._training, self._meter = problem, training, meter
        self._options = options or ContinuumOptions()
        self._floor = problem.curvature_floor

    @property
    def carries_curvature(self) -> bool:
        """Whether models begin with what was learnt of the Hessian of others."""
        return self._training.carry_curvature and self._problem.smooth

    def network(
        self,
        network: ResidualNetwork,
        start: Tensor,
        phase: str,
        work: float | None = None,
        *,
        near: StationaryPoint | None = None,
        other: OtherStart | None = None,
        tolerance: float = 0.0,
    ) -> BranchPoint:
        """Train one network from flat coordinates.

        Parameters
        ----------
        work
            In gradients of a layer, by default what `expected_work` says.
        near
            The minimum of a model nearby, whose Hessian is alike.
        other
            A start to weigh against ``start``.
        tolerance
            Of the gradient, where a larger one than the training's is enough.
        """
        work = self._expected(network, near) if work is None else work
        budget = replace(self.budget, gradient_tolerance=max(tolerance, self.budget.gradient_tolerance))
        observer = self._meter.fit(phase, f"discrete-{network.depth}", work, budget.gradient_tolerance)
        if self.budget.out_of_time():
            near = other = None
        inverse = self._inverse(network, near)
        solution = minimise(network, start, budget, observer, curvature_floor=self._floor, inverse=inverse, other=other)
        self._meter.finish(work)
        return BranchPoint(network, network.parameters(solution.u), solution)

    def networks(
        self, network: ResidualNetwork, starts: Sequence[Tensor], phase: str, work: float | None = None
    ) -> Iterator[list[BranchPoint]]:
        """Train one network from several starts, as many at once as is worth it; ``work`` is that of each."""
        batch = BatchedObjective.of(network)
        together = 1 if batch is None else batch.sets_at_once()
        for first in range(0, len(starts), together):
            some = starts[first : first + together]
            if batch is None or len(some) == 1:
                yield [self.network(network, start, phase, work) for start in some]
            else:
                yield self._batch(batch, network, some, phase, work)

    def _batch(
        self,
        batch: BatchedObjective,
        network: ResidualNetwork,
        starts: Sequence[Tensor],
        phase: str,
        work: float | None,
    ) -> list[BranchPoint]:
        total, name = len(starts) * (self._expected(network) if work is None else work), f"discrete-{network.depth}"
        observers = self._meter.fits(phase, name, total, self.budget.gradient_tolerance, len(starts))
        memory = self._inverse(network).memory
        solutions = minimise_together(batch, starts, self.budget, observers, curvature_floor=self._floor, memory=memory)
        self._meter.finish(total)
        return [BranchPoint(network, network.parameters(solution.u), solution) for solution in solutions]

    def _expected(self, network: ResidualNetwork, near: StationaryPoint | None = None) -> float:
        carried = near is not None and self.carries_curvature
        before = near.solution.evaluations if near is not None and isinstance(near.model, ResidualNetwork) else 0
        return of_network(network.depth, evaluations_after(before, carried=carried))

    def _inverse(self, model: Model, near: StationaryPoint | None = None) -> InverseHessian:
        if not self.carries_curvature:
            return InverseHessian()
        return inverse_hessian_of(model, None if near is None else KnownCurvature(near.model, near.solution.inverse))

    def continuum(
        self,
        start: ContinuumParameters | torch.Generator | tuple[Flow, Tensor],
        phase: str = "continuum",
        *,
        near: StationaryPoint | None = None,
        predict: Callable[[Flow], Tensor | None] | None = None,
    ) -> ContinuumFit:
        """Fit one continuum model from what `fit_continuum` takes; ``near`` as for a network."""
        carried = self.carries_curvature and near is not None and phase != SHARPEN
        work = of_continuum(carried=carried) * (CONTINUED if phase == SHARPEN else 1.0)
        observer = self._meter.fit(phase, "continuum", work, self.budget.gradient_tolerance)
        scale = self._training.start_scale
        known = None if near is None else KnownCurvature(near.model, near.solution.inverse)
        begin = Beginning(start, predict, known, carry=self.carries_curvature, scale=scale)
        fit = fit_continuum(self._problem, begin, self._options, self.budget, observer)
        self._meter.finish(work)
        return fit

    def sharpen(self, point: BranchPoint) -> BranchPoint:
        """Minimise on from a network's solution; what does not end better than it began is left as it was."""
        work = CONTINUED * self._expected(point.network)
        found = self.network(point.network, point.solution.u, SHARPEN, work, near=point)
        return _continued(found, point) if _better(found, point) else point

    def sharpen_continuum(self, fit: ContinuumFit, refine: int = 1) -> ContinuumFit:
        """Minimise, and refine, on from a continuum model, from ``refine`` times its steps as far as those are made."""
        flow = fit.flow
        if refine * flow.steps <= MOST_STEPS:
            flow = Flow(flow.problem, flow.basis, refine * flow.steps)
        found = self.continuum((flow, fit.solution.u), SHARPEN, near=fit)
        return _continued(found, fit) if _better(found, fit) else fit

    def settle(
        self, point: BranchPoint, phase: str, near: NearbyEigenvector | None = None
    ) -> tuple[BranchPoint, list[BranchPoint]]:
        """Leave a network's saddle, as `saddles.settle` does."""

        def again(left: BranchPoint, start: Tensor) -> BranchPoint:
            return self.network(left.network, start, phase)

        work = _certifying(point.network, point.depth, first=near is None)
        stop = self._meter.ticking(phase, point.name, point.solution, work, self.budget.out_of_time)
        with until(self.budget.last):
            found = settle(point, again, near=near, stop=stop)
        self._meter.finish(work)
        return found

    def settle_continuum(
        self, fit: ContinuumFit, near: NearbyEigenvector | None = None
    ) -> tuple[ContinuumFit, list[ContinuumFit]]:
        """Leave a saddle of the continuum, as `saddles.settle` does."""

        def again(left: ContinuumFit, start: Tensor) -> ContinuumFit:
            return self.continuum((left.flow, start))

        work = _certifying(fit.flow, STAGES, first=near is None)
        stop = self._meter.ticking("continuum", fit.name, fit.solution, work, self.budget.out_of_time)
        with until(self.budget.last):
            found = settle(fit, again, near=near, stop=stop)
        self._meter.finish(work)
        return found


def _certifying(model: Model, layers: float, *, first: bool) -> float:
    """Return the expected work of leaving a saddle, if there is one."""
    return of_certificate(layers, first=first) if certified_at_once(model) else 0.0


def _better(found: StationaryPoint, before: StationaryPoint) -> bool:
    """Whether a minimisation that was continued ended well, and no less sharply than it began."""
    return found.solution.status.optimised and found.solution.error_estimate <= before.solution.error_estimate


def _continued(found: _Point, before: _Point) -> _Point:
    """Return what was minimised on, with the work and the certificate of what it began from."""
    found.certificate = carried_over(before.certificate, found.solution)
    found.solution = found.solution.after([before.solution])
    return found
