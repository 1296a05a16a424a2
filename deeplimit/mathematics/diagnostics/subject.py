"""What every diagnostic looks at, and how well it is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeVar

import torch
from torch import Tensor

from deeplimit.mathematics.diagnostics.coarse_inverse import CoarseInverse
from deeplimit.mathematics.diagnostics.correction import (
    Correction,
    correct_limit,
    correct_network,
    kept_correction,
    refined_flow,
    without_step,
)
from deeplimit.mathematics.diagnostics.errors import Errors
from deeplimit.mathematics.minimise import Solution
from deeplimit.mathematics.minimise.certificate import Certificate, Kind
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.problem.learning_problem import LAYERED, Problem
from deeplimit.mathematics.study.branch_certificates import Certificates
from deeplimit.mathematics.study.branches import BranchPoint, StationaryPoint
from deeplimit.mathematics.study.continuum_fit import ContinuumFit
from deeplimit.mathematics.study.sharpen import Tolerances
from deeplimit.mathematics.study.sweep import Study
from deeplimit.mathematics.watch import passed

_COARSEST: Final = 8
"""Layers whose Hessian tells something of finer ones."""
_Made = TypeVar("_Made")
SMALL_SHARE: Final = 0.1
"""An error is small beside a number when it is below this share of it."""
SAFETY: Final = 1.25
"""Factor on estimates that hold to leading order (Roache 1998, section 5.6)."""


@dataclass(frozen=True)
class Subject:
    """The verdict branch of a study.

    Attributes
    ----------
    points
        Minimisers by increasing depth.
    continuum
        The continuum model, or None.
    data
        ``train`` or ``validation``: what ``inputs`` (S', d), lifted, are.
    targets
        Of ``inputs``, in the form that the loss takes, where these are validation data; None where there are none.
    prediction_scale
        (m,) factors from scaled targets back to the user's units, or None.
    certificates
        Of the verdict branch, as far as they were made.
    checkpoint
        What every diagnostic calls now and then, once for each depth at least; what it raises is passed on.
    deadline
        In seconds of ``time.monotonic``: what is long and optional is withheld from then on, and errors are bounded
        without Newton steps.
    tolerances
        What the branch was minimised to, where that is known.
    kept
        What is computed once for several diagnostics, with what it was made for: a subject that replaces this one has
        it, too.
    """

    study: Study
    inputs: Tensor
    data: str
    prediction_scale: Tensor | None = None
    targets: Tensor | None = None
    certificates: Certificates = field(default_factory=Certificates)
    checkpoint: Callable[[], None] = lambda: None
    deadline: float | None = None
    tolerances: Tolerances | None = None
    kept: dict[tuple[str, str], tuple[tuple[object, ...], Any]] = field(default_factory=dict)

    @property
    def problem(self) -> Problem:
        """The learning problem."""
        return self.study.problem

    @cached_property
    def points(self) -> list[BranchPoint]:
        """Minimisers by increasing depth."""
        return [point for _, point in sorted(self.study.verdict_branch.points.items())]

    @property
    def continuum(self) -> ContinuumFit | None:
        """The continuum model of the verdict branch."""
        return self.study.verdict_branch.continuum

    @property
    def left_by_halving(self) -> float:
        """Share of a change by halving the flow's steps that is left after it, 1/(2^p − 1) for order p."""
        return 1.0 / 15.0 if self.problem.smooth else 1.0 / 3.0

    @property
    def late(self) -> bool:
        """Whether the deadline has passed."""
        return passed(self.deadline)

    @property
    def limit(self) -> ContinuumFit:
        """The continuum model, for what is measured only where there is one."""
        if self.continuum is None:
            raise ValueError("the study has no continuum model")
        return self.continuum

    def objective_errors(self, point: BranchPoint) -> Errors:
        """Estimated errors of a gap E_n* − E_∞*: optimisation at both, integration and basis in the continuum.

        The optimisation errors are the certified ‖g‖²/(2λ_min) where there is one.
        """
        return self.minimum_errors(point) + self.limit_errors

    @cached_property
    def limit_errors(self) -> Errors:
        """The part of ``objective_errors`` that the continuum has; nought without one."""
        if (fit := self.continuum) is None:
            return Errors()
        optimisation = _excess(self.certificates.continuum, fit.solution, self.problem.curvature_floor)
        return Errors(optimisation, SAFETY * fit.step_error, SAFETY * fit.basis_error)

    def minimum_errors(self, point: BranchPoint) -> Errors:
        """Return the part of ``objective_errors`` that depth n alone has."""
        certificate = self.certificates.depths.get(point.depth)
        return Errors(optimisation=_excess(certificate, point.solution, self.problem.curvature_floor))

    def objective_error(self, point: BranchPoint) -> float:
        """Return the sum of ``objective_errors``."""
        return self.objective_errors(point).total

    def parameter_errors(self, point: BranchPoint) -> Errors:
        """Estimated distances from the exact minimisers, at depth n and ∞, in the norm of TL².

        ‖A‖_{L²} ≤ (1/τ + ½)^½ ‖u‖ for increment coordinates u, in which `network_distance` and `limit_distance` are.
        """
        return self.network_errors(point) + self.limit_distance.scaled(self._embedding)

    def network_errors(self, point: BranchPoint) -> Errors:
        """Return the part of ``parameter_errors`` that depth n alone has."""
        return self.network_distance(point).scaled(self._embedding)

    def network_distance(self, point: BranchPoint) -> Errors:
        """Estimated distance of θ_n from the exact minimiser, in increment coordinates."""
        return self.network_correction(point).distance

    @property
    def limit_distance(self) -> Errors:
        """Estimated distance of θ_∞ from the exact minimiser, in increment coordinates; nought without a continuum."""
        return Errors() if self.continuum is None else self.limit_correction.distance

    def network_correction(self, point: BranchPoint) -> Correction:
        """Return where the exact minimiser of depth n is, to first order.

        Where no Newton step is known, its distance is the certified ‖g‖/λ_min, else √(2 error/λ) with λ = 2 min α, the
        Hessian's value in directions that the data do not see.
        """

        def correct() -> Correction:
            certificate = self.certificates.depths.get(point.depth)
            known = Errors(_distance(certificate, point.solution, self.problem.curvature_floor))
            if self.late:
                return without_step(point.network, point.solution.u, known)
            coarse = self._coarse_inverse(point)
            return kept_correction(point.network, point, lambda: correct_network(point, certificate, known, coarse))

        return self.once("correction", point, correct, point.certificate)

    @property
    def limit_correction(self) -> Correction:
        """Where the exact minimiser of E_∞ is, to first order.

        Where no Newton step is known, optimisation as for `network_correction`; integration: what the gradient changes
        by when the steps are halved, over λ; basis: √(2 error/λ).
        """
        fit, certificate, floor = self.limit, self.certificates.continuum, self.problem.curvature_floor

        def correct() -> Correction:
            if self.late:
                found = correct_limit(fit, None)
            else:
                found = kept_correction(refined_flow(fit), fit, lambda: correct_limit(fit, certificate))
            if found.step is not None:
                return found
            known = Errors(
                optimisation=_distance(certificate, fit.solution, floor),
                integration=_over(self._step_gradient(), floor),
                discretisation=math.sqrt(_over(2.0 * max(fit.basis_error, 0.0), floor)),
            )
            return without_step(found.objective, found.start, known)

        return self.once("correction", fit, correct, fit.certificate)

    def _coarse_inverse(self, point: BranchPoint) -> CoarseInverse | None:
        """Return what the two coarsest depths that are certified, and not too coarse, tell of finer Hessians."""
        certificates = self.certificates.depths
        strict = [
            coarse
            for coarse in self.points
            if _COARSEST <= coarse.depth < point.depth
            and (known := certificates.get(coarse.depth)) is not None
            and known.kind is Kind.STRICT_MINIMUM
        ][:2]
        if len(strict) < 2:
            return None
        return self.once("coarse inverse", strict[0], lambda: CoarseInverse(*strict), strict[1])

    def once(self, what: str, point: StationaryPoint, make: Callable[[], _Made], *of: object) -> _Made:
        """Return what was made of the same solution, and of the same other things, before, or make it.

        Parameters
        ----------
        of
            Compared by identity; what has a solution by that.
        """
        made_of = tuple(getattr(each, "solution", each) for each in (point, *of))
        known = self.kept.get((what, point.name))
        if known is None or any(one is not other for one, other in zip(known[0], made_of, strict=True)):
            self.checkpoint()
            known = self.kept[what, point.name] = made_of, make()
        made: _Made = known[1]
        return made

    @property
    def _embedding(self) -> float:
        taus = [self.problem.tau(name) for name in LAYERED if name not in self.problem.fixed]
        return max([1.0, *(math.sqrt(1.0 / tau + 0.5) for tau in taus)])

    def _step_gradient(self) -> float:
        """Return how far the continuum's gradient is moved by its steps, from the change by halving them."""
        fit = self.limit
        if not fit.solution.status.optimised:
            return 0.0
        finer = Flow(self.problem, fit.flow.basis, 2 * fit.flow.steps).evaluate(fit.solution.u).gradient
        change = float(torch.linalg.vector_norm(finer - fit.solution.evaluation.gradient))
        return (1.0 + self.left_by_halving) * change

    def unfit(self, point: BranchPoint) -> str | None:
        """Return why nothing may be said about convergence at a depth, or None."""
        if not point.solution.status.optimised:
            return f"the optimisation at depth {point.depth} ended as {point.solution.status.value}"
        if _saddle(self.certificates.depths.get(point.depth)):
            return f"the stationary point at depth {point.depth} is a saddle"
        if point.depth in self.study.verdict_branch.left:
            return f"depth {point.depth} is not on the verdict branch"
        if self.continuum is not None and not self.continuum.solution.status.optimised:
            return f"the optimisation of the continuum ended as {self.continuum.solution.status.value}"
        if _saddle(self.certificates.continuum):
            return "the stationary point of the continuum is a saddle"
        return None


def _saddle(certificate: Certificate | None) -> bool:
    return certificate is not None and certificate.kind is Kind.SADDLE


def _excess(certificate: Certificate | None, solution: Solution, floor: float) -> float:
    if certificate is None or certificate.optimisation_error is None:
        # In a valley without a floor a small gradient bounds nothing.
        return solution.error_estimate if floor > 0.0 else math.inf
    return certificate.optimisation_error


def _distance(certificate: Certificate | None, solution: Solution, floor: float) -> float:
    if certificate is None or certificate.distance is None:
        return math.sqrt(_over(2.0 * max(solution.error_estimate, 0.0), floor))
    return certificate.distance


def _over(value: float, curvature: float) -> float:
    return value / curvature if curvature > 0.0 else math.inf
