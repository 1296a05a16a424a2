"""Explicit Runge-Kutta stages in torch, differentiated exactly: discretise, then optimise.

With h the step, k_j = σ(z_j), z_j = K_j Y_j + b_j, Y_j = X + h Σ a_jl k_l and X⁺ = X + h Σ b_j k_j, the adjoint is

    κ_j = b_j p⁺ + h Σ_{l>j} a_lj V_l,   δ_j = σ'(z_j) ⊙ κ_j,   V_j = δ_j K_j,   p = p⁺ + h Σ V_j,
    ∂K_j = h δ_jᵀ Y_j,   ∂b_j = h Σ_s δ_j

(Hager 2000, *Runge-Kutta methods in optimal control and the transformed adjoint system*), with 2ρ b_j Y_j added to V_j
for a running cost of weight ρ, and one more differentiation gives Hessian-vector products.

Only what depends on the stage before stays in the loop over stages: a residual layer costs three calls forward and two
backward; σ', σ'' and every parameter gradient are batched over all stages. No automatic differentiation: its graph over
n layers would hold several more tensors a layer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from deeplimit.mathematics.kernels.activations import Activation
from deeplimit.mathematics.kernels.kernel import Adjoint, Kernel, Tangent, Trajectory
from deeplimit.mathematics.kernels.tableau import Tableau


class ExplicitRungeKutta(Kernel):
    """``steps`` equal steps of an explicit method over [0, T]; with Euler, ``steps`` residual layers."""

    refilled = 0.1

    def __init__(
        self, tableau: Tableau, steps: int, activation: Activation, *, horizon: float = 1.0, running: float = 0.0
    ) -> None:
        super().__init__(tableau, steps, activation, horizon=horizon, running=running)
        self._feeds = [tableau.feeds(stage) for stage in range(self.stages)]
        self._fed_by = [tableau.fed_by(stage) for stage in range(self.stages)]

    def numbers_kept(self, state_dim: int, width: int) -> int:
        """Return the trajectory's, over which δ is written, a alone where that gives σ'; see ``Kernel``."""
        less = self.stages * width if self.activation.by_value else 0
        return self._trajectory(state_dim, width) - less

    def numbers_of_values(self, state_dim: int, width: int) -> int:
        """Return those of z and a, or of a alone; see ``Kernel``."""
        del state_dim
        return self.stages * width * (1 if self.activation.by_value else 2)

    def room(self, x: Tensor, width: int, valued: int) -> Trajectory:
        """Return buffers, z and a being one where a alone gives σ'; see ``Kernel``."""
        a = x.new_empty((valued * self.stages, len(x), width))
        return self._around(x, a if self.activation.by_value else torch.empty_like(a), a)

    def forward(self, K: Tensor, b: Tensor, x: Tensor, reuse: Trajectory | None = None) -> Trajectory:
        """Propagate x (S, d) through K (Q, d, d), b (Q, d); see ``Kernel``."""
        run = self._buffers(x, b, reuse)
        flat = run.a.view(self.steps, self.stages, -1).transpose(1, 2).unbind(0)
        run.states[0].copy_(x)
        self._advance((K, b), run.states.unbind(0), run.inputs.unbind(0), run.z.unbind(0), run.a.unbind(0), flat)
        return run

    def refill(self, run: Trajectory, x: Tensor) -> None:
        """Fill states and inputs by sums alone; see ``Kernel``."""
        flat = run.a.view(self.steps, self.stages, -1).transpose(1, 2).unbind(0)
        run.states[0].copy_(x)
        self._advance(None, run.states.unbind(0), run.inputs.unbind(0), run.z.unbind(0), run.a.unbind(0), flat)

    def propagate(self, K: Tensor, b: Tensor, x: Tensor, room: Trajectory) -> Tensor:
        """Return X_N (S, d), every step in the buffers of the first, which stay near the processor; see ``Kernel``."""
        pair = room.states[:2].unbind(0)
        states = [pair[i % 2] for i in range(self.steps + 1)]
        z, a = (list(part[: self.stages].unbind(0)) * self.steps for part in (room.z, room.a))
        inputs = states if self.stages == 1 else list(room.inputs[: self.stages].unbind(0)) * self.steps
        flat = [room.a[: self.stages].view(self.stages, -1).T] * self.steps
        states[0].copy_(x)
        self._advance((K, b), states, inputs, z, a, flat)
        return states[-1]

    def _advance(
        self,
        parameters: tuple[Tensor, Tensor] | None,
        states: Sequence[Tensor],
        inputs: Sequence[Tensor],
        z: Sequence[Tensor],
        a: Sequence[Tensor],
        flat: Sequence[Tensor],
    ) -> None:
        """Fill all arrays from the first state, or those of states and inputs from a, where no parameters are given.

        ``flat`` holds a of each step as (S d, stages).
        """
        write, h = self.activation.write, self.h
        transposed: Sequence[Tensor] = () if parameters is None else parameters[0].transpose(1, 2).unbind(0)
        bias: Sequence[Tensor] = () if parameters is None else parameters[1].unbind(0)
        if self.stages == 1:
            for i in self.forth(states[0], a[0].shape[1]):
                if parameters is not None:
                    torch.addmm(bias[i], states[i], transposed[i], out=z[i])
                    write(z[i], a[i])
                torch.add(states[i], a[i], alpha=h, out=states[i + 1])
            return
        weights = h * torch.tensor(self.tableau.b, dtype=states[0].dtype, device=states[0].device)
        for i in self.forth(states[0], a[0].shape[1]):
            for j in range(self.stages):
                q = i * self.stages + j
                combine(states[i], [(a[i * self.stages + k], h * w) for k, w in self._feeds[j]], inputs[q])
                if parameters is not None:
                    torch.addmm(bias[q], inputs[q], transposed[q], out=z[q])
                    write(z[q], a[q])
            torch.addmv(states[i].view(-1), flat[i], weights, out=states[i + 1].view(-1))

    def backward(self, trajectory: Trajectory, K: Tensor, p: Tensor) -> Adjoint:
        """Propagate the final costate p (S, d) back; see ``Kernel``."""
        slope = self.activation.first(trajectory.z, trajectory.a)
        delta, costates = torch.empty_like(slope), torch.empty_like(trajectory.states)
        kappa = costates[1:] if self.stages == 1 else torch.empty_like(slope)
        costates[-1].copy_(p)
        self._sweep_back(K, slope, delta, kappa.unbind(0), costates.unbind(0), trajectory.inputs)
        gradient_K, gradient_b = self._by_parameters(delta, trajectory.inputs)
        return Adjoint(costates, kappa, slope, delta, gradient_K, gradient_b)

    def pull_back(self, trajectory: Trajectory, K: Tensor, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the parameter gradients and one costate, overwriting ``trajectory.z``; see ``Kernel``."""
        delta = trajectory.z
        self.activation.write_first(trajectory.z, trajectory.a, delta)
        pair = (p.clone(), p.clone())
        costates = [pair[(self.steps - i) % 2] for i in range(self.steps + 1)]
        scratch = [torch.empty_like(p) for _ in range(self.stages if self.stages > 1 else 0)]
        kappa = costates[1:] if self.stages == 1 else scratch * self.steps
        self._sweep_back(K, delta, delta, kappa, costates, trajectory.inputs)
        return *self._by_parameters(delta, trajectory.inputs), costates[0]

    def _sweep_back(
        self,
        K: Tensor,
        slope: Tensor,
        delta: Tensor,
        kappa: Sequence[Tensor],
        costates: Sequence[Tensor],
        inputs: Tensor,
    ) -> None:
        """Fill δ, κ and p from the last costate; δ may be written over σ'."""
        h = self.h
        weight, delta_, slope_ = K.unbind(0), delta.unbind(0), slope.unbind(0)
        if self.stages == 1:
            for i in self.back(costates[-1], delta.shape[2]):
                torch.mul(slope_[i], costates[i + 1], out=delta_[i])
                torch.addmm(costates[i + 1], delta_[i], weight[i], alpha=h, out=costates[i])
                if self.running:
                    costates[i].add_(inputs[i], alpha=2.0 * h * self.running)
            return
        v = [torch.empty_like(costates[-1]) for _ in range(self.stages)]
        for i in self.back(costates[-1], delta.shape[2]):
            after, before = costates[i + 1], costates[i]
            before.copy_(after)
            for j in range(self.stages - 1, -1, -1):
                q = i * self.stages + j
                torch.mul(after, self.tableau.b[j], out=kappa[q])
                for later, a in self._fed_by[j]:
                    kappa[q].add_(v[later], alpha=h * a)
                torch.mul(slope_[q], kappa[q], out=delta_[q])
                torch.mm(delta_[q], weight[q], out=v[j])
                if self.running:
                    v[j].add_(inputs[q], alpha=2.0 * self.running * self.tableau.b[j])
                before.add_(v[j], alpha=h)

    def _by_parameters(self, delta: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        return torch.bmm(delta.transpose(1, 2), inputs).mul_(self.h), delta.sum(1).mul_(self.h)

    def tangent(self, trajectory: Trajectory, slope: Tensor, K: Tensor, dK: Tensor, db: Tensor) -> Tangent:
        """Differentiate the trajectory along (dK, db); see ``Kernel``."""
        h = self.h
        dz = torch.baddbmm(db.unsqueeze(1), trajectory.inputs, dK.transpose(1, 2))
        dinputs = torch.empty_like(dz)
        transposed, dz_, dinputs_, slope_ = (
            K.transpose(1, 2).unbind(0),
            dz.unbind(0),
            dinputs.unbind(0),
            slope.unbind(0),
        )
        state = torch.zeros_like(trajectory.states[0])
        da = [torch.empty_like(state) for _ in range(self.stages)]
        for i in self.forth(state, dz.shape[2]):
            for j in range(self.stages):
                q = i * self.stages + j
                combine(state, [(da[k], h * w) for k, w in self._feeds[j]], dinputs_[q])
                dz_[q].addmm_(dinputs_[q], transposed[q])
                torch.mul(slope_[q], dz_[q], out=da[j])
            for j in range(self.stages):
                state.add_(da[j], alpha=h * self.tableau.b[j])
        return Tangent(final=state, inputs=dinputs, z=dz)

    def second_adjoint(
        self, trajectory: Trajectory, adjoint: Adjoint, tangent: Tangent, K: Tensor, dK: Tensor, dp: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Differentiate the parameter gradients along (dK, db); see ``Kernel``."""
        h = self.h
        ddelta = self.activation.second(trajectory.z, trajectory.a).mul_(tangent.z).mul_(adjoint.kappa)
        dv = torch.bmm(adjoint.delta, dK)
        weight, ddelta_, dv_, slope_ = K.unbind(0), ddelta.unbind(0), dv.unbind(0), adjoint.slope.unbind(0)
        costate = dp.clone()
        for i in self.back(dp, ddelta.shape[2]):
            after = costate if self.stages == 1 else costate.clone()
            for j in range(self.stages - 1, -1, -1):
                q = i * self.stages + j
                dkappa = after if self.stages == 1 else after * self.tableau.b[j]
                for later, a in self._fed_by[j]:
                    dkappa.add_(dv_[i * self.stages + later], alpha=h * a)
                ddelta_[q].addcmul_(slope_[q], dkappa)
                dv_[q].addmm_(ddelta_[q], weight[q])
                if self.running:
                    dv_[q].add_(tangent.inputs[q], alpha=2.0 * self.running * self.tableau.b[j])
                costate.add_(dv_[q], alpha=h)
        dgradient_K = torch.bmm(ddelta.transpose(1, 2), trajectory.inputs)
        torch.baddbmm(dgradient_K, adjoint.delta.transpose(1, 2), tangent.inputs, out=dgradient_K)
        return dgradient_K.mul_(h), ddelta.sum(1).mul_(h)


def combine(base: Tensor, terms: list[tuple[Tensor, float]], out: Tensor) -> None:
    """Write base + Σ w t into ``out``, skipping the copy when there is a first term."""
    if not terms:
        out.copy_(base)
        return
    torch.add(base, terms[0][0], alpha=terms[0][1], out=out)
    for tensor, weight in terms[1:]:
        out.add_(tensor, alpha=weight)
