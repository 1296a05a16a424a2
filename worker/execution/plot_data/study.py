"""What plots are made of: a trained study with the problem it was trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from deeplimit.mathematics.kernels.tableau import RK4
from deeplimit.mathematics.model.flow import integrate
from deeplimit.mathematics.model.objective import samples_at_once
from deeplimit.mathematics.study.branches import BranchPoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torch import Tensor

    from deeplimit.mathematics import Problem, TrainedStudy
    from deeplimit.mathematics.study.branches import Branch
    from deeplimit.mathematics.study.continuum_fit import ContinuumFit
    from worker.execution.problems import PreparedProblem

DIGITS: Final = 6
"""Significant digits of the numbers: more than can be seen."""
MOST_MODELS: Final = 9
"""Curves that one panel shows; of more depths the coarsest, the finest and some between."""
MOST_STEPS: Final = 128
"""Runge-Kutta steps of a flow that is only looked at; training takes up to sixteen times as many."""


class Withheld(Exception):  # noqa: N818 - not an error: the plot does not apply, and this says why
    """The plot does not apply to this study."""


@dataclass(frozen=True)
class PlottedStudy:
    """A trained study on its way to the plots.

    Attributes
    ----------
    gradient_tolerance
        As the specification has it, relative to max(1, |E|).
    class_names, input_names
        As people know them, or None.
    checkpoint
        Called between pieces of work; what it raises is passed on.
    """

    trained: TrainedStudy
    prepared: PreparedProblem
    gradient_tolerance: float
    class_names: Sequence[str] | None = None
    input_names: Sequence[str] | None = None
    checkpoint: Callable[[], None] = lambda: None

    @property
    def problem(self) -> Problem:
        """The learning problem."""
        return self.prepared.problem

    @property
    def branch(self) -> Branch:
        """The branch that results are about."""
        return self.trained.study.verdict_branch

    @property
    def points(self) -> list[BranchPoint]:
        """Networks whose objective is finite, by depth; not all where there are many."""
        finite = [point for _, point in sorted(self.branch.points.items()) if math.isfinite(point.solution.objective)]
        if len(finite) <= MOST_MODELS:
            return finite
        return [finite[round(place)] for place in np.linspace(0, len(finite) - 1, MOST_MODELS)]

    @property
    def continuum(self) -> ContinuumFit | None:
        """The continuum, if its objective is finite."""
        fit = self.branch.continuum
        return fit if fit is not None and math.isfinite(fit.solution.objective) else None

    @property
    def models(self) -> list[BranchPoint | ContinuumFit]:
        """Both, the continuum last.

        Raises
        ------
        Withheld
            There is none.
        """
        models: list[BranchPoint | ContinuumFit] = [*self.points]
        if self.continuum is not None:
            models.append(self.continuum)
        if not models:
            raise Withheld("no model has a finite objective")
        return models

    def states(self, model: BranchPoint | ContinuumFit, x: Tensor, nodes: int = 1) -> Tensor:
        """Return states (T, S', d) from lifted inputs x (S', d): after every layer, or at ``nodes`` + 1 equal times."""
        if isinstance(model, BranchPoint):
            return model.network.trajectory(model.solution.u, x)
        every = -(-min(model.flow.steps, MOST_STEPS) // nodes)
        parts = torch.split(x, samples_at_once(self.problem, RK4.stages))
        found = [integrate(self.problem, model.parameters, nodes * every, part, every=every) for part in parts]
        return torch.cat(found, 1)

    def outputs(self, model: BranchPoint | ContinuumFit, x: Tensor) -> Tensor:
        """Return z = W X + c (S', m) from lifted inputs x (S', d)."""
        if isinstance(model, BranchPoint):
            return model.network.output(model.solution.u, x)
        return torch.addmm(model.parameters.c, self.states(model, x)[-1], model.parameters.W.T)

    def label(self, target: float) -> str:
        """Return the name of a class, from its number or from -1 and 1."""
        signs = self.problem.loss.name == "logistic"
        place = (int(target) + 1) // 2 if signs else int(target)
        if signs and not self.class_names:
            return f"{target:g}"
        return self.class_names[place] if self.class_names and place < len(self.class_names) else str(place)


def depth_of(model: BranchPoint | ContinuumFit) -> int | None:
    """Return n, or None for the continuum."""
    return model.depth if isinstance(model, BranchPoint) else None


def rounded(value: float) -> float:
    """Return a number with the digits that a plot needs."""
    return float(f"{value:.{DIGITS}g}")


def rounded_points(points: Iterable[Sequence[float]]) -> list[list[float]]:
    """Return rounded points."""
    return [[rounded(number) for number in point] for point in points]
