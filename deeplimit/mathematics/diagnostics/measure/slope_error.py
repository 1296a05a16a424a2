"""How well a predicted slope C₁ is known: from the continuum, and from each depth alone.

At fixed θ, E_n(recovery of θ) − E_∞(θ) = C₁(θ)/n + O(n⁻²), so that at a minimiser of E_∞ the gradient of C₁ in
increment coordinates is n ∇E_n(recovery of θ_∞) + O(1/n), sampling being no longer than 1 in these coordinates. What
optimisation, steps and basis do to C₁ is its change along the Newton step, and that norm times the distance which the
step leaves. The rule that integrates C₁ is judged by halving its steps, and the O(1/n) of a depth's own C₁ by the
continuum's or by that of a neighbouring depth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.diagnostics.errors import Errors
from deeplimit.mathematics.diagnostics.measure.slope import slope_from_depth
from deeplimit.mathematics.diagnostics.subject import SAFETY, Subject
from deeplimit.mathematics.diagnostics.sweeps import limit_sweep, network_sweep, why_no_slope
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from deeplimit.mathematics.model.transfer import prolong, recover, restrict
from deeplimit.mathematics.study.branches import BranchPoint
from deeplimit.mathematics.study.continuation import at_recovery

_SHARPER: Final = "a smaller training.gradient_tolerance"
_FINER: Final = "a smaller continuum.tolerance"
_DEEPER: Final = "deeper networks"
_NEGLIGIBLE: Final = 1e-4
"""A slope known to be below this share of the minimum is as good as 0 at any depth, and may be told as it is."""

_COARSER: Final = 4
"""∇C₁ is known well enough from so many times fewer layers than the finest."""


@dataclass(frozen=True)
class PredictedSlope:
    """C₁, or why it is not given, and its estimated error where there is one."""

    value: float | None = None
    error: float | None = None
    reason: str | None = None

    @classmethod
    def of(cls, value: float, errors: Errors, minimum: float, finer: str) -> PredictedSlope:
        """Return C₁ with its error, withheld where the error is not below it; ``finer`` reduces the discretisation."""
        total = errors.total
        if total < abs(value) or total <= _NEGLIGIBLE * abs(minimum):
            return cls(value, total)
        change = _SHARPER if errors.optimisation >= 0.5 * total else finer
        reason = f"its estimated error {total:.1e} is not below the value {value:.1e}: it takes {change}"
        return cls(None, total if math.isfinite(total) else None, reason)


def predicted_slopes(subject: Subject) -> tuple[PredictedSlope, list[PredictedSlope]]:
    """Return C₁ of the continuum, without one nothing, and of each depth alone."""
    points, fit = subject.points, subject.continuum
    if (reason := why_no_slope(subject.problem)) is not None:
        return PredictedSlope(reason=reason), [PredictedSlope(reason=reason)] * len(points)
    sensitivity = _gradient(subject)
    own = [_of_depth(subject, point, sensitivity) for point in points]
    limit, known = PredictedSlope(), None
    if fit is not None:
        if fit.solution.status.optimised:
            known = _of_continuum(subject, sensitivity, own)
            limit = PredictedSlope.of(*known, fit.solution.objective, _FINER)
        else:
            limit = PredictedSlope(reason=f"the optimisation of the continuum ended as {fit.solution.status.value}")
    rows = []
    for index, (point, each) in enumerate(zip(points, own, strict=True)):
        if each is None:
            rows.append(PredictedSlope(reason=f"the optimisation ended as {point.solution.status.value}"))
            continue
        errors = _depth_errors(subject, index, own, known, sensitivity)
        rows.append(PredictedSlope.of(each[0], errors, point.solution.objective, _DEEPER))
    return limit, rows


@dataclass(frozen=True)
class _Gradient:
    """∇C₁ in the increment coordinates of one depth, to O(1/n)."""

    network: ResidualNetwork
    gradient: Tensor

    @property
    def norm(self) -> float:
        """‖∇C₁‖."""
        return float(torch.linalg.vector_norm(self.gradient))

    def along(self, step: DiscreteParameters) -> float:
        """Return by how much C₁ changes along a step of any depth, to first order."""
        depth = self.network.depth
        moved = restrict(step, depth) if step.depth >= depth else prolong(step, depth)
        return abs(float(self.gradient @ self.network.encode(moved)))


def _gradient(subject: Subject) -> _Gradient:
    """Return ∇C₁ at the limit from the finest depth; without a continuum from a depth prolonged to twice its layers."""
    finest, fit = subject.points[-1], subject.continuum
    if fit is not None:
        return _Gradient(finest.network, finest.depth * at_recovery(finest, fit).gradient)
    coarser = [point for point in subject.points if _COARSER * point.depth <= finest.depth and not subject.unfit(point)]
    point = max(coarser, key=lambda each: each.depth, default=finest)
    network = ResidualNetwork(subject.problem, 2 * point.depth)
    return _Gradient(
        network, network.depth * network.evaluate(network.encode(prolong(point.parameters, network.depth))).gradient
    )


def _of_continuum(
    subject: Subject, sensitivity: _Gradient, own: Sequence[tuple[float, Errors] | None]
) -> tuple[float, Errors]:
    """Return the continuum's C₁ and its errors; across kinks, where no Newton step is known, by the depths' own too."""
    fit = subject.limit
    fine, coarse = (limit_sweep(subject, finer=finer).slope for finer in (True, False))
    left = subject.left_by_halving if isinstance(fit.flow.basis, LegendreIncrements) else 1.0 / 3.0
    if not subject.problem.smooth:
        left = 1.0  # The integrand jumps where σ has a kink.
    correction, change = subject.limit_correction, 0.0
    if (step := correction.limit_step) is not None:
        change = sensitivity.along(recover(step, sensitivity.network.depth))
    errors = correction.errors(SAFETY * change, sensitivity.norm) + Errors(integration=left * abs(fine - coarse))
    spread = _spread(subject, own, fine) if correction.u is None else math.inf
    return fine, errors if errors.total <= spread else Errors(optimisation=spread)


def _spread(subject: Subject, own: Sequence[tuple[float, Errors] | None], limit: float) -> float:
    """Return twice how far C₁ is from what the finest depths' own, minimised on their own, extrapolate to."""
    known = [(point.depth, each[0]) for point, each in zip(subject.points, own, strict=True) if each is not None]
    found = [(n * fine - m * coarse) / (n - m) for (m, coarse), (n, fine) in pairwise(known[-3:])]
    if not found:
        return math.inf
    return 2.0 * max(abs(limit - found[-1]), abs(found[-1] - found[0]))


