"""Explicit Runge-Kutta stages of the two-layer block k_j = V_j σ(K_j Y_j + b_j), differentiated exactly.

K (w, d) and Vᵀ (w, d) of a stage come as one (2w, d) array, K first: everything but this kernel treats them alike.
With h the step, κ_j the derivative by k_j divided by h, and v_j what goes back through stage j,

    β_j = Vᵀκ_j,   δ_j = σ'(z_j) ⊙ β_j,   v_j = Kᵀδ_j,   ∂K = h δ_jᵀ Y_j,   ∂V = h κ_jᵀ a_j,   ∂b = h Σ_s δ_j,

and κ_j, p as in runge_kutta.py, which this follows in everything else.
"""

from __future__ import annotations

import torch
from torch import Tensor

from deeplimit.mathematics.kernels.kernel import Adjoint, Kernel, Tangent, Trajectory


class TwoLayerRungeKutta(Kernel):
    """``steps`` equal steps of an explicit method over [0, T]; K (Q, 2w, d) holds K and Vᵀ, b is (Q, w)."""

    def forward(self, K: Tensor, b: Tensor, x: Tensor, reuse: Trajectory | None = None) -> Trajectory:
        """Propagate x (S, d); see ``Kernel``."""
        run = self._buffers(x, b, reuse)
        inner, outer = K.chunk(2, 1)
        run.states[0].copy_(x)
        for i in self.forth(x, b.shape[1]):
            k: list[Tensor] = []
            for j in range(self.stages):
                q = i * self.stages + j
                run.inputs[q].copy_(run.states[i])
                for index, weight in self.tableau.feeds(j):
                    run.inputs[q].add_(k[index], alpha=self.h * weight)
                torch.addmm(b[q], run.inputs[q], inner[q].T, out=run.z[q])
                self.activation.write(run.z[q], run.a[q])
                k.append(run.a[q] @ outer[q])
            run.states[i + 1].copy_(run.states[i])
            for weight, value in zip(self.tableau.b, k, strict=True):
                run.states[i + 1].add_(value, alpha=self.h * weight)
        return run

    def backward(self, trajectory: Trajectory, K: Tensor, p: Tensor) -> Adjoint:
        """Propagate the final costate p (S, d) back; see ``Kernel``."""
        inner, outer = K.chunk(2, 1)
        slope = self.activation.first(trajectory.z, trajectory.a)
        delta, kappa = torch.empty_like(slope), torch.empty_like(trajectory.inputs)
        costates = torch.empty_like(trajectory.states)
        costates[-1].copy_(p)
        for i in self.back(p, slope.shape[2]):
            back: list[Tensor] = [p] * self.stages
            costates[i].copy_(costates[i + 1])
            for j in range(self.stages - 1, -1, -1):
                q = i * self.stages + j
                torch.mul(costates[i + 1], self.tableau.b[j], out=kappa[q])
                for later, weight in self.tableau.fed_by(j):
                    kappa[q].add_(back[later], alpha=self.h * weight)
                torch.mul(slope[q], kappa[q] @ outer[q].T, out=delta[q])
                back[j] = delta[q] @ inner[q]
                back[j].add_(trajectory.inputs[q], alpha=2.0 * self.running * self.tableau.b[j])
                costates[i].add_(back[j], alpha=self.h)
        by_inner = torch.bmm(delta.transpose(1, 2), trajectory.inputs)
        by_outer = torch.bmm(trajectory.a.transpose(1, 2), kappa)
        gradient_K = torch.cat([by_inner, by_outer], 1).mul_(self.h)
        return Adjoint(costates, kappa, slope, delta, gradient_K, delta.sum(1).mul_(self.h))

    def tangent(self, trajectory: Trajectory, slope: Tensor, K: Tensor, dK: Tensor, db: Tensor) -> Tangent:
        """Differentiate the trajectory along (dK, db); see ``Kernel``."""
        inner, outer = K.chunk(2, 1)
        dinner, douter = dK.chunk(2, 1)
        dz = torch.baddbmm(db.unsqueeze(1), trajectory.inputs, dinner.transpose(1, 2))
        dk = torch.bmm(trajectory.a, douter)
        dinputs = torch.empty_like(trajectory.inputs)
        state = torch.zeros_like(trajectory.states[0])
        for i in self.forth(state, dz.shape[2]):
            first = i * self.stages
            for j in range(self.stages):
                q = first + j
                dinputs[q].copy_(state)
                for index, weight in self.tableau.feeds(j):
                    dinputs[q].add_(dk[first + index], alpha=self.h * weight)
                dz[q].addmm_(dinputs[q], inner[q].T)
                dk[q].addmm_(slope[q] * dz[q], outer[q])
            for j, weight in enumerate(self.tableau.b):
                state.add_(dk[first + j], alpha=self.h * weight)
        return Tangent(final=state, inputs=dinputs, z=dz)

    def second_adjoint(
        self, trajectory: Trajectory, adjoint: Adjoint, tangent: Tangent, K: Tensor, dK: Tensor, dp: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Differentiate the parameter gradients along (dK, db); see ``Kernel``."""
        inner, outer = K.chunk(2, 1)
        dinner, douter = dK.chunk(2, 1)
        beta = torch.bmm(adjoint.kappa, outer.transpose(1, 2))
        ddelta = self.activation.second(trajectory.z, trajectory.a).mul_(tangent.z).mul_(beta)
        ddelta.addcmul_(adjoint.slope, torch.bmm(adjoint.kappa, douter.transpose(1, 2)))
        dback = torch.bmm(adjoint.delta, dinner)
        dkappa = torch.empty_like(adjoint.kappa)
        costate = dp.clone()
        for i in self.back(dp, ddelta.shape[2]):
            after = costate.clone()
            for j in range(self.stages - 1, -1, -1):
                q = i * self.stages + j
                torch.mul(after, self.tableau.b[j], out=dkappa[q])
                for later, weight in self.tableau.fed_by(j):
                    dkappa[q].add_(dback[i * self.stages + later], alpha=self.h * weight)
                ddelta[q].addcmul_(adjoint.slope[q], dkappa[q] @ outer[q].T)
                dback[q].addmm_(ddelta[q], inner[q])
                dback[q].add_(tangent.inputs[q], alpha=2.0 * self.running * self.tableau.b[j])
                costate.add_(dback[q], alpha=self.h)
        da = adjoint.slope * tangent.z
        by_inner = torch.bmm(ddelta.transpose(1, 2), trajectory.inputs)
        by_inner.baddbmm_(adjoint.delta.transpose(1, 2), tangent.inputs)
        by_outer = torch.bmm(da.transpose(1, 2), adjoint.kappa)
        by_outer.baddbmm_(trajectory.a.transpose(1, 2), dkappa)
        return torch.cat([by_inner, by_outer], 1).mul_(self.h), ddelta.sum(1).mul_(self.h)
