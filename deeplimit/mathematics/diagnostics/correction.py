"""Where the exact minimisers are, to first order: a Newton step from each that was trained, of bounded cost.

The step s solves H s = −g to a relative residual of 1e-2 by a few conjugate gradients; of the continuum in a finer
basis and with finer steps, where its gradient also has what basis and steps hide. What a quantity changes by along s is
its error to first order, where a bound ‖∇Q‖‖g‖/λ_min is often a hundred times too wide: predictions, say, change in
stiff directions only. The gradient at u + s, rounding included, over λ_min is the distance that s leaves, in no known
direction (compare the dual-weighted residuals of Becker and Rannacher 2001, which weight g by H⁻¹∇Q instead).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.diagnostics.coarse_inverse import CoarseInverse
from deeplimit.mathematics.diagnostics.errors import Errors
from deeplimit.mathematics.journal import begin_step
from deeplimit.mathematics.kernels.tableau import RK4
from deeplimit.mathematics.minimise.carried_inverse import KnownCurvature, inverse_hessian_of
from deeplimit.mathematics.minimise.certificate import Certificate, Kind
from deeplimit.mathematics.minimise.lbfgs import InverseHessian
from deeplimit.mathematics.minimise.newton_cg import newton_direction
from deeplimit.mathematics.minimise.solution import gradient_norm
from deeplimit.mathematics.model.coordinates import ContinuumBasis, LegendreIncrements, PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters, Flow
from deeplimit.mathematics.model.objective import DiscretisedObjective
from deeplimit.mathematics.problem.learning_problem import LAYERED
from deeplimit.mathematics.study.branches import BranchPoint, StationaryPoint
from deeplimit.mathematics.study.continuum_fit import ContinuumFit

PRODUCTS: Final = 12
"""Hessian-vector products for one point, at most; data bend the Hessian in few directions."""
_RESIDUAL: Final = 1e-2
_STEPS: Final = 2
"""Newton steps, at most; the second mends what a cheaper Hessian and curvature that changes left."""
_FINER: Final = 3
"""Factor of the refined steps. On polynomials they err like degree⁶/steps⁴, so that they are refined the most."""
_MANY_STEPS: Final = 12
"""Steps for each degree from which on the error of steps falls regularly when they are halved."""
_CONTRACTS: Final = 0.2
"""A step of the limit that leaves less of the gradient than this share tells what the next one will."""
_SAFETY: Final = 1.25
"""Factor on what coarse depths differ by."""
_FEWEST_STEPS: Final = 16
"""Steps of a flow whose Hessian stands for the refined one, at least."""


@dataclass(frozen=True)
class Correction:
    """A Newton step and the distance that it leaves.

    Attributes
    ----------
    step
        In flat coordinates of ``objective``; None where none is known, and all is left.
    start
        What it starts from: the coordinates of what was trained.
    distance
        In increment coordinates, from the exact minimiser to the one that was trained, by source.
    remainder
        The part of the distance whose direction is not known.
    decrease
        Of E along the step, to second order: ½ |gᵀs|.
    """

    objective: DiscretisedObjective
    step: Tensor | None
    start: Tensor
    distance: Errors
    remainder: float
    decrease: float = 0.0

    def errors(self, change: float, sensitivity: float) -> Errors:
        """Return what a number errs by, by source.

        Parameters
        ----------
        change
            What it changes by along the step, 0 without one.
        sensitivity
            Norm of its gradient in increment coordinates, for what the step leaves.
        """
        total = self.distance.total
        if not 0.0 < total < math.inf:
            return self.distance.scaled(sensitivity) if total else Errors(optimisation=change)
        return self.distance.scaled((change + sensitivity * self.remainder) / total)

    def along(self, gradient: Tensor) -> float:
        """Return by how much a number changes along the step, from its gradient (length,); 0 without a step."""
        return 0.0 if self.step is None else abs(float(gradient @ self.step))

    @property
    def u(self) -> Tensor | None:
        """The corrected flat coordinates, or None."""
        return None if self.step is None else self.start + self.step

    @property
    def limit_step(self) -> ContinuumParameters | None:
        """The step as functions, where the objective is the continuum's, or None."""
        if self.step is None or not isinstance(self.objective, Flow):
            return None
        return self.objective.parameters(self.step)

    @property
    def limit(self) -> ContinuumParameters | None:
        """The corrected θ_∞ where the objective is the continuum's, or None."""
        u = self.u
        return None if u is None or not isinstance(self.objective, Flow) else self.objective.parameters(u)


def without_step(objective: DiscretisedObjective, start: Tensor, distance: Errors) -> Correction:
    """Return a correction of which nothing but the distance is known."""
    return Correction(objective, None, start, distance, distance.total)


