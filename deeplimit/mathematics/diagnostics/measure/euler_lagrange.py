"""Euler-Lagrange equations of the continuum model (diagnostic 7).

Setting the first variation of E_∞ to zero gives, for s = t/T in [0, 1] and w = α/T (w = α for T = 1),

    2 w_K K'' = F_K = T mean_s ∂⟨p_s, f⟩/∂K,   K'(0) = τT K(0),   K'(1) = 0,

and for b the same, p the costate with p_s(1) = ∂L/∂X_s(1) (the first variation of E_∞ of Thorpe and van Gennip 2023,
(1.6); it gives K, b ∈ H²). For f = σ(KX + b) these are F_K = T mean_s (σ' ⊙ p_s) X_sᵀ and F_b = T mean_s σ' ⊙ p_s; for
two-layer blocks K stands for K and V. Saddles solve the equations, too.

The residual is measured in the norm in which E_∞ sees it, the dual one: with the condition at 1, the equation says
r = 2 w A' + ∫_·¹ F = 0, which is the L² gradient of E_∞ by A', and to leading order E_∞ − min = ‖r‖²/(4 w) where the
data do not bend E. So it means the same for polynomials and for piecewise-linear A, which have no A''.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from scipy.integrate import cumulative_simpson
from torch import Tensor

from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.diagnostics.sweeps import LEAST_STEPS, finer_steps, limit_sweep
from deeplimit.mathematics.model.coordinates import PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters, Flow
from deeplimit.mathematics.problem.learning_problem import LAYERED, Problem
from deeplimit.mathematics.study.continuum_fit import ContinuumFit

_PER_CELL: Final = 8
"""Points a cell: A' of a piecewise-linear A jumps at the nodes."""


@dataclass(frozen=True)
class Residuals:
    """How far one function A in {K, b} is from its Euler-Lagrange equation.

    Attributes
    ----------
    residual
        ‖r‖ beside the largest of ‖2 w A'‖ and ‖∫_·¹ F‖ over K and b, norms in L²(0, 1): a function that vanishes by
        symmetry has nothing of its own to be compared with.
    absolute
        ‖r‖.
    objective_error
        ‖r‖²/(4 w): what the residual is worth in E_∞, to be compared with the asked tolerance.
    boundary_0, boundary_1
        ‖A'(0) − τT A(0)‖ and ‖A'(1)‖.
    """

    residual: float
    absolute: float
    objective_error: float
    boundary_0: float
    boundary_1: float


@dataclass(frozen=True)
class EulerLagrange:
    """Residuals of K and b; None for one that is fixed, with the reason."""

    K: Residuals | None = None
    b: Residuals | None = None
    withheld: dict[str, str] = field(default_factory=dict)


def euler_lagrange_rows(subject: Subject) -> EulerLagrange:
    """Measure the residuals of a study's continuum model, with the trajectories that other diagnostics read."""
    fit, problem = subject.limit, subject.problem
    if _inapplicable(problem, fit) is not None or isinstance(fit.flow.basis, PiecewiseLinearIncrements):
        return euler_lagrange_residuals(problem, fit)
    found = limit_sweep(subject, finer=True)
    return _residuals_of(problem, fit, found.force, found.steps)


def euler_lagrange_residuals(problem: Problem, fit: ContinuumFit) -> EulerLagrange:
    """Measure the residuals of a continuum model, with at least twice its steps."""
    if (reason := _inapplicable(problem, fit)) is not None:
        return _none(reason)
    basis, steps = fit.flow.basis, finer_steps(fit.flow.steps)
    if isinstance(basis, PiecewiseLinearIncrements):
        steps = fit.flow.steps * max(2, math.ceil(max(LEAST_STEPS, _PER_CELL * basis.cells) / fit.flow.steps))
    return _residuals_of(problem, fit, right_hand_sides(problem, fit.parameters, steps), steps)


def _inapplicable(problem: Problem, fit: ContinuumFit) -> str | None:
    if problem.regime.constant:
        return "constant weights solve no differential equation"
    if not fit.solution.status.optimised:
        return f"the optimisation of the continuum ended as {fit.solution.status.value}"
    if not problem.smooth:
        return "σ is not differentiable: a minimiser on a kink meets the equation in no pointwise sense"
    return None


def _residuals_of(problem: Problem, fit: ContinuumFit, force: dict[str, Tensor], steps: int) -> EulerLagrange:
    withheld: dict[str, str] = {name: f"{name} is fixed" for name in LAYERED if name in problem.fixed}
    t = torch.linspace(0.0, 1.0, steps + 1, dtype=problem.dtype, device=problem.device)
    values = dict(zip(LAYERED, fit.parameters.sample(t), strict=True))
    slopes = dict(zip(LAYERED, fit.parameters.derivative(t), strict=True))
    terms = {name: _terms(problem, name, slopes[name], force[name]) for name in LAYERED if name not in problem.fixed}
    scale = max((max(_l2(bending), _l2(tail)) for bending, tail in terms.values()), default=0.0)
    found = {
        name: _residuals(problem, name, values[name], slopes[name], _l2(bending + tail), scale)
        for name, (bending, tail) in terms.items()
    }
    return EulerLagrange(found.get("K"), found.get("b"), withheld)


def right_hand_sides(problem: Problem, parameters: ContinuumParameters, steps: int) -> dict[str, Tensor]:
    """Return F_K and F_b at the times i/N, (N + 1, …) in their shapes, X and p by N Runge-Kutta steps."""
    flow = Flow(problem, parameters.basis, steps)
    t = torch.linspace(0.0, 1.0, steps + 1, dtype=problem.dtype, device=problem.device)
    K, b = parameters.sample(t)
    theta = flow.stage_parameters(flow.encode(parameters))
    force = {"K": torch.zeros_like(K), "b": torch.zeros_like(b)}
    for x, y in flow.chunks():
        run, adjoint = flow.sweep(theta, x, y)
        at = problem.field.value(K, b, run.states)
        for name, part in zip(LAYERED, problem.field.gradient(at, adjoint.costates), strict=True):
            force[name] += part
    return {name: value * problem.regime.horizon for name, value in force.items()}


def _terms(problem: Problem, name: str, slope: Tensor, force: Tensor) -> tuple[Tensor, Tensor]:
    """Return 2 w A' and ∫_t¹ F on the grid."""
    backwards = force.flip(0).flatten(1).double().cpu().numpy()
    integral = cumulative_simpson(backwards, dx=1.0 / (len(force) - 1), axis=0, initial=np.zeros(backwards[:1].shape))
    tail = torch.as_tensor(np.ascontiguousarray(integral[::-1])).to(force).view_as(force)
    return 2.0 * problem.weight(name) * slope, tail


def _residuals(problem: Problem, name: str, A: Tensor, slope: Tensor, absolute: float, scale: float) -> Residuals:
    return Residuals(
        residual=absolute / scale if scale > 0.0 else 0.0,
        absolute=absolute,
        objective_error=absolute**2 / (4.0 * problem.weight(name)),
        boundary_0=float((slope[0] - problem.tau(name) * A[0]).norm()),
        boundary_1=float(slope[-1].norm()),
    )


def _l2(values: Tensor) -> float:
    """Return (∫₀¹ ‖values‖² dt)^½ by the trapezoidal rule."""
    squares = values.flatten(1).square().sum(1)
    return float(((squares[1:] + squares[:-1]).sum() / (2.0 * (len(squares) - 1))).sqrt())


def _none(reason: str) -> EulerLagrange:
    withheld: dict[str, str] = dict.fromkeys(LAYERED, reason)
    return EulerLagrange(withheld=withheld)
