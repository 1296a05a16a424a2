"""Second-order certificates (diagnostic 6): what kind of stationary point a solution is, and how far from exact.

λ_min is the smallest eigenvalue of ∇²E in increment coordinates, where the Hessian is 2α and a compact operator, so
that its value at depth n tends to the continuum's (a basis holds finitely many directions, so that its own λ_min may be
a little above 2α, where the spectrum of the operator accumulates). λ_min > 0 certifies a strict local minimum, and then
E(u) − E* ≤ ‖g‖²/(2λ_min) and ‖u − u*‖ ≤ ‖g‖/λ_min to leading order (Nocedal and Wright 2006, theorem 2.4;
Thorpe and van Gennip 2023 give existence only). λ_min < 0 is a saddle, with the direction along which E
falls.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.journal import Step, Value, begin_step
from deeplimit.mathematics.minimise import Solution
from deeplimit.mathematics.minimise.davidson import LEAST, RitzPair, smallest_eigenvalue
from deeplimit.mathematics.minimise.lbfgs import InverseHessian
from deeplimit.mathematics.minimise.memory import vectors_that_fit
from deeplimit.mathematics.minimise.searched import Searched
from deeplimit.mathematics.minimise.solution import rounding
from deeplimit.mathematics.model.objective import DiscretisedObjective
from deeplimit.mathematics.problem.learning_problem import Problem
from deeplimit.mathematics.watch import OutOfTimeError

_SEED: Final = 0
_SHARP: Final = (1e-5, 120)
"""Tolerance of the residual, relative to θ, and most products; for few coordinates and for random starts."""
_QUICK: Final = (5e-2, 60)
"""The same for many coordinates from a nearby eigenvector; θ errs by about ρ², not ρ."""
_KEPT: Final = 24
"""The lowest Ritz vectors of a search that the next one is preconditioned by, at most, ..."""
_MOST_KEPT: Final = 2**22
"""... and numbers in them, or an eighth of what a basis may have; their products double both."""
_FEWEST_KEPT: Final = 4
_LEAST_WARM: Final = 6
"""The least from a nearby eigenvector with a preconditioner: where another eigenvalue has crossed below the one that is
expected, three products miss it in 12 to 60 % of random operators, and six in none of 180 (−0.1 · 2α)."""
FEW_COORDINATES: Final = 4096
"""Up to so many coordinates a sharp certificate costs little beside the training, so that every point gets one."""
_MIX: Final = 0.3
"""Share of a random vector in a warm start, so that a new direction is found as well."""
_MIX_PRECONDITIONED: Final = 0.3
"""The same of a random vector that the preconditioner has rid of all steep directions."""
_MOST_NUMBERS: Final = 3 * 2**24
"""Numbers in a basis, which its products double; fewer are made when they do not fit, none below ``_FEWEST``."""
_FEWEST: Final = 20
_FLAT_SHARE: Final = 1e-4
"""A curvature below this share of 2 min α is not told from 0."""
_SETTLED: Final = 0.1
"""A residual below this share of what is not told from 0 is small enough."""
_OUT_OF_TIME: Final = "the time limit was reached"
_ASTRAY: Final = 10.0
"""A negative curvature below so many times ‖g‖ may be that of a point beside the stationary one."""


class Kind(StrEnum):
    """What second derivatives say about a stationary point."""

    STRICT_MINIMUM = "strict_minimum"
    SADDLE = "saddle"
    DEGENERATE = "degenerate"


@dataclass(frozen=True)
class NearbyEigenvector:
    """What the certificate of a model nearby says of another.

    Attributes
    ----------
    vector
        Its eigenvector of least curvature in the other's coordinates, (length,), not 0.
    largest
        Its largest Ritz value.
    searched
        What its search tells of the Hessian, in the other's coordinates.
    """

    vector: Tensor
    largest: float
    searched: Searched | None = None

    def preconditioner(self, inverse: InverseHessian) -> Callable[[Tensor], Tensor]:
        """Return what was learnt of the other's inverse Hessian, made better by the search."""
        return inverse.apply if self.searched is None else self.searched.improved(inverse.apply)

    def mixed(self, draw: Tensor, precondition: Callable[[Tensor], Tensor] | None) -> Tensor:
        """Return the eigenvector mixed with a random unit vector, rid of steep directions where that is to be had."""
        if precondition is None:
            return _unit(self.vector) + _MIX * draw
        return _unit(self.vector) + _MIX_PRECONDITIONED * _unit(precondition(draw))


