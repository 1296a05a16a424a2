"""The predicted slope C₁ of the minima: E_n* − E_∞* = C₁/n + O(n⁻²).

Forward Euler's local error is X''/(2n²), and by the adjoint it moves the objective by
C₁ = −½ (1/S) Σ_s ∫₀¹ p_s · X_s'' dt with p' = −Kᵀ(σ'(KX + b) ⊙ p), p_s(1) = ∂L/∂X_s(1): the first term of the
modified equation (Hairer, Lubich and Wanner 2006, *Geometric Numerical Integration*, chapter IX), since minimisers are
stationary. Implicit Euler's error is the opposite. On [0, T] time is scaled to [0, 1], X'' = T σ' ⊙ (K'X + TKσ + b'),
and the rectangles of a running cost γ∫‖X‖² dt add −½ γT (1/S) Σ_s (‖X_s(1)‖² − ‖X_s(0)‖²).
"""

from __future__ import annotations

import torch
from torch import Tensor

from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters, Flow
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.problem.learning_problem import Problem


def why_no_slope(problem: Problem) -> str | None:
    """Return why there is no C₁ in this regime, or None."""
    regime = problem.regime
    if not regime.has_continuum:
        return f"the scaling {regime.scaling.value} has no continuum problem"
    if regime.two_layer:
        return "the predicted slope is computed for single blocks"
    order = regime.integrator.tableau.order
    if order != 1:
        return f"{regime.integrator.value} is of order {order}: the gap has no term of order 1"
    return None


def _sign(problem: Problem) -> float:
    return 1.0 if problem.regime.integrator.tableau.explicit else -1.0


def slope_from_depth(network: ResidualNetwork, u: Tensor) -> float:
    """Return C₁ from one trained depth n, to O(1/n).

    C₁ = −(1/2nS) Σ_s Σ_{i<n} p_{i+1} · [σ'(z_i) ⊙ (K'_i X_i + K_i σ(z_i) + b'_i)], with A'_i = n(A_{i+1} − A_i),
    A'_{n−1} = 0 and z_i = K_i X_i + b_i; for implicit Euler, whose layer i reads X_{i+1} and A_{i+1}, with p_i.
    """
    theta, nodes, n = network.stage_parameters(u), network.parameters(u), network.depth
    K, problem = theta["K"], network.problem
    dK = torch.cat([n * (nodes.K[1:] - nodes.K[:-1]), torch.zeros_like(K[:1])])
    db = torch.cat([n * (nodes.b[1:] - nodes.b[:-1]), torch.zeros_like(nodes.b[:1])])
    costates = slice(1, None) if problem.regime.integrator.tableau.explicit else slice(None, -1)
    total = 0.0
    for x, y in network.chunks():
        run, adjoint = network.sweep(theta, x, y)
        second = _acceleration(run.inputs, run.a, adjoint.slope, K, dK, db, problem.regime.horizon)
        total += float((adjoint.costates[costates] * second).sum()) + n * _running(problem, run.states)
    return -0.5 * _sign(problem) * total / n


def slope_from_continuum(flow: Flow, parameters: ContinuumParameters, u: Tensor) -> float:
    """Return the continuum's C₁, by Simpson's rule on its steps (trapezoidal cell by cell for piecewise-linear K)."""
    theta, steps = flow.stage_parameters(u), flow.steps
    t = torch.linspace(0.0, 1.0, steps + 1, dtype=flow.problem.dtype, device=flow.problem.device)
    K, b = parameters.sample(t)
    smooth = isinstance(parameters.basis, LegendreIncrements)
    weights = torch.full_like(t, 1.0 / steps)
    if smooth and steps % 2 == 0:
        weights[1:-1:2], weights[2:-1:2] = 4.0 / (3.0 * steps), 2.0 / (3.0 * steps)
        weights[0] = weights[-1] = 1.0 / (3.0 * steps)
    else:
        weights[0] = weights[-1] = 0.5 / steps
    # K' jumps at the nodes of a piecewise-linear basis, where the trapezoidal rule takes the mean of both sides: those
    # are its values half a step away, as every cell is a whole number of steps. For polynomials the shift is nought.
    half = 0.0 if smooth else 0.5 / steps
    before = parameters.derivative(torch.clamp(t - half, min=0.0))
    after = parameters.derivative(torch.clamp(t + half, max=1.0))
    dK, db = (0.5 * (left + right) for left, right in zip(before, after, strict=True))
    activation = flow.problem.activation
    total = 0.0
    for x, y in flow.chunks():
        run, adjoint = flow.sweep(theta, x, y)
        z = torch.baddbmm(b.unsqueeze(1), run.states, K.transpose(1, 2))
        a = activation(z)
        second = _acceleration(run.states, a, activation.first(z, a), K, dK, db, flow.problem.regime.horizon)
        total += float(((adjoint.costates * second).sum((1, 2)) * weights).sum()) + _running(flow.problem, run.states)
    return -0.5 * _sign(flow.problem) * total


def _acceleration(X: Tensor, a: Tensor, slope: Tensor, K: Tensor, dK: Tensor, db: Tensor, horizon: float) -> Tensor:
    """Return X'' = T σ'(z) ⊙ (K' X + T K σ(z) + b'), (·, S, d), T the horizon."""
    inner = torch.baddbmm(db.unsqueeze(1), X, dK.transpose(1, 2))
    return inner.baddbmm_(a, K.transpose(1, 2), alpha=horizon).mul_(slope).mul_(horizon)


def _running(problem: Problem, states: Tensor) -> float:
    """Return γT (1/S) Σ_s (‖X_s(1)‖² − ‖X_s(0)‖²)."""
    regime = problem.regime
    if not regime.running_cost:
        return 0.0
    change = states[-1].square().sum() - states[0].square().sum()
    return regime.running_cost * regime.horizon * float(change) / problem.samples
