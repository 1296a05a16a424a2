"""Explicit Runge-Kutta stages of many parameter sets at once, on the same samples: forward map and gradient.

The formulas are those of runge_kutta.py and two_layer.py. The sets are one more axis of every array, so that B of them
take as many calls as one: with small arrays a call costs more than its arithmetic. Samples come last, (B, d, S), as a
batch of products K Y of few rows and many columns is several times as fast as one of many rows and few columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from deeplimit.mathematics.kernels.kernel import Kernel
from deeplimit.mathematics.kernels.runge_kutta import ExplicitRungeKutta, combine
from deeplimit.mathematics.kernels.two_layer import TwoLayerRungeKutta
from deeplimit.mathematics.watch import paced


@dataclass
class Trajectories:
    """What a forward pass keeps of B sets.

    Attributes
    ----------
    states
        (steps + 1, B, d, S).
    inputs, z, a
        (Q, B, d, S), as in `kernel.Trajectory`; z and a (Q, B, w, S) for two-layer blocks.
    """

    states: Tensor
    inputs: Tensor
    z: Tensor
    a: Tensor


class BatchedRungeKutta:
    """The steps of a kernel for many sets: K (Q, B, d, d) and b (Q, B, d); K (Q, B, 2w, d) of two-layer blocks."""

    def __init__(self, kernel: Kernel, *, two_layer: bool) -> None:
        self.tableau, self.steps, self.stages, self.h = kernel.tableau, kernel.steps, kernel.stages, kernel.h
        self.activation, self.running, self.two_layer = kernel.activation, kernel.running, two_layer
        self._feeds = [self.tableau.feeds(stage) for stage in range(self.stages)]
        self._fed_by = [self.tableau.fed_by(stage) for stage in range(self.stages)]
        self._buffers: Trajectories | None = None

    def forward(self, K: Tensor, b: Tensor, x: Tensor) -> Trajectories:
        """Propagate x (d, S), the same for every set; what is returned is overwritten by the next call."""
        run = self._space(b, x)
        inner, outer = self._parts(K)
        bias = b.unsqueeze(-1).unbind(0)
        states, inputs, z, a = run.states.unbind(0), run.inputs.unbind(0), run.z.unbind(0), run.a.unbind(0)
        states[0].copy_(x)
        for i in paced(range(self.steps), self.stages * b[0].numel() * x.numel()):
            k: list[Tensor] = []
            for j in range(self.stages):
                q = i * self.stages + j
                if self.stages > 1:
                    combine(states[i], [(k[index], self.h * weight) for index, weight in self._feeds[j]], inputs[q])
                torch.baddbmm(bias[q], inner[q], inputs[q], out=z[q])
                self.activation.write(z[q], a[q])
                k.append(a[q] if outer is None else torch.bmm(outer[q].transpose(1, 2), a[q]))
            combine(states[i], [(k[j], self.h * w) for j, w in enumerate(self.tableau.b) if w], states[i + 1])
        return run

    def running_cost(self, run: Trajectories) -> Tensor:
        """Return ρ h Σ_q b_j ‖Y_q‖² of every set, summed over samples, (B,)."""
        squares = run.inputs.square().sum((2, 3)).view(self.steps, self.stages, -1).sum(0)
        return (squares.new_tensor(self.tableau.b) @ squares) * (self.running * self.h)

    def gradient(self, run: Trajectories, K: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients by K and b from the final costates p (B, d, S), overwriting p and ``run.z``."""
        inner, outer = self._parts(K)
        self.activation.write_first(run.z, run.a, run.z)
        delta, inputs = run.z.unbind(0), run.inputs.unbind(0)
        kappas = None if outer is None else torch.empty_like(run.inputs)
        h, running = self.h, 2.0 * self.running
        for i in paced(range(self.steps - 1, -1, -1), self.stages * run.z[0].numel() * p.shape[1]):
            v: list[Tensor] = [p] * self.stages
            for j in range(self.stages - 1, -1, -1):
                q, weight = i * self.stages + j, self.tableau.b[j]
                kappa = p if weight == 1.0 and not self._fed_by[j] else p * weight
                for later, a in self._fed_by[j]:
                    kappa.add_(v[later], alpha=h * a)
                if outer is not None and kappas is not None:
                    kappas[q].copy_(kappa)
                    kappa = torch.bmm(outer[q], kappa)
                delta[q].mul_(kappa)
                v[j] = torch.bmm(inner[q].transpose(1, 2), delta[q])
                if running:
                    v[j].add_(inputs[q], alpha=running * weight)
            for back in v:
                p.add_(back, alpha=h)
        gradient_K = _outer(run.z, run.inputs)
        if kappas is not None:
            gradient_K = torch.cat([gradient_K, _outer(run.a, kappas)], 2)
        return gradient_K.mul_(h), run.z.sum(3).mul_(h)

    def _parts(self, K: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...] | None]:
        if not self.two_layer:
            return K.unbind(0), None
        inner, outer = K.chunk(2, 2)
        return inner.unbind(0), outer.unbind(0)

    def _space(self, b: Tensor, x: Tensor) -> Trajectories:
        """Return the last buffers if they were made for as many sets and samples, or else new ones."""
        sets, (width, samples) = b.shape[1], x.shape
        before = self._buffers
        if before is not None and before.states.shape[1] == sets and before.states.shape[3] == samples:
            return before
        self._buffers = before = None  # two sets of buffers are never held at once
        states = x.new_empty((self.steps + 1, sets, width, samples))
        stages = self.steps * self.stages
        inputs = states[:-1] if self.stages == 1 else x.new_empty((stages, sets, width, samples))
        z = x.new_empty((stages, sets, b.shape[2], samples))
        self._buffers = Trajectories(states, inputs, z, torch.empty_like(z))
        return self._buffers


def batched(kernel: Kernel) -> BatchedRungeKutta | None:
    """Return the kernel for many sets, or None where there is none: implicit Euler solves set by set."""
    if isinstance(kernel, TwoLayerRungeKutta):
        return BatchedRungeKutta(kernel, two_layer=True)
    return BatchedRungeKutta(kernel, two_layer=False) if isinstance(kernel, ExplicitRungeKutta) else None


def _outer(left: Tensor, right: Tensor) -> Tensor:
    """Return Σ_s left ⊗ right, (Q, B, w, d), from (Q, B, w, S) and (Q, B, d, S)."""
    return torch.matmul(left, right.transpose(2, 3))