@dataclass(frozen=True)
class Certificate:
    """What is known about one stationary point.

    Attributes
    ----------
    lambda_min, lambda_min_error
        θ and the residual bound: an eigenvalue lies in θ ± error, and λ_min ≤ θ.
    lambda_max
        The largest Ritz value, here or of a model nearby: a lower bound of the largest eigenvalue, or close to it.
    optimisation_error
        ‖g‖²/(2(λ_min − error)) or rounding, whichever is larger; None unless the point is a strict minimum.
    distance
        ‖g‖/(λ_min − error), the same way, in increment coordinates.
    vector
        The direction of least curvature (length,), to leave a saddle along.
    searched
        What the search tells of the Hessian, for models nearby, until these are certified.
    """

    lambda_min: float | None = None
    lambda_min_error: float | None = None
    lambda_max: float | None = None
    kind: Kind | None = None
    optimisation_error: float | None = None
    distance: float | None = None
    products: int = 0
    vector: Tensor | None = None
    withheld: dict[str, str] = field(default_factory=dict)
    searched: Searched | None = field(default=None, repr=False)


def certify(
    objective: DiscretisedObjective,
    solution: Solution,
    near: NearbyEigenvector | None = None,
    *,
    cheaper: DiscretisedObjective | None = None,
    stop: Callable[[], bool] | None = None,
) -> Certificate:
    """Certify one solution.

    Parameters
    ----------
    near
        Where the eigenvector is expected. With what was learnt of the inverse Hessian while minimising a few products
        are then enough.
    cheaper
        An objective in the same coordinates, close to ``objective``, to seek the eigenvector with; λ_min and its error
        are then the Rayleigh quotient and residual of ``objective`` itself.
    stop
        Asked before every product; no more are made when it says so.
    """
    problem = objective.problem
    if not problem.smooth:
        return _null("the objective is not twice differentiable")
    if not solution.status.optimised:
        return _null(f"the optimisation ended as {solution.status.value}")
    length = objective.coordinates.length
    inverse = solution.inverse if near is not None and problem.curvature_floor > 0.0 else None
    sharp = near is None or length <= FEW_COORDINATES
    tolerance, most = _SHARP if sharp else _QUICK
    most = vectors_that_fit(length, solution.u.element_size(), _most_bytes(problem), least=0, most=most)
    if most < min(_FEWEST, length):
        return _null(f"{length} coordinates are too many for an eigenvalue in the memory that it may use")
    precondition = None if inverse is None or near is None else near.preconditioner(inverse)
    generator = torch.Generator().manual_seed(_SEED)
    draw = _unit(torch.randn(length, generator=generator, dtype=torch.float64).to(solution.u))
    if near is not None:
        draw = near.mixed(draw, precondition)
    tolerance = max(tolerance, math.sqrt(torch.finfo(draw.dtype).eps))
    least = LEAST if inverse is None else _LEAST_WARM
    search = _Search(objective, cheaper, solution, draw, near, precondition, (tolerance, most, least))
    step = begin_step("certify", solution.u, draw)
    if step.done is not None:
        return _certificate_of(step.done)
    try:
        return _null(_OUT_OF_TIME) if stop is not None and stop() else search.certificate(step, stop)
    except OutOfTimeError:  # within a product
        return _null(_OUT_OF_TIME)


