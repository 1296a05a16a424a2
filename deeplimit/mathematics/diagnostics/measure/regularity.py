"""Regularity of the discrete minimisers: the computable H² bound and the natural boundary conditions (diagnostic 7).

For one layer, ∂E_n/∂A_i = 0 says, with A in {K, b}, w = α_A/T, horizon T, the costate p, and F_i the derivative by A_i
of mean_s ⟨p_{i+1}, f(A_i, X_i)⟩, which for f = σ(KX + b) is mean_s (σ'(z_i) ⊙ p_{i+1}) X_iᵀ, without X_iᵀ for b,

    n² (A_{i+1} − 2A_i + A_{i−1}) = (T/2w) F_i,  0 < i < n − 1,
    n (A_1 − A_0) − τT A_0 = (T/2wn) F_0,   −n (A_{n−1} − A_{n−2}) = the same at n − 1,

differences by t/T in [0, 1], so that T²/α_A = T/w stands where T = 1 has 1/α_A. So second differences are bounded by
(T/2w) mean_s ‖∂⟨p_{i+1}, f⟩/∂A_i‖ (with one sample an equality), uniformly in n, and the boundary residuals fall like
1/n (Thorpe and van Gennip 2023: minimisers of the limit are in H²). For two-layer blocks K stands for K and V. All
of it holds at every stationary point, of which minimisers are some. A gradient g that is not quite 0 moves the first
line by n‖∂E_n/∂A_i‖/(2w) ≤ √2 n^{3/2} ‖g‖/(2w), as ∂E_n/∂A_i = √n (g_i − g_{i+1}) in increment coordinates, and the
second, where ∂E_n/∂A_0 = √(τT) g_0 − √n g_1 and ∂E_n/∂A_{n−1} = √n g_{n−1}, by √(n + τT) ‖g‖/(2w).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.diagnostics.sweeps import at_stages, force_norms, network_sweep
from deeplimit.mathematics.problem.learning_problem import LAYERED, Problem
from deeplimit.mathematics.problem.regime import Integrator, Scaling
from deeplimit.mathematics.study.branches import BranchPoint

_ROUNDING: Final = 16.0


@dataclass(frozen=True)
class Bend:
    """Second differences of one parameter at one depth.

    Attributes
    ----------
    second_difference, bound
        Maxima over the layers 0 < i < n − 1.
    allowance
        For the gradient and for rounding in n² times a difference of three numbers.
    holds
        Whether second difference ≤ bound + allowance in every single layer.
    boundary_0, boundary_1
        ‖n(A_1 − A_0) − τT A_0‖ and n‖A_{n−1} − A_{n−2}‖.
    """

    second_difference: float
    bound: float
    allowance: float
    holds: bool
    boundary_0: float
    boundary_1: float


@dataclass(frozen=True)
class RegularityRow:
    """One depth: K and b, None where there is nothing to say, with the reason."""

    depth: int
    K: Bend | None = None
    b: Bend | None = None
    withheld: dict[str, str] = field(default_factory=dict)


def boundary_residual(bend: Bend) -> float:
    """Return the norm of both boundary residuals."""
    return math.hypot(bend.boundary_0, bend.boundary_1)


def boundary_error(bend: Bend, depth: int, tau: float) -> float:
    """Return how far the gradient and rounding may move ``boundary_residual``.

    The allowance over n, √2 n^{1/2} ‖g‖/(2w) and rounding, times what √(n + τT) is beside √(2n) where that is more,
    and √2 for the two boundaries.

    Parameters
    ----------
    tau
        Of the parameter, times T.
    """
    return math.sqrt(2.0) * bend.allowance / depth * max(1.0, math.sqrt((depth + tau) / (2.0 * depth)))


def measure_regularity(problem: Problem, point: BranchPoint, bounds: dict[str, Tensor] | None = None) -> RegularityRow:
    """Compare the second differences of a network with their bound, which is computed where it is not given."""
    reason = _inapplicable(problem, point)
    withheld = {name: reason or f"{name} is fixed" for name in LAYERED if reason is not None or name in problem.fixed}
    if reason is not None:
        return RegularityRow(point.depth, withheld=withheld)
    bounds = _bounds(point) if bounds is None else bounds
    bends = {
        name: _bend(problem, name, point, getattr(point.parameters, name), bounds[name])
        for name in LAYERED
        if name not in problem.fixed
    }
    return RegularityRow(point.depth, bends.get("K"), bends.get("b"), withheld)


def regularity_rows(subject: Subject) -> list[RegularityRow]:
    """Compare the second differences of every depth with their bounds."""
    rows = []
    for point in subject.points:
        subject.checkpoint()
        known = None if _inapplicable(subject.problem, point) else network_sweep(subject, point).bounds or None
        rows.append(measure_regularity(subject.problem, point, known))
    return rows


def _inapplicable(problem: Problem, point: BranchPoint) -> str | None:
    regime = problem.regime
    if regime.scaling is not Scaling.H1 or regime.constant or regime.integrator is not Integrator.EULER:
        return "the equation is that of Euler layers with varying weights and the h1 regulariser"
    if not problem.smooth:
        return "σ is not differentiable: a minimiser on a kink does not meet the equation"
    if not point.solution.status.optimised:
        return f"the optimisation at depth {point.depth} ended as {point.solution.status.value}"
    if point.depth < 3:
        return "second differences take three layers"
    return None


def _bounds(point: BranchPoint) -> dict[str, Tensor]:
    """Return T mean_s ‖∂⟨p_{i+1}, f⟩/∂A_i‖ for A in {K, b}, (n,) each."""
    network = point.network
    theta = network.stage_parameters(point.solution.u)
    sums = {name: torch.zeros(point.depth, dtype=theta["K"].dtype, device=theta["K"].device) for name in LAYERED}
    for x, y in network.chunks():
        run, adjoint = network.sweep(theta, x, y)
        at = at_stages(network.problem, theta, run, adjoint)
        for name, part in force_norms(network.problem, at, adjoint).items():
            sums[name] += part
    return {name: value * network.problem.regime.horizon for name, value in sums.items()}


def _bend(problem: Problem, name: str, point: BranchPoint, A: Tensor, bound: Tensor) -> Bend:
    n, weight = point.depth, problem.weight(name)
    second = n**2 * (A[2:] - 2.0 * A[1:-1] + A[:-2]).flatten(1).norm(dim=1)
    limit = bound[1:-1] / (2.0 * weight)
    rounding = _ROUNDING * torch.finfo(A.dtype).eps * n**2 * float(A.flatten(1).norm(dim=1).max())
    allowance = math.sqrt(2.0) * n**1.5 * point.solution.gradient_norm / (2.0 * weight) + rounding
    return Bend(
        second_difference=float(second.max()),
        bound=float(limit.max()),
        allowance=allowance,
        holds=bool((second <= limit * (1.0 + 1e-9) + allowance).all()),
        boundary_0=float((n * (A[1] - A[0]) - problem.tau(name) * A[0]).norm()),
        boundary_1=float((n * (A[-1] - A[-2])).norm()),
    )
