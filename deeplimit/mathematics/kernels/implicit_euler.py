"""Implicit Euler layers X⁺ = X + h σ(K X⁺ + b), solved by Newton's method and differentiated by the implicit function.

With z = K X⁺ + b and J = I − h diag(σ'(z)) K, one d × d matrix a sample and step,

    Jᵀ λ = p⁺,   δ = σ'(z) ⊙ λ,   p = λ,   ∂K = h δᵀ X⁺,   ∂b = h Σ_s δ

is the exact adjoint of the solved equation, whatever path Newton took; differentiating once more along (dK, db),

    J dX⁺ = dX + h σ' ⊙ (dK X⁺ + db),   Jᵀ dλ = dp⁺ + h (δ dK + (σ''(z) ⊙ dz ⊙ λ) K).

A running cost of weight ρ adds 2ρh X⁺ to p⁺ and 2ρh dX⁺ to dp⁺. Where h‖K‖ is not small the equation can have
several solutions or none; Newton starts at X, and a step that it cannot solve gives NaN, which a minimisation steps
back from. A singular J gives numbers that are not finite in the same way, and no exception. Newton's method for the
stages is Hairer and Wanner's (1996), *Solving ordinary differential equations II*, section IV.8.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.kernels.kernel import Adjoint, Kernel, Tangent, Trajectory

_ITERATIONS: Final = 50
"""Newton corrections after which a step counts as not solved."""
_CLOSE: Final = 1e-8
"""A Newton correction below this (relative, in double precision) is squared by the next, which ends the solve."""

_SYSTEMS: Final = 4
"""Linear systems that Newton's method solves in a step, about."""


class ImplicitEuler(Kernel):
    """``steps`` equal steps over [0, T], stage i reading X_{i+1}, K and b at the end of its step."""

    again = 0.7  # of a gradient, two thirds are Newton's method

    def numbers_beside(self, state_dim: int, width: int) -> int:
        """Return those of one step's linear systems as well; see ``Kernel``."""
        return super().numbers_beside(state_dim, width) + 4 * state_dim * state_dim

    def running_cost(self, trajectory: Trajectory) -> Tensor:
        """Return ρ h Σ_i ‖X_{i+1}‖² in one sum, the only weight being 1; see ``Kernel``."""
        return trajectory.inputs.square().sum() * (self.running * self.h)

    def forward(self, K: Tensor, b: Tensor, x: Tensor, reuse: Trajectory | None = None) -> Trajectory:
        """Propagate x (S, d) through K (n, d, d), b (n, d); see ``Kernel``."""
        run = self._buffers(x, b, reuse)
        run.states[0].copy_(x)
        for i in self.forth(x, _SYSTEMS * x.shape[1] ** 2):
            self._solve(K[i], b[i], run.states[i], run.states[i + 1])
        torch.baddbmm(b.unsqueeze(1), run.inputs, K.transpose(1, 2), out=run.z)
        self.activation.write(run.z, run.a)
        return run

    def backward(self, trajectory: Trajectory, K: Tensor, p: Tensor) -> Adjoint:
        """Propagate the final costate p (S, d) back; see ``Kernel``."""
        slope = self.activation.first(trajectory.z, trajectory.a)
        delta, costates = torch.empty_like(slope), torch.empty_like(trajectory.states)
        costates[-1].copy_(p)
        for i in self.back(p, p.shape[1] ** 2):
            right = torch.add(costates[i + 1], trajectory.inputs[i], alpha=2.0 * self.running * self.h)
            costates[i].copy_(self._solve_transposed(K[i], slope[i], right))
            torch.mul(slope[i], costates[i], out=delta[i])
        gradient_K = torch.bmm(delta.transpose(1, 2), trajectory.inputs).mul_(self.h)
        return Adjoint(costates, costates[:-1], slope, delta, gradient_K, delta.sum(1).mul_(self.h))

    def tangent(self, trajectory: Trajectory, slope: Tensor, K: Tensor, dK: Tensor, db: Tensor) -> Tangent:
        """Differentiate the trajectory along (dK, db); see ``Kernel``."""
        explicit = torch.baddbmm(db.unsqueeze(1), trajectory.inputs, dK.transpose(1, 2))
        dinputs = torch.empty_like(explicit)
        state = torch.zeros_like(trajectory.states[0])
        for i in self.forth(state, state.shape[1] ** 2):
            right = torch.addcmul(state, slope[i], explicit[i], value=self.h)
            state = torch.linalg.solve_ex(self._jacobian(K[i], slope[i]), right, check_errors=False).result
            dinputs[i] = state
        return Tangent(final=state, inputs=dinputs, z=explicit.baddbmm_(dinputs, K.transpose(1, 2)))

    def second_adjoint(
        self, trajectory: Trajectory, adjoint: Adjoint, tangent: Tangent, K: Tensor, dK: Tensor, dp: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Differentiate the parameter gradients along (dK, db); see ``Kernel``."""
        h = self.h
        ddelta = self.activation.second(trajectory.z, trajectory.a).mul_(tangent.z).mul_(adjoint.kappa)
        source = torch.bmm(adjoint.delta, dK).baddbmm_(ddelta, K).add_(tangent.inputs, alpha=2.0 * self.running)
        costate = dp
        for i in self.back(dp, dp.shape[1] ** 2):
            costate = self._solve_transposed(K[i], adjoint.slope[i], torch.add(costate, source[i], alpha=h))
            ddelta[i].addcmul_(adjoint.slope[i], costate)
        dgradient_K = torch.bmm(ddelta.transpose(1, 2), trajectory.inputs)
        torch.baddbmm(dgradient_K, adjoint.delta.transpose(1, 2), tangent.inputs, out=dgradient_K)
        return dgradient_K.mul_(h), ddelta.sum(1).mul_(h)

    def _solve(self, K: Tensor, b: Tensor, before: Tensor, out: Tensor) -> None:
        """Write the solution Y of Y = X + h σ(K Y + b), X = ``before``, or NaN."""
        out.copy_(before)
        close = _CLOSE * (torch.finfo(out.dtype).eps / torch.finfo(torch.float64).eps) ** 0.5
        for _ in range(_ITERATIONS):
            z = torch.addmm(b, out, K.T)
            a = self.activation(z)
            residual = torch.add(before, a, alpha=self.h).sub_(out)
            correction, _ = torch.linalg.solve_ex(
                self._jacobian(K, self.activation.first(z, a)), residual, check_errors=False
            )
            out.add_(correction)
            size, scale = torch.stack([correction.abs().max(), out.abs().max()]).tolist()
            if size <= close * max(scale, 1.0):
                return
            if math.isnan(size):
                break
        out.fill_(torch.nan)

    def _jacobian(self, K: Tensor, slope: Tensor) -> Tensor:
        """Return I − h diag(σ') K for every sample, (S, d, d)."""
        identity = torch.eye(len(K), dtype=K.dtype, device=K.device)
        return identity - self.h * slope.unsqueeze(2) * K

    def _solve_transposed(self, K: Tensor, slope: Tensor, right: Tensor) -> Tensor:
        matrices = self._jacobian(K, slope).transpose(1, 2)
        solution: Tensor = torch.linalg.solve_ex(matrices, right, check_errors=False).result
        return solution
