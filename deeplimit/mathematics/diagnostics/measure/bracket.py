"""The Γ-limit's two inequalities, made numbers (diagnostic 3).

lift excess = E_∞(lift of θ_n) − E_∞* ≥ 0 and recovery excess = E_n(recovery of θ_∞) − E_n* ≥ 0, both O(n⁻²): the
discrete counterparts of the lim inf and lim sup inequalities of Thorpe and van Gennip (2023), theorem 2.1. Both are
non-negative because the minima are minima; a negative one says that a lower minimum exists. Unlike a minimum, an excess
is moved to first order by the error of the parameters that are transferred.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Self

import torch
from torch import Tensor

from deeplimit.mathematics.diagnostics.correction import Correction
from deeplimit.mathematics.diagnostics.errors import Errors
from deeplimit.mathematics.diagnostics.measure.error_budget import ErrorBudget, with_orders
from deeplimit.mathematics.diagnostics.measure.orders import Observation, too_noisy
from deeplimit.mathematics.diagnostics.subject import SAFETY, Subject
from deeplimit.mathematics.journal import Value, kept
from deeplimit.mathematics.minimise.certificate import Certificate
from deeplimit.mathematics.minimise.solution import gradient_norm, rounding
from deeplimit.mathematics.model.coordinates import LegendreIncrements, PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.model.transfer import lift, recover
from deeplimit.mathematics.problem.learning_problem import LAYERED
from deeplimit.mathematics.study.branches import BranchPoint
from deeplimit.mathematics.study.continuation import at_lift, at_recovery
from deeplimit.mathematics.study.continuum_fit import ContinuumFit

_ROUNDINGS: Final = 16.0
_COARSEST: Final = 8
"""Layers from which on lifts are projected."""
_FEWEST_STEPS: Final = 16
"""Steps that a lift is integrated with, at least."""
_NEGLIGIBLE: Final = 1e-7
"""Steps whose error is below this share of the excess are enough: projections fall slower than what they are of."""
_SETTLED: Final = 0.1
"""Or below this share of what E_∞* errs by."""
_MOST_TOO_LARGE: Final = 1e30
_INTEGRATED: Final = 2
"""Depths that are integrated along their cells, to tell how far projections are off."""
_OFF: Final = 2.0
"""Factor on how far they are off, which falls with depth by and large."""
_COARSER: Final = 4
"""What nearly all depths share is taken from one with so many times fewer layers than the finest."""


@dataclass(frozen=True)
class ExcessRow:
    """One depth: the objective of what was transferred, and how far it is above the minimum."""

    depth: int
    objective: float
    excess: float
    order: float | None = None
    error_budget: ErrorBudget | None = None
    withheld: dict[str, str] = field(default_factory=dict)


def lift_excess(subject: Subject) -> list[ExcessRow]:
    """Return E_∞(lift of θ_n) − E_∞* for each depth."""
    projection = _Projection.of(subject)

    def measure(point: BranchPoint) -> tuple[float, float, Errors]:
        limit = subject.limit.solution.objective
        found = _integrated(subject, point) if projection is None else projection.measure(point)
        return found[0], found[0] - limit, subject.limit_errors + found[1]

    return _rows(subject, measure)


def recovery_excess(subject: Subject) -> list[ExcessRow]:
    """Return E_n(recovery of θ_∞) − E_n* for each depth."""
    correction = subject.limit_correction

    def measure(point: BranchPoint) -> tuple[float, float, Errors]:
        at, change = at_recovery(point, subject.limit), 0.0
        if (step := correction.limit_step) is not None:
            moved = point.network.encode(recover(step, point.depth))
            change = abs(float(at.gradient @ moved)) + correction.decrease
        certificate = subject.certificates.depths.get(point.depth)
        errors = subject.minimum_errors(point) + _moved(gradient_norm(at), change, correction, certificate)
        return at.objective, at.objective - point.solution.objective, errors

    return _rows(subject, measure)


@dataclass(frozen=True)
class _Projection:
    """E_∞ of lifts by their projections to the basis of the limit.

    The projection Π keeps A(0), and A' in L², so that a lift A and ΠA differ by what is orthogonal to polynomials, and
    of size n⁻². To such a difference the data term, whose derivative by A is smooth, is blind but for O(n⁻⁴), and the
    regulariser differs by exactly α‖(I − Π)A'‖². So E_∞ of a lift takes one forward pass with the steps of the limit
    itself, whatever the depth. What these steps err by is the same in E_∞* but for what they err by on ΠA − θ_∞, which
    is O(1/n). The two coarsest depths are integrated along their cells as well, and tell how much that is.

    Attributes
    ----------
    known
        Objective and errors by depth, of those that were integrated.
    off
        How far projections are from these, times the depth of the finer.
    slope
        ∇E_∞ (length,) at the projection of the lift of depth ``origin``, to which the others' are nearly proportional:
        they are Hessian times θ_n − θ_∞ = e/n + O(n⁻²).
    """

    subject: Subject
    known: dict[int, tuple[float, Errors]]
    off: float
    origin: int
    slope: Tensor

    @classmethod
    def of(cls, subject: Subject) -> Self | None:
        """Return the projection of a study, or None where it does not hold: then lifts are integrated."""
        regime, fit = subject.problem.regime, subject.limit
        smooth = subject.problem.smooth and isinstance(fit.flow.basis, LegendreIncrements) and not regime.constant
        depths = [point for point in subject.points if point.solution.status.optimised and point.depth >= _COARSEST]
        if not smooth or regime.integrator.tableau.order > 1 or len(depths) <= _INTEGRATED:
            return None
        known = {point.depth: _integrated(subject, point) for point in depths[:_INTEGRATED]}
        off = max(abs(_projected(fit, point)[0] - known[point.depth][0]) for point in depths[:_INTEGRATED])
        coarser = [point for point in depths if _COARSER * point.depth <= depths[-1].depth]
        point = max(coarser, key=lambda each: each.depth, default=depths[-1])
        subject.checkpoint()
        slope = fit.flow.evaluate(fit.flow.project(lift(point.parameters))).gradient
        return cls(subject, known, off * max(known), point.depth, slope)

    def measure(self, point: BranchPoint) -> tuple[float, Errors]:
        """Return E_∞ of a depth's lift and its errors, those of E_∞* left out."""
        if point.depth in self.known:
            return self.known[point.depth]
        if point.depth < max(self.known) or not point.solution.status.optimised:
            return _integrated(self.subject, point)
        fit, network = self.subject.limit, point.network
        objective, beyond = _projected(fit, point)
        nearer = self.origin / point.depth
        slope = math.hypot(nearer * float(torch.linalg.vector_norm(self.slope)), beyond)
        correction, change = self.subject.network_correction(point), 0.0
        if correction.step is not None:
            change = nearer * float(self.slope @ fit.flow.project(lift(network.parameters(correction.step))))
            change += sum(2.0 * alpha * product for alpha, product in _beyond(fit, point, correction.step))
            change = abs(change) + correction.decrease
        off = _OFF * self.off / point.depth + rounding(fit.solution.evaluation)
        moved = _moved(slope, change, correction, self.subject.certificates.continuum)
        return objective, Errors(integration=off) + moved


