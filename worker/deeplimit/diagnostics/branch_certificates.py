"""Certificates along one branch, coarse to fine: every depth's eigenvector is where the next one's search starts.

The eigenvector of depth n, prolonged, is O(1/n) from the next depth's, as the minimisers are: a few products settle
what a random start would take many for. The coarsest depth is searched from a random start, and later ones from a
mixture with one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from worker.deeplimit.branches import Branch
from worker.deeplimit.continuum import ContinuumFit
from worker.deeplimit.coordinates import LegendreIncrements
from worker.deeplimit.diagnostics.certificate import SMALL, Certificate, certify
from worker.deeplimit.flow import Flow
from worker.deeplimit.transfer import lift, prolong


@dataclass(frozen=True)
class Certificates:
    """The certificates of one branch, by depth and for the continuum."""

    depths: dict[int, Certificate] = field(default_factory=dict)
    continuum: Certificate | None = None


def certify_branch(
    branch: Branch, checkpoint: Callable[[], None] | None = None, *, deadline: float | None = None
) -> Certificates:
    """Certify every depth of a branch, coarse to fine, then the continuum; each starts from the eigenvector before.

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

    found: dict[int, Certificate] = {}
    before: tuple[int, Tensor] | None = None
    for depth, point in sorted(branch.points.items()):
        network = point.network
        start = None
        if before is not None:
            coarser = branch.points[before[0]].network
            start = network.encode(prolong(coarser.parameters(before[1]), depth))
        found[depth] = point.certificate or certify(network, point.solution, start, stop=stop)
        vector = found[depth].vector
        before = before if vector is None else (depth, vector)
    limit: Certificate | None = None
    if branch.continuum is not None:
        fit, start = branch.continuum, None
        if before is not None:
            start = fit.flow.project(lift(branch.points[before[0]].network.parameters(before[1])))
        limit = certify(fit.flow, fit.solution, start, cheaper=_cheaper(fit), stop=stop)
    return Certificates(found, limit)


def _cheaper(fit: ContinuumFit) -> Flow | None:
    """Return the flow with as few steps as its basis allows: the eigenvector needs no more."""
    if not isinstance(fit.flow.basis, LegendreIncrements) or fit.flow.coordinates.length <= SMALL:
        return None
    steps = max(16, fit.flow.basis.size)
    return Flow(fit.flow.problem, fit.flow.basis, steps) if 2 * steps <= fit.flow.steps else None