@dataclass(frozen=True)
class _Search:
    """A search for the least curvature, with its tolerance, and the most and the least products."""

    objective: DiscretisedObjective
    cheaper: DiscretisedObjective | None
    solution: Solution
    draw: Tensor
    near: NearbyEigenvector | None
    precondition: Callable[[Tensor], Tensor] | None
    limits: tuple[float, int, int]

    def certificate(self, step: Step, stop: Callable[[], bool] | None) -> Certificate:
        """Search, and say what it found; the step is told, too, unless it was stopped."""
        pair, whole = self._pair(step, stop)
        if self.cheaper is not None and math.isfinite(pair.value):
            pair = _rayleigh(self.objective, self.solution.u, pair)
        if not math.isfinite(pair.value):
            return _null("a product with the Hessian is not finite")
        if self.near is not None:
            pair = replace(pair, largest=max(pair.largest, self.near.largest))
        found = judge(self.objective.problem, self.solution, pair)
        if whole:
            step.ended(_value_of(found))
        return found

    def _pair(self, step: Step, stop: Callable[[], bool] | None) -> tuple[RitzPair, bool]:
        """Return the pair, and whether the search went to its end."""
        stopped = False

        def asked() -> bool:
            nonlocal stopped
            stopped = stop is not None and stop()
            return stopped

        tolerance, most, least = self.limits
        problem = self.objective.problem
        pair = smallest_eigenvalue(
            (self.cheaper or self.objective).linearise(self.solution.u).hessian_product,
            self.draw,
            precondition=self.precondition,
            tolerance=tolerance,
            absolute=_SETTLED * _flat(problem, self.solution),
            least_products=least,
            max_products=most,
            kept=_kept(problem, len(self.draw)),
            stop=asked,
            kept_by=step,
        )
        return pair, not stopped


def _value_of(found: Certificate) -> Value:
    """Return a certificate as a journal keeps it."""
    kind, searched = found.kind, found.searched
    return {
        **vars(found),
        "kind": None if kind is None else kind.value,
        "searched": None if searched is None else [searched.vectors, searched.products],
    }


def _certificate_of(value: Value) -> Certificate:
    kind, searched = value["kind"], value["searched"]
    kind = None if kind is None else Kind(kind)
    return Certificate(**{**value, "kind": kind, "searched": None if searched is None else Searched(*searched)})


def carried_over(certificate: Certificate | None, solution: Solution) -> Certificate | None:
    """Return a strict minimum's certificate for a solution that was minimised on from there, None for any other.

    The Hessian changes by some of what the solution moved by, which is no more than the distance that the certificate
    bounded; the gradient is the new one. The eigenvector is kept where the coordinates are.
    """
    if certificate is None or certificate.kind is not Kind.STRICT_MINIMUM:
        return None
    lower = (certificate.lambda_min or 0.0) - (certificate.lambda_min_error or 0.0)
    vector = certificate.vector
    if vector is not None and vector.shape != solution.u.shape:
        vector = None
    return replace(_with_errors(certificate, solution, lower), vector=vector)