def _projected(fit: ContinuumFit, point: BranchPoint) -> tuple[float, float]:
    """Return E_∞ of a lift by its projection, and the norm of the gradient by what the basis lacks."""
    beyond = _beyond(fit, point, point.solution.u)
    extra = sum(alpha * square for alpha, square in beyond)
    return at_lift(point, fit) + extra, math.sqrt(sum(4.0 * alpha**2 * max(square, 0.0) for alpha, square in beyond))


def _beyond(fit: ContinuumFit, point: BranchPoint, v: Tensor) -> list[tuple[float, float]]:
    """Return α and ⟨(I − Π)u, (I − Π)v⟩ of K and b, for the lifts of u, the depth's point, and of v.

    Lifting is an isometry of increment coordinates, and what the projection lacks is orthogonal to it.
    """
    network, coordinates = point.network, fit.flow.coordinates
    directions = (v,) if v is point.solution.u else (point.solution.u, v)
    lifted = [network.coordinates.unpack(each) for each in directions]
    seen = [coordinates.unpack(fit.flow.project(lift(network.parameters(each)))) for each in directions]
    names = [name for name in LAYERED if name in lifted[0]]
    return [
        (
            network.problem.weight(name),
            float((lifted[0][name] * lifted[-1][name]).sum() - (seen[0][name] * seen[-1][name]).sum()),
        )
        for name in names
    ]