def correct_network(
    point: BranchPoint, certificate: Certificate | None, distance: Errors, coarse: CoarseInverse | None = None
) -> Correction:
    """Return the Newton step of one depth, if it is certified to be a minimum; ``distance`` is known without it.

    Parameters
    ----------
    coarse
        Gives the step where it serves this depth; conjugate gradients at the depth itself give others.
    """
    lower, network, u = _certified(certificate), point.network, point.solution.u
    if lower is None:
        return without_step(network, u, distance)
    gradient = point.solution.evaluation.gradient
    if coarse is not None and coarse.serves(network):
        found = coarse.step(point, lower)
        if found is not None and bool(torch.isfinite(found[0]).all()):
            correction = _corrected(network, found[0], u, gradient, _SAFETY * found[1])
            return correction if correction.distance.total <= distance.total else without_step(network, u, distance)
    solved = _solve(network, u, gradient, point.solution.inverse)
    if solved is None:
        return without_step(network, u, distance)
    step, left = solved
    return _corrected(network, step, u, gradient, left / lower)


def correct_limit(fit: ContinuumFit, certificate: Certificate | None) -> Correction:
    """Return the same for the continuum, in a finer basis and with finer steps; without a step nothing is known."""
    unknown, lower = Errors(math.inf), _certified(certificate)
    refined = refined_flow(fit)
    start = refined.encode(fit.parameters)
    if lower is None:
        return without_step(refined, start, unknown)
    gradient = _refined_gradient(refined, fit.flow.steps, start)
    cheap = _cheaper(refined)
    own = Flow(fit.flow.problem, refined.basis, min(fit.flow.steps, _FINER * cheap.steps))
    known = inverse_hessian_of(refined, KnownCurvature(fit.flow, fit.solution.inverse))
    solved = _solve_limit(cheap, own, start, gradient, known)
    if solved is None:
        return without_step(refined, start, unknown)
    step, left = solved
    found = _corrected(refined, step, start, gradient, left / lower)
    return replace(found, distance=_by_source(fit, refined, gradient).scaled(found.distance.total))


def refined_flow(fit: ContinuumFit) -> Flow:
    """Return the flow that the continuum's step is one of: in a finer basis, with finer steps."""
    return Flow(fit.flow.problem, _finer(fit.flow.basis), _FINER * fit.flow.steps)


def kept_correction(
    objective: DiscretisedObjective, point: StationaryPoint, make: Callable[[], Correction]
) -> Correction:
    """Return the correction of a point, in the coordinates of an objective, from the journal or by making it."""
    step = begin_step("correction", point.solution.u, point.solution.evaluation.gradient)
    if step.done is not None:
        return Correction(objective, **{**step.done, "distance": Errors(**step.done["distance"])})
    found = make()
    value = {name: each for name, each in vars(found).items() if name != "objective"}
    step.ended({**value, "distance": dict(vars(found.distance))})
    return found