def judge(problem: Problem, solution: Solution, pair: RitzPair) -> Certificate:
    """Say what a Ritz pair of the Hessian means for a solution.

    A curvature below ‖g‖, or below a ten-thousandth of 2 min α, is as good as 0: an exact symmetry's direction, along
    which the Hessian vanishes at a stationary point, shows ‖g‖ times a constant where the gradient is not quite 0.
    Without a regulariser, valleys are flat and their floor is only known to a part of it: there a curvature below
    √eps of the largest is as good as 0.

    The stationary point is ‖g‖/κ away, κ the curvature that g meets, and the Hessian changes by some κ over a unit of
    these coordinates: along a valley whose curvature is 0 at the stationary point, vᵀHv is some ‖g‖ of either sign
    beside it. Measured along valleys of unregularised networks: 0.2 to 3.9 times ‖g‖ for ‖g‖ from 1e-4 to 1e-10. A
    saddle is what is steeper than `_ASTRAY` times ‖g‖.
    """
    value, error = pair.value, pair.error
    flat = _flat(problem, solution)
    if problem.curvature_floor == 0.0:
        flat = max(flat, math.sqrt(torch.finfo(pair.vector.dtype).eps) * abs(pair.largest))
    common = {
        "lambda_min": value,
        "lambda_min_error": error,
        "lambda_max": pair.largest,
        "products": pair.products,
        "vector": pair.vector,
        "searched": pair.searched,
    }
    # A Rayleigh quotient is never below λ_min: a negative one settles the sign whatever its residual.
    if value < -max(flat, _ASTRAY * solution.gradient_norm):
        reason = "the point is a saddle: E falls along the direction of negative curvature"
        return Certificate(**common, kind=Kind.SADDLE, withheld={"optimisation_error": reason})  # type: ignore[arg-type]  # a mapping of mixed values
    # A residual that is small after a few products may belong to any eigenvalue, not the smallest.
    settled = pair.converged or pair.products >= min(LEAST, len(pair.vector))
    if value - error > flat and settled:
        strict = Certificate(**common, kind=Kind.STRICT_MINIMUM)  # type: ignore[arg-type]  # a mapping of mixed values
        return _with_errors(strict, solution, value - error)
    if pair.converged:
        reason = "the smallest eigenvalue is not told from 0"
        return Certificate(**common, kind=Kind.DEGENERATE, withheld={"optimisation_error": reason})  # type: ignore[arg-type]  # likewise
    reason = f"{pair.products} Hessian-vector products do not settle the sign of the smallest eigenvalue"
    return Certificate(**common, withheld={"kind": reason, "optimisation_error": reason})  # type: ignore[arg-type]  # likewise


def _with_errors(certificate: Certificate, solution: Solution, lower: float) -> Certificate:
    """Return a strict minimum's certificate with what the gradient and the least curvature make of the errors."""
    g, noise = solution.gradient_norm, rounding(solution.evaluation)
    return replace(
        certificate,
        optimisation_error=max(g * g / (2.0 * lower), noise),
        distance=max(g / lower, math.sqrt(2.0 * noise / lower)),
    )


def _flat(problem: Problem, solution: Solution) -> float:
    """Return the curvature that is not told from 0."""
    return max(solution.gradient_norm, _FLAT_SHARE * problem.curvature_floor)


def _rayleigh(objective: DiscretisedObjective, u: Tensor, pair: RitzPair) -> RitzPair:
    product = objective.linearise(u).hessian_product(pair.vector)
    value = float(pair.vector @ product)
    residual = float(torch.linalg.vector_norm(product - value * pair.vector))
    noise = math.sqrt(pair.products) * torch.finfo(u.dtype).eps * abs(pair.largest)
    return replace(pair, value=value, error=residual + noise, products=pair.products + 1)


def _unit(v: Tensor) -> Tensor:
    return torch.nn.functional.normalize(v, dim=0, eps=0.0)


def _null(reason: str) -> Certificate:
    return Certificate(withheld=dict.fromkeys(("lambda_min", "lambda_min_error", "kind", "optimisation_error"), reason))


def _kept(problem: Problem, length: int) -> int:
    """Return how many Ritz vectors are kept."""
    most = min(_MOST_KEPT, _most_bytes(problem) // problem.x.element_size() // 8) // length
    return min(_KEPT, most) if most >= _FEWEST_KEPT else 0


def _most_bytes(problem: Problem) -> int:
    """Return the bytes that a Krylov basis may take: half of the vectors' where they are bounded, as pairs are kept."""
    wanted, allowed = _MOST_NUMBERS * problem.x.element_size(), problem.memory.vectors
    return wanted if allowed is None else min(wanted, allowed // 2)
