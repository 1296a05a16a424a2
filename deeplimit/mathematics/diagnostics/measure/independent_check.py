"""An independent solution of the continuum problem: its Euler-Lagrange boundary-value problem by collocation.

With 2dS + 2d² + 2d unknown functions X_s, p_s, K, L = K', b, l = b' on [0, 1] and unknown numbers W, c,

    X_s' = σ(z_s),  z_s = K X_s + b,      p_s' = −Kᵀ (σ'(z_s) ⊙ p_s),
    K' = L,  2α_K L' = mean_s (σ'(z_s) ⊙ p_s) X_sᵀ,      b' = l,  2α_b l' = mean_s σ'(z_s) ⊙ p_s,
    X_s(0) = x_s,  p_s(1) = Wᵀ r_s,  L(0) = τ_K K(0),  L(1) = 0,  l(0) = τ_b b(0),  l(1) = 0,
    2α_W W + mean_s r_s X_s(1)ᵀ = 0,  2α_c c + mean_s r_s = 0,      r_s = ∂L/∂z at W X_s(1) + c.

It is solved by Kierzenka and Shampine's adaptive collocation of order 4 (2001, ACM TOMS 27:299; scipy's ``solve_bvp``)
from the trained solution. Nothing is shared with training but the problem: no basis, no Runge-Kutta step, no
minimisation. Every stationary point solves it: it confirms the value and the place of the one it was started from, and
not that this is a minimum, which a certificate tells.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from scipy.integrate import solve_bvp

from deeplimit.mathematics.diagnostics.measure.boundary_value_problem import BoundaryValueProblem
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.diagnostics.work import MOST_FUNCTIONS, unknown_functions
from deeplimit.mathematics.journal import begin_step
from deeplimit.mathematics.model.flow import integrate
from deeplimit.mathematics.problem.learning_problem import LAYERED, Problem
from deeplimit.mathematics.problem.regime import Integrator, Regime
from deeplimit.mathematics.study.continuum_fit import ContinuumFit

_TOLERANCE: Final = 1e-6
"""Of the collocation's relative residual; E_∞, stationary at the solution, is far better."""
_MOST_NODES: Final = 4000
_MESH: Final = 33
_SECONDS: Final = 20.0
"""Most time for the boundary-value problem."""
_GAUSS: Final = 6

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class IndependentCheck:
    """What the boundary-value problem says, or why it was not solved.

    Attributes
    ----------
    objective
        E_∞ of its solution.
    difference
        ``objective`` minus the trained E_∞.
    parameters_difference
        L² for K and b, Euclidean for W and c, root of the sum of squares, to the trained parameters.
    residual
        Largest relative residual of the collocation.
    """

    objective: float | None = None
    difference: float | None = None
    parameters_difference: float | None = None
    unknown_functions: int | None = None
    mesh: int | None = None
    residual: float | None = None
    withheld: dict[str, str] = field(default_factory=dict)


class _OutOfTime(Exception):  # noqa: N818 - a signal, not an error
    """Raised through the solver, which has no other way out."""


def solve_independently(
    problem: Problem,
    fit: ContinuumFit,
    checkpoint: Callable[[], None] | None = None,
    *,
    seconds: float = _SECONDS,
) -> IndependentCheck:
    """Solve the boundary-value problem from the trained continuum model and compare.

    Parameters
    ----------
    checkpoint
        Called in every evaluation of the right-hand side; what it raises is passed on.
    seconds
        After which the check is given up.
    """
    count = unknown_functions(problem)
    reason = _inapplicable(problem, fit, count)
    if reason is None and seconds <= 0.0:
        reason = "the time limit was reached"
    if reason is not None:
        return _none(reason, count)
    deadline = time.monotonic() + seconds

    def watch() -> None:
        if checkpoint is not None:
            checkpoint()
        if time.monotonic() > deadline:
            raise _OutOfTime

    system = BoundaryValueProblem(problem, watch)
    mesh, y, numbers = _start(system, fit)
    try:
        with np.errstate(all="ignore"):
            solution = solve_bvp(
                system.slopes,
                system.boundary,
                mesh,
                y,
                p=numbers if len(numbers) else None,  # type: ignore[arg-type]  # the stubs' overload knows no optional
                fun_jac=system.jacobian,  # type: ignore[arg-type]  # likewise
                tol=_TOLERANCE,
                max_nodes=_MOST_NODES,
            )
    except _OutOfTime:
        return _none(f"the boundary-value problem was not solved in {seconds:g} s", count)
    if not solution.success or not np.isfinite(solution.y).all():
        return _none(f"the boundary-value problem was not solved: {solution.message}", count)
    if solution.p is not None:
        numbers = solution.p
    objective, distance = _compare(system, fit, solution.x, solution.sol, numbers)
    return IndependentCheck(
        objective=objective,
        difference=objective - fit.solution.objective,
        parameters_difference=distance,
        unknown_functions=count,
        mesh=len(solution.x),
        residual=float(solution.rms_residuals.max()),
    )