def _integrated(subject: Subject, point: BranchPoint) -> tuple[float, Errors]:
    """Return E_∞ of a depth's lift and its errors, from the journal where it has them."""
    subject.network_correction(point)  # a step of its own, which this one takes

    def made() -> Value:
        objective, errors = _along_cells(subject, point)
        return [objective, dict(vars(errors))]

    objective, errors = kept("lift", [point.solution.u, subject.limit.solution.u], made)
    return objective, Errors(**errors)


def _along_cells(subject: Subject, point: BranchPoint) -> tuple[float, Errors]:
    """Return E_∞ of a depth's lift and its errors by steps along its cells: the lift has kinks at the nodes only.

    The steps are as many as it takes, but no more than the limit's, or two a layer.
    """
    fit = subject.limit
    most = max(2, math.ceil(fit.flow.steps / point.depth))
    every = min(most, max(2, math.ceil(_FEWEST_STEPS / point.depth)))
    basis = PiecewiseLinearIncrements(point.depth)
    flow = Flow(subject.problem, basis, every * point.depth)
    u = flow.encode(lift(point.parameters))
    at = flow.evaluate(u)
    before, noise = at.objective, rounding(at)
    falls = 1.0 + 1.0 / subject.left_by_halving
    while True:
        objective = Flow(subject.problem, basis, 2 * every * point.depth).value(u)
        left = _left(subject, abs(objective - before), noise)
        excess = abs(objective - fit.solution.objective)
        enough = max(_NEGLIGIBLE * excess, _SETTLED * subject.limit_errors.total, (1.0 + _ROUNDINGS) * noise)
        if every >= most or not left > enough:
            break
        subject.checkpoint()
        halvings = math.ceil(math.log(min(left / enough, _MOST_TOO_LARGE), falls))
        further = min(most, every << halvings)
        before = objective if further == 2 * every else Flow(subject.problem, basis, further * point.depth).value(u)
        every = further
    correction, change = subject.network_correction(point), 0.0
    if correction.step is not None:
        step = flow.encode(lift(point.network.parameters(correction.step)))
        change = abs(float(at.gradient @ step)) + correction.decrease
    moved = _moved(gradient_norm(at), change, correction, subject.certificates.continuum)
    return objective, Errors(integration=left) + moved


def _moved(slope: float, change: float, correction: Correction, certificate: Certificate | None) -> Errors:
    """Return by how much E is moved at a transferred point by the distance of what was transferred from its minimiser.

    That is the change along the Newton step, and what the distance δ that it leaves does. Neither the lift nor sampling
    makes a distance in increment coordinates longer. The point is no minimiser, so that E moves to first order: by
    (‖g‖ + ½ λ_max δ) δ, without λ_max by 2 ‖g‖ δ, where ``slope`` is ‖g‖.
    """
    if certificate is None or certificate.lambda_max is None:
        return correction.errors(SAFETY * change, 2.0 * slope)
    return correction.errors(SAFETY * change, slope + 0.5 * certificate.lambda_max * correction.remainder)


def _left(subject: Subject, change: float, noise: float) -> float:
    """Return the error of E with halved steps, from its change by that; one of a few roundings is one itself."""
    return change + noise if change < _ROUNDINGS * noise else SAFETY * subject.left_by_halving * change


def _rows(subject: Subject, measure: Callable[[BranchPoint], tuple[float, float, Errors]]) -> list[ExcessRow]:
    rows, observations, errors = [], [], []
    for point in subject.points:
        subject.checkpoint()
        objective, excess, each = measure(point)
        rows.append(ExcessRow(point.depth, objective, excess))
        reason = subject.unfit(point) or too_noisy(excess, each.total, 1.0, "excess")
        observations.append(Observation(point.depth, excess, each.total, reason))
        errors.append(each)
    return with_orders(rows, observations, errors)
