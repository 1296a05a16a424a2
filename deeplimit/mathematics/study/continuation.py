"""Continuation of a minimiser in the depth: from a finer depth, or from the limit, to a coarser one.

Minimisers of one branch depend smoothly on h = 1/n, so that a step in h that is short enough starts in the basin of the
next one. A step was short enough when E is convex along the segment from its start to where the minimisation ended;
otherwise it is halved (Allgower and Georg 1990, *Numerical continuation methods*, chapter 6, step-length adaptation).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.minimise import Solution
from deeplimit.mathematics.model.objective import DiscretisedObjective
from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from deeplimit.mathematics.model.transfer import recover, restrict
from deeplimit.mathematics.study.branches import BranchPoint
from deeplimit.mathematics.study.continuum_fit import ContinuumFit
from deeplimit.mathematics.study.fitter import Fitter

PHASE: Final = "follow_back"
"""What progress calls these minimisations."""
_PARTS: Final = 3
"""Parts of a segment whose curvatures are compared; each costs one gradient."""
_EVEN: Final = 0.05
"""The least curvature of the parts, beside the largest, of one basin; along a quartic from its minimum it is 1/19."""
_SHORTEST: Final = 1.03
"""Ratio of two depths that are not divided further: a minimiser that is lost there has no continuation."""
_DEEPEST: Final = (32, 2048)
"""From the limit, depths up to this many times the wanted one are gone through, and none beyond the latter."""
_MOST_FITS: Final = 64
"""Minimisations for one depth."""

Anchor = BranchPoint | ContinuumFit
"""Where a branch is known: at a finer depth, or in the continuum."""


def transferred(anchor: Anchor, depth: int) -> DiscreteParameters:
    """Return the parameters of a coarser depth that a finer network, or the continuum, stands for."""
    if isinstance(anchor, ContinuumFit):
        return recover(anchor.parameters, depth)
    return restrict(anchor.parameters, depth)


def same_basin(objective: DiscretisedObjective, start: Tensor, minimum: Solution) -> bool:
    """Whether E is convex along the segment from a point to a minimiser.

    Another minimiser near the point would make the slope along the segment vanish beside it, and the curvature of one
    part negative. Costs `_PARTS` gradients.

    Parameters
    ----------
    start
        (length,) flat coordinates.
    """
    direction = start - minimum.u
    if float(torch.linalg.vector_norm(direction)) == 0.0:
        return True
    gradients = [minimum.evaluation.gradient]
    gradients += [objective.evaluate(minimum.u + part / _PARTS * direction).gradient for part in range(1, _PARTS + 1)]
    slopes = [float(gradient @ direction) for gradient in gradients]
    curvatures = [after - before for before, after in pairwise(slopes)]
    return min(curvatures) >= _EVEN * max(curvatures) > 0.0


def continue_to(anchor: Anchor, depth: int, fitter: Fitter) -> BranchPoint | None:
    """Return the minimiser that continuation from a finer depth reaches, or None where the branch is lost.

    It is lost where a step cannot be divided further, a minimisation does not end at a minimum, or the time is over.
    """
    times, most = _DEEPEST
    deepest, fits, wanted = min(times * depth, max(most, 2 * depth)), 0, [depth]
    while wanted:
        point = _step(anchor, wanted[-1], fitter)
        fits += 1
        if point is not None:
            anchor = point
            wanted.pop()
            continue
        between = _between(anchor, wanted[-1])
        if between is None or between > deepest or fits >= _MOST_FITS or fitter.budget.out_of_time():
            return None
        wanted.append(between)
    assert isinstance(anchor, BranchPoint)  # noqa: S101 - for the type checker: at least one step was made
    point, saddles = fitter.settle(anchor, PHASE)
    return None if saddles else point


def minimum_from(start: DiscreteParameters, network: ResidualNetwork, fitter: Fitter) -> BranchPoint:
    """Return the minimum that parameters of one depth lead to; a saddle on the way is left."""
    point = fitter.network(network, network.encode(start), PHASE)
    return fitter.settle(point, PHASE)[0]


def _step(anchor: Anchor, depth: int, fitter: Fitter) -> BranchPoint | None:
    network = ResidualNetwork(anchor.model.problem, depth)
    start = network.encode(transferred(anchor, depth))
    point = fitter.network(network, start, PHASE, near=anchor)
    return point if point.solution.status.optimised and same_basin(network, start, point.solution) else None


def _between(anchor: Anchor, depth: int) -> int | None:
    """Return the depth that halves the step in 1/n, or None where it cannot be divided further."""
    step = 0.0 if isinstance(anchor, ContinuumFit) else 1.0 / anchor.depth
    middle = round(2.0 / (step + 1.0 / depth))
    finest = math.inf if isinstance(anchor, ContinuumFit) else anchor.depth
    return middle if depth < middle < finest and finest > _SHORTEST * depth else None
