"""Certificates along one branch, coarse to fine: every depth's eigenvector is where the next one's search starts.

The eigenvector of depth n, prolonged, is O(1/n) from the next depth's, as the minimisers are: a few products settle
what a random start would take many for. The coarsest depth is searched from a random start, and later ones from a
mixture with one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from torch import Tensor

from deeplimit.mathematics.minimise.certificate import FEW_COORDINATES, Certificate, certify
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.model.transfer import lift, prolong
from deeplimit.mathematics.study.branches import Branch, BranchPoint
from deeplimit.mathematics.study.continuum_fit import ContinuumFit

_FEWEST_STEPS: Final = 16
"""Steps of a flow that an eigenvector is sought with, at least."""


@dataclass(frozen=True)
class Certificates:
    """The certificates of one branch, by depth and for the continuum."""

    depths: dict[int, Certificate] = field(default_factory=dict)
    continuum: Certificate | None = None


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

    def stop() -> bool:
        if checkpoint is not None:
            checkpoint()
        return deadline is not None and time.monotonic() > deadline

    depths: dict[int, Certificate] = {}
    for depth, point in sorted(branch.points.items()):
        if point.certificate is None:
            start = direction_at_depth(branch, point.network)
            point.certificate = certify(point.network, point.solution, start, stop=stop)
        depths[depth] = point.certificate
    fit = branch.continuum
    if fit is None:
        return Certificates(depths)
    if fit.certificate is None:
        start = direction_in_continuum(branch, fit.flow)
        fit.certificate = certify(fit.flow, fit.solution, start, cheaper=_cheaper(fit), stop=stop)
    return Certificates(depths, fit.certificate)


def direction_at_depth(branch: Branch, network: ResidualNetwork) -> Tensor | None:
    """Return the eigenvector of the nearest coarser certified depth, prolonged (length,), or None."""
    known = _finest_vector(branch, network.depth)
    return None if known is None else network.encode(prolong(known[0].network.parameters(known[1]), network.depth))


def direction_in_continuum(branch: Branch, flow: Flow) -> Tensor | None:
    """Return the eigenvector of the finest certified depth, lifted and projected (length,), or None."""
    known = _finest_vector(branch)
    return None if known is None else flow.project(lift(known[0].network.parameters(known[1])))


def _finest_vector(branch: Branch, below: float = math.inf) -> tuple[BranchPoint, Tensor] | None:
    for depth, point in sorted(branch.points.items(), reverse=True):
        if depth < below and point.certificate is not None and point.certificate.vector is not None:
            return point, point.certificate.vector
    return None


def _cheaper(fit: ContinuumFit) -> Flow | None:
    """Return the flow with as few steps as its basis allows: the eigenvector needs no more."""
    if not isinstance(fit.flow.basis, LegendreIncrements) or fit.flow.coordinates.length <= FEW_COORDINATES:
        return None
    steps = max(_FEWEST_STEPS, fit.flow.basis.size)
    return Flow(fit.flow.problem, fit.flow.basis, steps) if 2 * steps <= fit.flow.steps else None
