"""Certificates along one branch, coarse to fine: every depth's eigenvector is where the next one's search starts.

The eigenvector of depth n, prolonged, is O(1/n) from the next depth's, as the minimisers are: a few products settle
what a random start would take many for. The coarsest depth is searched from a random start, and later ones from a
mixture with one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from deeplimit.mathematics.minimise.certificate import FEW_COORDINATES, Certificate, NearbyEigenvector, certify
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.model.transfer import Model, Transfer
from deeplimit.mathematics.study.branches import Branch, StationaryPoint
from deeplimit.mathematics.study.continuum_fit import ContinuumFit
from deeplimit.mathematics.study.progress import begin_part
from deeplimit.mathematics.watch import EVALUATED_S, passed, until

_FEWEST_STEPS: Final = 16
"""Steps of a flow that an eigenvector is sought with, at least."""


@dataclass(frozen=True)
class Certificates:
    """The certificates of one branch, by depth and for the continuum."""

    depths: dict[int, Certificate] = field(default_factory=dict)
    continuum: Certificate | None = None


def certifying(point: StationaryPoint) -> str:
    """Return what progress calls the part in which a point is certified."""
    return f"certificate of {point.name}"


def certify_branch(
    branch: Branch, checkpoint: Callable[[], None] | None = None, *, deadline: float | None = None
) -> Certificates:
    """Certify every depth of a branch, coarse to fine, then the continuum; each starts from the eigenvector before.

    What was certified while training is not certified again; the certificates are kept with their points.

    Parameters
    ----------
    checkpoint
        Called before every Hessian-vector product; what it raises is passed on.
    deadline
        In seconds of ``time.monotonic``: what is left then is withheld.
    """
    last = None if deadline is None else deadline + EVALUATED_S

    def stop() -> bool:
        if checkpoint is not None:
            checkpoint()
        return passed(deadline)

    for _, point in sorted(branch.points.items()):
        if point.certificate is None:
            if checkpoint is not None:
                begin_part(checkpoint, certifying(point))
            near = nearby_eigenvector(branch, point.network)
            with until(last):
                point.certificate = certify(point.network, point.solution, near, stop=stop)
    fit = branch.continuum
    if fit is not None and fit.certificate is None:
        if checkpoint is not None:
            begin_part(checkpoint, certifying(fit))
        near = nearby_eigenvector(branch, fit.flow)
        with until(last):
            fit.certificate = certify(fit.flow, fit.solution, near, cheaper=_cheaper(fit), stop=stop)
    forget_searches(branch)
    return Certificates(
        {depth: known for depth, point in sorted(branch.points.items()) if (known := point.certificate) is not None},
        None if fit is None else fit.certificate,
    )


def forget_searches(branch: Branch) -> None:
    """Give up what searches tell of models nearby, once all of these are certified."""
    models: list[StationaryPoint] = list(branch.points.values())
    models += [] if branch.continuum is None else [branch.continuum]
    for point in models:
        if point.certificate is not None and point.certificate.searched is not None:
            point.certificate = replace(point.certificate, searched=None)


def nearby_eigenvector(branch: Branch, model: Model) -> NearbyEigenvector | None:
    """Return the eigenvector of the nearest coarser certified depth in the coordinates of a model, or None."""
    below = model.depth if isinstance(model, ResidualNetwork) else math.inf
    for depth, point in sorted(branch.points.items(), reverse=True):
        known = point.certificate
        if depth < below and known is not None and known.vector is not None:
            transfer = Transfer(point.network, model)
            vector = transfer(known.vector)
            if bool(vector.any()):
                searched = None if known.searched is None else known.searched.carried(transfer)
                return NearbyEigenvector(vector, known.lambda_max or 0.0, searched)
    return None


def _cheaper(fit: ContinuumFit) -> Flow | None:
    """Return the flow with as few steps as its basis allows: the eigenvector needs no more."""
    if not isinstance(fit.flow.basis, LegendreIncrements) or fit.flow.coordinates.length <= FEW_COORDINATES:
        return None
    steps = max(_FEWEST_STEPS, fit.flow.basis.size)
    return Flow(fit.flow.problem, fit.flow.basis, steps) if 2 * steps <= fit.flow.steps else None
