"""The predicted slope C₁ of the minima: E_n* − E_∞* = C₁/n + O(n⁻²).

Forward Euler's local error is X''/(2n²), and by the adjoint it moves the objective by
C₁ = −½ (1/S) Σ_s ∫₀¹ p_s · X_s'' dt with p' = −Kᵀ(σ'(KX + b) ⊙ p), p_s(1) = ∂L/∂X_s(1): the first term of the
modified equation (Hairer, Lubich and Wanner 2006, *Geometric Numerical Integration*, chapter IX), since minimisers are
stationary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from worker.deeplimit.coordinates import LegendreIncrements
from worker.deeplimit.flow import ContinuumParameters, Flow
from worker.deeplimit.residual_network import ResidualNetwork


def slope_from_depth(network: ResidualNetwork, u: Tensor) -> float:
    """Return C₁ from one trained depth n, to O(1/n).

    C₁ = −(1/2nS) Σ_s Σ_{i<n} p_{i+1} · [σ'(z_i) ⊙ (K'_i X_i + K_i σ(z_i) + b'_i)], with A'_i = n(A_{i+1} − A_i),
    A'_{n−1} = 0 and z_i = K_i X_i + b_i.
    """
    theta = network.stage_parameters(u)
    K, b, n = theta["K"], theta["b"], network.depth
    dK = torch.cat([n * (K[1:] - K[:-1]), torch.zeros_like(K[:1])])
    db = torch.cat([n * (b[1:] - b[:-1]), torch.zeros_like(b[:1])])
    total = 0.0
    for x, y in network.chunks():
        run, adjoint = network.sweep(theta, x, y)
        second = _acceleration(run.inputs, run.a, adjoint.slope, K, dK, db)
        total += float((adjoint.costates[1:] * second).sum())
    return -0.5 * total / n


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
        second = _acceleration(run.states, a, activation.first(z, a), K, dK, db)
        total += float(((adjoint.costates * second).sum((1, 2)) * weights).sum())
    return -0.5 * total


def _acceleration(X: Tensor, a: Tensor, slope: Tensor, K: Tensor, dK: Tensor, db: Tensor) -> Tensor:
    """Return X'' = σ'(z) ⊙ (K' X + K σ(z) + b'), (T, S, d)."""
    inner = torch.baddbmm(db.unsqueeze(1), X, dK.transpose(1, 2))
    return inner.baddbmm_(a, K.transpose(1, 2)).mul_(slope)
