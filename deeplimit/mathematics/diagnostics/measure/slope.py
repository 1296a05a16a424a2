"""The predicted slope C₁ of the minima: E_n* − E_∞* = C₁/n + O(n⁻²).

Forward Euler's local error is X''/(2n²), and by the adjoint it moves the objective by
C₁ = −½ (1/S) Σ_s ∫₀¹ p_s · X_s'' dt with p' = −(∂f/∂X)ᵀ p, p_s(1) = ∂L/∂X_s(1): the first term of the modified
equation (Hairer, Lubich and Wanner 2006, *Geometric Numerical Integration*, chapter IX), since minimisers are
stationary. Implicit Euler's error is the opposite. On [0, T] time is scaled to [0, 1], p' = −T (∂f/∂X)ᵀ p and
X'' = T (∂f/∂K K' + ∂f/∂b b' + T ∂f/∂X f), which is T σ' ⊙ (K'X + TKσ + b') for f = σ(KX + b), and the rectangles of a
running cost γ∫‖X‖² dt add −½ γT (1/S) Σ_s (‖X_s(1)‖² − ‖X_s(0)‖²).
"""

from __future__ import annotations

from torch import Tensor

from deeplimit.mathematics.diagnostics.sweeps import at_stages, slope_of_sum, slope_part
from deeplimit.mathematics.model.residual_network import ResidualNetwork


def slope_from_depth(network: ResidualNetwork, u: Tensor) -> float:
    """Return C₁ from one depth n, to O(1/n).

    C₁ = −(1/2nS) Σ_s Σ_{i<n} p_{i+1} · X''_i, with A'_i = n(A_{i+1} − A_i) and A'_{n−1} = 0 in X''; for implicit Euler,
    whose layer i reads X_{i+1} and A_{i+1}, with p_i.
    """
    theta = network.stage_parameters(u)
    total = 0.0
    for x, y in network.chunks():
        run, adjoint = network.sweep(theta, x, y)
        total += slope_part(network, u, at_stages(network.problem, theta, run, adjoint), run, adjoint)
    return slope_of_sum(network.problem, total, network.depth)