def check_independently(subject: Subject) -> IndependentCheck:
    """Solve the boundary-value problem of a study's continuum model, within what is left of its time."""
    left = _SECONDS if subject.deadline is None else min(_SECONDS, subject.deadline - time.monotonic())
    step = begin_step("independent check", subject.limit.solution.u)
    if step.done is not None:
        return IndependentCheck(**step.done)
    found = solve_independently(subject.problem, subject.limit, subject.checkpoint, seconds=left)
    if found.objective is not None:
        step.ended(dict(vars(found)))
    return found


def _inapplicable(problem: Problem, fit: ContinuumFit, count: int) -> str | None:
    if replace(problem.regime, integrator=Integrator.EULER) != Regime():
        return "the boundary-value problem is that of the paper's objective"
    if not problem.smooth:
        return "σ is not differentiable"
    if any(name in problem.fixed for name in LAYERED):
        return "K or b is fixed"
    if not fit.solution.status.optimised:
        return f"the optimisation of the continuum ended as {fit.solution.status.value}"
    if count > MOST_FUNCTIONS:
        return f"{count} unknown functions, 2dS + 2d² + 2d, are more than {MOST_FUNCTIONS}"
    return None


def _start(system: BoundaryValueProblem, fit: ContinuumFit) -> tuple[Floats, Floats, Floats]:
    """Return mesh, functions and numbers of the trained model; costates by the adjoint of its flow."""
    problem, steps = system.problem, 2 * (_MESH - 1)
    t = torch.linspace(0.0, 1.0, _MESH, dtype=problem.dtype, device=problem.device)
    K, b = fit.parameters.sample(t)
    dK, db = fit.parameters.derivative(t)
    X = integrate(problem, fit.parameters, steps, problem.x, every=2)
    W, c = fit.parameters.W, fit.parameters.c
    r = problem.loss.gradient(torch.addmm(c, X[-1], W.T), problem.y)
    p = torch.empty_like(X)
    p[-1] = r @ W
    # Backwards by the trapezoidal rule: only a first guess is asked.
    for i in range(_MESH - 1, 0, -1):
        h = float(t[i] - t[i - 1])
        here = _costate_slope(problem, X[i], p[i], K[i], b[i])
        guess = p[i] - h * here
        p[i - 1] = p[i] - 0.5 * h * (here + _costate_slope(problem, X[i - 1], guess, K[i - 1], b[i - 1]))
    parts = [X, p, K, dK, b, db]
    y = torch.cat([part.reshape(_MESH, -1) for part in parts], 1).T
    free = {"W": W, "c": c}
    numbers = [free[name].reshape(-1) for name in system.free]
    flat = torch.cat(numbers) if numbers else torch.zeros(0)
    return _array(t), _array(y), _array(flat)


def _costate_slope(
    problem: Problem, X: torch.Tensor, p: torch.Tensor, K: torch.Tensor, b: torch.Tensor
) -> torch.Tensor:
    z = X @ K.T + b
    return -(problem.activation.first(z, problem.activation(z)) * p) @ K


def _compare(
    system: BoundaryValueProblem, fit: ContinuumFit, mesh: Floats, sample: Callable[[Floats], Floats], numbers: Floats
) -> tuple[float, float]:
    """Return E_∞ of the collocation solution by Gauss's rule on its mesh, and the distance of the parameters."""
    problem = system.problem
    nodes, weights = np.polynomial.legendre.leggauss(_GAUSS)
    width = np.diff(mesh)
    t = (mesh[:-1, None] + width[:, None] * (nodes + 1.0) / 2.0).reshape(-1)
    w = (width[:, None] * weights / 2.0).reshape(-1)
    inside = system.split(sample(t))
    ends = system.split(sample(np.array([0.0, 1.0])))
    W, c = system.numbers(numbers)
    alpha, tau = problem.regularisation.alpha, problem.regularisation.tau
    final = problem.tensor(ends["X"][..., 1])
    z = torch.addmm(problem.tensor(c), final, problem.tensor(W).T)
    objective = float(problem.loss.total(z, problem.y)) / problem.samples
    for name, slope in (("K", "L"), ("b", "l")):
        energy = float((np.square(inside[slope]).reshape(-1, len(t)).sum(0) * w).sum())
        objective += alpha[name] * (energy + tau[name] * float(np.square(ends[name][..., 0]).sum()))
    for name, value in (("W", W), ("c", c)):
        if name in system.free:
            objective += alpha[name] * float(np.square(value).sum())
    K, b = (np.moveaxis(_array(A), 0, -1) for A in fit.parameters.sample(problem.tensor(t)))
    square = sum(
        float((np.square(inside[name] - A).reshape(-1, len(t)).sum(0) * w).sum()) for name, A in (("K", K), ("b", b))
    )
    square += float(np.square(W - _array(fit.parameters.W)).sum() + np.square(c - _array(fit.parameters.c)).sum())
    return objective, math.sqrt(square)


def _array(tensor: torch.Tensor) -> Floats:
    return np.asarray(tensor.detach().double().cpu().numpy(), dtype=np.float64)


def _none(reason: str, count: int) -> IndependentCheck:
    withheld = dict.fromkeys(("objective", "difference", "parameters_difference"), reason)
    return IndependentCheck(unknown_functions=count, withheld=withheld)
