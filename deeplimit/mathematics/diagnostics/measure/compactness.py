"""Compactness: what keeps a sequence of discrete minimisers from becoming rough (diagnostic 8).

Every θ_n with E_n(θ_n) ≤ E_n(0) = C has α_A R_n(A) ≤ C, so R_n is bounded, and by Cauchy and Schwarz

    ‖A_i − A_j‖ ≤ Σ ‖A_k − A_{k−1}‖ ≤ (|i − j| T/n)^½ ((n/T) Σ ‖A_k − A_{k−1}‖²)^½ ≤ √(C/α_A) |t_i − t_j|^½.

Global minimisers are such θ_n, and so is every local minimiser or other point that does not lie above the null network,
which has zeros for all that is trained; a local minimiser above it need not obey the bound. C is the same at every
depth where K and b are trained, as the null network's states are then x + tσ(0) at t = t_i (but for a running cost of
σ(0) ≠ 0, whose sum is not the same), so that the equicontinuity does not depend on n: the compactness half of
Γ-convergence (Thorpe and van Gennip 2023; by Ascoli and Arzelà).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.problem.learning_problem import LAYERED, Problem
from deeplimit.mathematics.problem.regime import Scaling
from deeplimit.mathematics.study.branches import BranchPoint

_MOST_WORK: Final = 4e9
"""Numbers gone through for a Hölder quotient over all pairs of layers."""
_AT_ONCE: Final = 2**20
"""Pairs that are compared at once."""


@dataclass(frozen=True)
class CompactnessRow:
    """One depth.

    Attributes
    ----------
    R_K, R_b
        R_n of K and b, without α; 0 for a fixed one.
    holder
        max_{i≠j} ‖K_i − K_j‖ / |t_i − t_j|^½; of b where K is fixed.
    holder_bound
        √(C/α_K), C = E_n(0); with α_b where K is fixed.
    bounded
        Whether K and b are within their bounds and α_K R_K + α_b R_b ≤ C. It follows from E_n(θ_n) ≤ C.
    """

    depth: int
    R_K: float
    R_b: float
    holder: float | None = None
    holder_bound: float | None = None
    bounded: bool | None = None
    withheld: dict[str, str] = field(default_factory=dict)


def measure_compactness(
    problem: Problem, point: BranchPoint, checkpoint: Callable[[], None] | None = None, null: float | None = None
) -> CompactnessRow:
    """Compare the Hölder quotients of a network's parameters with their a-priori bounds.

    Parameters
    ----------
    null
        E_n(0), where it is known from another depth.
    """
    functions = {"K": point.parameters.K, "b": point.parameters.b}
    sizes = {name: regulariser(problem, name, functions[name]) for name in LAYERED}
    row = CompactnessRow(point.depth, sizes["K"], sizes["b"])
    trained = [name for name in LAYERED if name not in problem.fixed]
    reason = None
    if not trained:
        reason = "K and b are fixed"
    elif sum(point.depth**2 * functions[name][0].numel() for name in trained) > _MOST_WORK:
        reason = "there are too many pairs of layers to compare"
    if reason is not None:
        return replace(row, withheld={"holder": reason, "holder_bound": reason})
    root = math.sqrt(problem.regime.horizon)
    quotients = {name: quotient(functions[name], checkpoint) / root for name in trained}
    row = replace(row, holder=quotients[trained[0]])
    if problem.regime.scaling is not Scaling.H1 or problem.regime.constant:
        reason = "the bound is that of the h1 regulariser with varying weights"
        return replace(row, withheld={"holder_bound": reason})
    alpha = problem.regularisation.alpha
    at_zero = (1.0 + 1e-9) * (_at_null(problem, point) if null is None else null)
    within = all(quotients[name] <= math.sqrt(at_zero / alpha[name]) for name in trained)
    return replace(
        row,
        holder_bound=math.sqrt(at_zero / alpha[trained[0]]),
        bounded=within and sum(alpha[name] * sizes[name] for name in trained) <= at_zero,
    )


def compactness_rows(subject: Subject) -> list[CompactnessRow]:
    """Compare the Hölder quotients of every depth with their bounds."""
    problem, null, rows = subject.problem, None, []
    for point in subject.points:
        if null is None or problem.fixed or problem.regime.running_cost:
            null = _at_null(problem, point)
        rows.append(measure_compactness(problem, point, subject.checkpoint, null))
        subject.checkpoint()
    return rows


def _at_null(problem: Problem, point: BranchPoint) -> float:
    """Return E_n(0); the same at every depth unless something is fixed or there is a running cost."""
    return point.network.value(torch.zeros_like(point.solution.u)) if problem.trained else math.inf


def regulariser(problem: Problem, name: str, A: Tensor) -> float:
    """Return R_n(A) = (n/T) Σ ‖A_i − A_{i−1}‖² + τ ‖A_0‖², 0 for a fixed parameter."""
    if name in problem.fixed:
        return 0.0
    increments = float((A[1:] - A[:-1]).square().sum()) * len(A) / problem.regime.horizon
    return increments + problem.regularisation.tau[name] * float(A[0].square().sum())


def quotient(A: Tensor, checkpoint: Callable[[], None] | None = None) -> float:
    """Return max_{i≠j} ‖A_i − A_j‖ / |(i − j)/n|^½ for A (n, ...).

    All pairs are compared by their inner products, block by block, which near pairs know to a few digits less; the
    largest of each block is then computed from its difference.
    """
    n, flat, largest = len(A), A.flatten(1), 0.0
    flat = flat - flat.mean(0)
    squares, nodes = flat.square().sum(1), torch.arange(n, dtype=A.dtype, device=A.device)
    rows = max(1, _AT_ONCE // n)
    for first in range(0, n, rows):
        if checkpoint is not None:
            checkpoint()
        part = slice(first, first + rows)
        apart = torch.addmm(squares[part, None] + squares, flat[part], flat.T, alpha=-2.0)
        apart.div_((nodes[part, None] - nodes).abs_().clamp_(min=0.5))
        i, j = divmod(int(apart.argmax()), n)
        if first + i != j:
            largest = max(largest, float((A[first + i] - A[j]).square().sum()) * n / abs(first + i - j))
    return math.sqrt(largest)