def _refined_gradient(refined: Flow, own: int, start: Tensor) -> Tensor:
    """Return the gradient with refined steps; by extrapolation (Richardson 1911) where the model's own are many."""
    problem, basis = refined.problem, refined.basis
    if own % 2 or own < _MANY_STEPS * basis.size or not isinstance(basis, LegendreIncrements) or not problem.smooth:
        return refined.evaluate(start).gradient
    fine, coarse = (Flow(problem, basis, steps).evaluate(start).gradient for steps in (own, own // 2))
    return fine.add(fine - coarse, alpha=1.0 / (2.0**RK4.order - 1.0))


def _solve_limit(
    cheap: Flow, own: Flow, start: Tensor, gradient: Tensor, inverse: InverseHessian
) -> tuple[Tensor, float] | None:
    """Return the step and the norm of the gradient that it leaves, or None where the Hessian is not positive.

    The Hessian is that of few steps, whose error on high degrees a second step mends. What a step changes the gradient
    by is looked at with more steps; what those err by at its start is in the gradient, and hardly changes: by a small
    part of what the Hessian of few steps errs by, which the first step shows.
    """
    product = cheap.linearise(start).hessian_product
    unseen = 0.0 if own.steps <= cheap.steps else 1.0 / ((own.steps / cheap.steps) ** RK4.order - 1.0)
    precondition = inverse.apply if inverse.known else None
    step, g, products = torch.zeros_like(start), gradient, PRODUCTS
    most, before = float(torch.linalg.vector_norm(gradient)), None
    left, share, missed = most, 1.0, 0.0
    for _ in range(_STEPS):
        if left <= _RESIDUAL * most or not products:
            break
        newton = newton_direction(product, g, limit=products, residual=_RESIDUAL, precondition=precondition)
        if newton.negative_curvature or not bool(torch.isfinite(newton.direction).all()):
            return None
        products -= newton.products
        trial = step + newton.direction
        if before is not None and share < _CONTRACTS:
            # The first step has told what one leaves.
            return trial, 2.0 * share * left + missed
        before = own.evaluate(start).gradient if before is None else before
        after = gradient + own.evaluate(start + trial).gradient - before
        reached = float(torch.linalg.vector_norm(after))
        if not reached < left:
            left = max(left, min(reached, most))
            break
        step, g, left, share = trial, after, reached, reached / left
        missed = max(missed, unseen * reached)
    return step, left + missed


def _corrected(
    objective: DiscretisedObjective, step: Tensor, start: Tensor, gradient: Tensor, left: float
) -> Correction:
    """Return a correction by a step that leaves a distance, and its own rounding."""
    left += torch.finfo(start.dtype).eps * float(torch.linalg.vector_norm(start))
    total = float(torch.linalg.vector_norm(step)) + left
    return Correction(objective, step, start, Errors(optimisation=total), left, 0.5 * abs(float(gradient @ step)))


def _solve(
    objective: DiscretisedObjective, start: Tensor, gradient: Tensor, inverse: InverseHessian | None
) -> tuple[Tensor, float] | None:
    """Return the step and the norm of the gradient that it leaves, or None where the Hessian is not positive."""
    precondition = None if inverse is None else inverse.apply
    product = objective.linearise(start).hessian_product
    u, g, products = start, gradient, PRODUCTS
    most = float(torch.linalg.vector_norm(gradient))
    left, enough = most, _RESIDUAL * most
    for _ in range(_STEPS):
        if left <= enough or not products:
            break
        newton = newton_direction(product, g, limit=products, residual=_RESIDUAL, precondition=precondition)
        if newton.negative_curvature or not bool(torch.isfinite(newton.direction).all()):
            return None
        products -= newton.products
        trial = u + newton.direction
        after = objective.evaluate(trial).gradient
        reached = float(torch.linalg.vector_norm(after))
        if not reached < left:
            # A gradient that no step makes smaller is rounding, of the size that it has at either point.
            left = max(left, min(reached, most))
            break
        u, g, left = trial, after, reached
    return u - start, left


def _by_source(fit: ContinuumFit, refined: Flow, gradient: Tensor) -> Errors:
    """Return the shares of the refined gradient that optimisation, steps and basis have, in norm."""
    parts, own = refined.coordinates.unpack(gradient), fit.flow.coordinates.unpack(fit.solution.evaluation.gradient)
    basis = steps = 0.0
    for name, part in parts.items():
        kept, extra = part, None
        if name in LAYERED:
            kept, extra = _split(fit.flow.basis, part)
            basis += float(extra.square().sum())
        steps += float((kept - own[name]).square().sum())
    norms = Errors(gradient_norm(fit.solution.evaluation), math.sqrt(steps), math.sqrt(basis))
    return norms.scaled(1.0 / norms.total) if norms.total else Errors(1.0)


def _split(basis: ContinuumBasis, g: Tensor) -> tuple[Tensor, Tensor]:
    """Return a refined basis' gradient as the basis sees it, and what is orthogonal to it."""
    if isinstance(basis, LegendreIncrements):
        return g[: basis.size], g[basis.size :]
    # Halving a cell splits its increment in two equal parts over √2.
    pairs = (g[1::2] + g[2::2]) / math.sqrt(2.0), (g[1::2] - g[2::2]) / math.sqrt(2.0)
    return torch.cat([g[:1], pairs[0]]), pairs[1]


def _finer(basis: ContinuumBasis) -> ContinuumBasis:
    if isinstance(basis, LegendreIncrements):
        return LegendreIncrements(basis.degree + math.ceil(basis.degree / 2))
    return PiecewiseLinearIncrements(2 * basis.cells)


def _cheaper(refined: Flow) -> Flow:
    """Return the flow with as few steps as the basis allows, whose Hessian differs by the steps' error alone."""
    if not isinstance(refined.basis, LegendreIncrements):
        return refined
    steps = max(_FEWEST_STEPS, refined.basis.size)
    return Flow(refined.problem, refined.basis, steps) if steps < refined.steps else refined


def _certified(certificate: Certificate | None) -> float | None:
    """Return the certified lower bound of λ_min, or None."""
    if certificate is None or certificate.kind is not Kind.STRICT_MINIMUM:
        return None
    return (certificate.lambda_min or 0.0) - (certificate.lambda_min_error or 0.0)
