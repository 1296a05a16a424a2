"""Minimising a branch more sharply than was asked, where its orders need it.

How sharply a study has to be minimised is only known when the errors at its depths are: a distance of 1e-4 takes
gradients of 1e-5 times the least curvature to be known to a tenth, whatever seemed a sane tolerance before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import torch

from deeplimit.mathematics.problem.learning_problem import Problem
from deeplimit.mathematics.study.branches import Branch
from deeplimit.mathematics.study.continuum_fit import ContinuumOptions
from deeplimit.mathematics.study.expected_work import of_sharpening
from deeplimit.mathematics.study.fitter import Fitter
from deeplimit.mathematics.study.progress import Meter, ProgressObserver, Stage
from deeplimit.mathematics.study.training import Training

_ROUNDINGS: Final = 1e3
"""Gradients are not asked to be smaller than so many roundings."""


@dataclass(frozen=True)
class Tolerances:
    """How sharply a branch is minimised: of gradients, relative to max(1, |E|), and of E_∞, relative to it."""

    gradient: float
    continuum: float | None

    @classmethod
    def asked(cls, training: Training, continuum: ContinuumOptions | None) -> Tolerances:
        """Return what a study was asked for."""
        return cls(training.gradient_tolerance, None if continuum is None else continuum.tolerance)

    def times(self, factor: float, problem: Problem) -> Tolerances:
        """Return tolerances at which distances are known a ``factor`` ≤ 1 better.

        Distances err like the gradient, and like the root of what E_∞ errs by. Neither falls below what rounding
        leaves to be had.
        """
        least = _ROUNDINGS * torch.finfo(problem.dtype).eps
        continuum = None if self.continuum is None else min(self.continuum, max(self.continuum * factor**2, least))
        return Tolerances(min(self.gradient, max(self.gradient * factor, least)), continuum)


def sharpen(
    problem: Problem,
    branch: Branch,
    tolerances: Tolerances,
    training: Training,
    continuum: ContinuumOptions | None,
    refine: int,
    *,
    deadline: float | None = None,
    observer: ProgressObserver | Meter | None = None,
) -> None:
    """Minimise every model of a branch on, from where it is, to the given tolerances.

    Every model may take the training's iterations once more. One that does not end better stays as it was.

    Parameters
    ----------
    refine
        How many times as many steps the flow begins with: what they move the minimiser by, E_∞ does not show.
    """
    if continuum is not None and tolerances.continuum is not None:
        continuum = replace(continuum, tolerance=tolerances.continuum)
    training = replace(training, gradient_tolerance=tolerances.gradient)
    meter = Meter.of(observer)
    meter.expect(Stage.TRAINING, of_sharpening(tuple(branch.points), continuum=branch.continuum is not None))
    fitter = Fitter(problem, training, meter, continuum, deadline)
    for depth, point in sorted(branch.points.items()):
        if point.solution.status.optimised and not fitter.budget.out_of_time():
            branch.points[depth] = fitter.sharpen(point)
    limit = branch.continuum
    if limit is not None and limit.solution.status.optimised and not fitter.budget.out_of_time():
        branch.continuum = fitter.sharpen_continuum(limit, refine)
    meter.expect(Stage.TRAINING, 0.0)
