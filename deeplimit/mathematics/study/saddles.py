"""Recognising saddles among the stationary points that a minimisation ends at, and leaving them.

L-BFGS ends where the gradient is small, and on a symmetric problem that can be a saddle: the null solution of a network
whose training pays only above a threshold, for one. Its certificate's eigenvector is a direction of negative curvature,
along which E falls on both sides to second order (Nocedal and Wright 2006, section 2.1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import torch
from torch import Tensor

from deeplimit.mathematics.minimise.certificate import FEW_COORDINATES, Certificate, Kind, NearbyEigenvector, certify
from deeplimit.mathematics.model.objective import DiscretisedObjective
from deeplimit.mathematics.study.branches import StationaryPoint
from deeplimit.mathematics.watch import OutOfTimeError

_STEPS: Final = (0.3, 0.1, 0.03, 0.01)
"""Lengths of the step off a saddle, in increment coordinates; the lowest E of all, on either side, is taken."""
_MOST_LEFT: Final = 4
"""Saddles that are left one after the other; each lies lower than the one before."""

_Point = TypeVar("_Point", bound=StationaryPoint)


def settle(
    point: _Point,
    fit: Callable[[_Point, Tensor], _Point],
    *,
    near: NearbyEigenvector | None = None,
    stop: Callable[[], bool] | None = None,
) -> tuple[_Point, list[_Point]]:
    """Certify a network's or the continuum's point, and leave it for a minimum if it is a saddle.

    Only where the objective is smooth and has at most ``FEW_COORDINATES`` coordinates: a certificate takes tens of
    Hessian-vector products. The diagnostics certify what is left out here on the verdict branch.

    Parameters
    ----------
    point
        Its ``certificate`` is set.
    fit
        Minimises again, from flat coordinates (length,) of the model that the given point is a point of.
    near
        Where the direction of least curvature is expected.
    stop
        Asked before every product.

    Returns
    -------
    (point, list of points)
        Where it ended, and the saddles that were left on the way.
    """
    saddles: list[_Point] = []
    for _ in range(_MOST_LEFT):
        model = point.model
        if not certified_at_once(model):
            break
        point.certificate = certify(model, point.solution, near, stop=stop)
        if point.certificate.kind is not Kind.SADDLE:
            break
        lower = _step_off(point, point.certificate)
        below = None if lower is None else fit(point, lower)
        if below is None or not below.solution.evaluated:
            break
        saddles.append(point)
        point, near = below, None
    return point, saddles


def certified_at_once(model: DiscretisedObjective) -> bool:
    """Whether a model's points are certified as soon as they are trained."""
    return model.problem.smooth and model.coordinates.length <= FEW_COORDINATES


def _step_off(point: StationaryPoint, certificate: Certificate) -> Tensor | None:
    """Return the lowest of some points on the line of least curvature.

    None if none is lower than the saddle, or there was no time to tell.
    """
    if certificate.vector is None:
        return None
    direction = certificate.vector / torch.linalg.vector_norm(certificate.vector)
    trials = [point.solution.u + sign * length * direction for length in _STEPS for sign in (1.0, -1.0)]
    try:
        values = [point.model.value(trial) for trial in trials]
    except OutOfTimeError:
        return None
    lowest = min(range(len(trials)), key=lambda index: values[index])
    return trials[lowest] if values[lowest] < point.solution.objective else None