def _of_depth(subject: Subject, point: BranchPoint, sensitivity: _Gradient) -> tuple[float, Errors] | None:
    """Return C₁ from one depth and what the optimisation does to it, or None."""
    if not point.solution.status.optimised:
        return None
    subject.checkpoint()
    correction, change = subject.network_correction(point), 0.0
    value = network_sweep(subject, point).slope or 0.0
    if correction.step is not None:
        change = sensitivity.along(point.network.parameters(correction.step))
    return value, correction.errors(SAFETY * change, sensitivity.norm)


def _depth_errors(
    subject: Subject,
    index: int,
    own: Sequence[tuple[float, Errors] | None],
    limit: tuple[float, Errors] | None,
    sensitivity: _Gradient,
) -> Errors:
    """Return the errors of a depth's own C₁ as a prediction of the limit's, from which it differs by O(1/n)."""
    depths, here = [point.depth for point in subject.points], own[index]
    assert here is not None  # noqa: S101 - for the type checker: left out above
    if limit is not None:
        return Errors(discretisation=abs(here[0] - limit[0]) + limit[1].total)
    for other in (index + 1, index - 1):
        if 0 <= other < len(own) and (there := own[other]) is not None:
            # C₁(n) = C₁ + a/n: what is left at n is a multiple of the difference.
            factor = depths[other] / abs(depths[other] - depths[index])
            noise = here[1].optimisation + there[1].optimisation
            return here[1] + Errors(factor * noise, discretisation=factor * abs(here[0] - there[0]))
    point = subject.points[index]
    finer = ResidualNetwork(subject.problem, 2 * point.depth)
    change = abs(slope_from_depth(finer, finer.encode(prolong(point.parameters, finer.depth))) - here[0])
    floor = subject.problem.curvature_floor
    moved = sensitivity.norm**2 / (floor * point.depth) if floor else math.inf
    return here[1] + Errors(discretisation=2.0 * change + moved)
