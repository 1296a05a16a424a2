"""The next model of a branch: where its minimiser is expected, and what is known of its Hessian."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Final

from torch import Tensor

from deeplimit.mathematics.minimise.driver import OtherStart
from deeplimit.mathematics.model.predicted_start import predicted_start
from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from deeplimit.mathematics.model.transfer import lift, prolong, recover
from deeplimit.mathematics.study.branches import Branch, BranchPoint
from deeplimit.mathematics.study.continuum_fit import ContinuumFit
from deeplimit.mathematics.study.fitter import Fitter
from deeplimit.mathematics.study.training import Coarse, DepthStart, Training

_PHASE: Final = "discrete"
_OF_DISCRETISATION: Final = 0.2
"""Share of half of a coarse depth's distance from the limit that its minimisation may leave, where that is enough."""
_TRUSTED: Final = 0.5
"""A predicted start is tried alone where ‖g‖ is below this share of that at the start of the depth before: a prolonged
one is no better."""


class AlongBranch:
    """Trains the next model of branches; ``finest`` is the deepest network of the study."""

    def __init__(self, fitter: Fitter, training: Training, finest: int) -> None:
        self._fitter, self._training, self._finest = fitter, training, finest

    def networks(self, branches: Sequence[Branch], network: ResidualNetwork) -> Iterator[BranchPoint]:
        """Train a network along one branch after the other, from what it is transferred to there or predicted."""
        starts = [network.encode(self._transferred(branch, network.depth)) for branch in branches]
        if not self._fitter.carries_curvature:
            return chain.from_iterable(self._fitter.networks(network, starts, _PHASE))
        return (self._network(branch, network, start) for branch, start in zip(branches, starts, strict=True))

    def limit(self, branch: Branch) -> ContinuumFit:
        """Fit the continuum model that a branch leads to."""
        finite = [point for point in branch.points.values() if math.isfinite(point.solution.objective)]
        lifted, minimisers = lift(branch.latest.parameters), [point.parameters for point in finite]
        if not self._fitter.carries_curvature or self._fitter.budget.out_of_time():
            return self._fitter.continuum(lifted)
        return self._fitter.continuum(lifted, near=branch.latest, predict=partial(predicted_start, minimisers))

    def _network(self, branch: Branch, network: ResidualNetwork, start: Tensor) -> BranchPoint:
        if self._training.depth_start is DepthStart.RECOVERY:
            return self._fitter.network(network, start, _PHASE, near=branch.continuum)
        points = [point for point in branch.points.values() if math.isfinite(point.solution.objective)]
        if not points or self._fitter.budget.out_of_time():
            return self._fitter.network(network, start, _PHASE)
        near, tolerance = points[-1], self._worthwhile(points, network.depth)
        predicted = predicted_start([point.parameters for point in points], network)
        if predicted is None:
            return self._fitter.network(network, start, _PHASE, near=near, tolerance=tolerance)
        enough = _TRUSTED * near.solution.history[0].gradient_norm if len(points) > 2 else 0.0
        other = OtherStart(start, enough)
        return self._fitter.network(network, predicted, _PHASE, near=near, other=other, tolerance=tolerance)

    def _worthwhile(self, points: Sequence[BranchPoint], depth: int) -> float:
        """Return the gradient below which a coarse depth's own distance from the limit is the larger error, or 0.

        E_n − E_∞ is C₁/n, and ‖g‖²/(4α) what a gradient leaves; C₁ is told by the last two depths.
        """
        if self._training.coarse is Coarse.TOLERANCE or depth == self._finest or len(points) < 2:
            return 0.0
        coarse, fine = points[-2:]
        if not fine.network.problem.regime.has_continuum:
            return 0.0
        fall = coarse.solution.objective - fine.solution.objective
        slope = abs(fall) / (1.0 / coarse.depth - 1.0 / fine.depth)
        worthwhile = _OF_DISCRETISATION * slope / (2.0 * depth)
        floor = fine.network.problem.curvature_floor
        return math.sqrt(2.0 * floor * worthwhile) / max(1.0, abs(fine.solution.objective))

    def _transferred(self, branch: Branch, depth: int) -> DiscreteParameters:
        if branch.continuum is not None and self._training.depth_start is DepthStart.RECOVERY:
            return recover(branch.continuum.parameters, depth)
        return prolong(branch.latest.parameters, depth)
