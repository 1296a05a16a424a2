"""The fused kernel: explicit Runge-Kutta stages of σ(K X + b) on the CPU, in float64."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from deeplimit.mathematics.kernels.activations import Activation
from deeplimit.mathematics.kernels.fused import whole
from deeplimit.mathematics.kernels.fused.evaluation import Evaluator
from deeplimit.mathematics.kernels.fused.layout import (
    Floats,
    Laid,
    flat,
    flat_biases,
    flat_weights,
    padded_features,
    split_gradients,
)
from deeplimit.mathematics.kernels.fused.loops import ACTIVATIONS
from deeplimit.mathematics.kernels.kernel import Adjoint, Gradients, Increments, Kernel, Tangent, Trajectory
from deeplimit.mathematics.kernels.tableau import Tableau


@dataclass
class _Forward(Trajectory):
    """A trajectory with the memory that its arrays are views of."""

    nodes: Laid
    stages: Laid
    before: Laid
    values: Laid


@dataclass
class _Backward(Adjoint):
    slopes: Laid
    deltas: Laid


@dataclass
class _Along(Tangent):
    stages: Laid
    before: Laid


class FusedRungeKutta(Kernel):
    """``steps`` equal steps of an explicit method over [0, T], each pass one call of machine code.

    What it returns agrees with ``ExplicitRungeKutta`` to rounding. Arrays (…, S, d) are views of memory in which
    samples lie side by side, so they are not contiguous.
    """

    name = "fused"

    def __init__(
        self, tableau: Tableau, steps: int, activation: Activation, *, horizon: float = 1.0, running: float = 0.0
    ) -> None:
        super().__init__(tableau, steps, activation, horizon=horizon, running=running)
        feeds = np.zeros((self.stages, self.stages))
        for stage in range(self.stages):
            for earlier, weight in tableau.feeds(stage):
                feeds[stage, earlier] = weight
        self._tableau: tuple[Floats, Floats] = (feeds.ravel(), np.array(tableau.b))
        self._code = ACTIVATIONS.index(activation.name)
        self._evaluator = Evaluator(self._code, self._tableau)

    def work_in(self, evaluators: dict[object, Any]) -> None:
        """Share the evaluator, whose memory is made anew when another depth is evaluated; see ``Kernel``."""
        self._evaluator = evaluators.setdefault((self._code, self.tableau), self._evaluator)

    def gradients(self, theta: Mapping[str, Tensor], x: Tensor, y: Tensor, loss: str) -> Gradients:
        """Return sums and gradients over all samples; see ``Kernel``. They are valid until the next call."""
        return self._evaluator.gradients(self._scheme, theta, x, y, loss)

    def hessian_product(
        self, theta: Mapping[str, Tensor], direction: Mapping[str, Tensor], x: Tensor, y: Tensor, loss: str
    ) -> dict[str, Tensor]:
        """Return the gradients' derivatives along a direction; see ``Kernel``. They are valid until the next call."""
        return self._evaluator.hessian_product(self._scheme, theta, direction, x, y, loss)

    def objective(self, layout: Increments, u: Tensor, x: Tensor, y: Tensor, loss: str) -> tuple[list[float], Tensor]:
        """Return the objective's terms and its gradient in u; see ``Kernel``."""
        return self._evaluator.objective(self._scheme, layout, u, x, y, loss)

    def product(self, layout: Increments, u: Tensor, v: Tensor, x: Tensor, y: Tensor, loss: str) -> Tensor:
        """Return the product of the objective's Hessian at u with v; see ``Kernel``."""
        return self._evaluator.product(self._scheme, layout, u, v, x, y, loss)

    def objectives(
        self, layout: Increments, rows: Tensor, x: Tensor, y: Tensor, loss: str
    ) -> tuple[list[list[float]], Tensor]:
        """Return the same for many u in one call; see ``Kernel``."""
        return self._evaluator.objectives(self._scheme, layout, rows, x, y, loss)

    def forward(self, K: Tensor, b: Tensor, x: Tensor, reuse: Trajectory | None = None) -> Trajectory:
        """Propagate x (S, d) through K (Q, d, d), b (Q, d); see ``Kernel``."""
        run = self._kept(x, reuse)
        run.nodes.put(0, x, repeat=True)
        whole.forward(
            self._code, self._sizes(run.nodes), self.h, self._tableau, flat_weights(K), flat_biases(b),
            run.nodes.flat, run.stages.flat, run.before.flat, run.values.flat, run.nodes.like(self.stages).flat,
        )  # fmt: skip
        return run

    def backward(self, trajectory: Trajectory, K: Tensor, p: Tensor) -> Adjoint:
        """Propagate the final costate p (S, d) back; see ``Kernel``."""
        run = cast("_Forward", trajectory)
        costates, slopes, deltas = run.nodes.like(), run.before.like(), run.before.like()
        costates.put(-1, p, repeat=False)
        kappa = costates if self.stages == 1 else run.before.like()
        gradient = self._parameters(K)
        whole.backward(
            self._code, self._sizes(run.nodes), self.h, self.running, self._tableau, flat_weights(K),
            run.stages.flat, run.before.flat, costates.flat, kappa.flat, slopes.flat, deltas.flat,
            flat(gradient), run.nodes.like(self.stages).flat,
        )  # fmt: skip
        by_kappa = kappa.view[1:] if self.stages == 1 else kappa.view
        return _Backward(
            costates.view, by_kappa, slopes.view, deltas.view,
            *split_gradients(gradient, len(K), K.shape[1]), slopes, deltas,
        )  # fmt: skip

    def tangent(self, trajectory: Trajectory, slope: Tensor, K: Tensor, dK: Tensor, db: Tensor) -> Tangent:
        """Differentiate the trajectory along (dK, db); see ``Kernel``."""
        run = cast("_Forward", trajectory)
        dinputs, dz, dstate = run.before.like(), run.before.like(), run.nodes.like(1)
        dstate.flat[:] = 0.0
        whole.tangent(
            self._sizes(run.nodes), self.h, self._tableau, flat_weights(K), flat_weights(dK), flat_biases(db),
            run.stages.flat, _memory_of(slope), dinputs.flat, dz.flat, dstate.flat, run.nodes.like(self.stages).flat,
        )  # fmt: skip
        return _Along(dstate.view[0], dinputs.view, dz.view, dinputs, dz)

    def second_adjoint(
        self, trajectory: Trajectory, adjoint: Adjoint, tangent: Tangent, K: Tensor, dK: Tensor, dp: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Differentiate the parameter gradients along (dK, db); see ``Kernel``."""
        run, back, along = cast("_Forward", trajectory), cast("_Backward", adjoint), cast("_Along", tangent)
        dcostate, gradient, curvature = run.nodes.like(1), self._parameters(K), run.before.like()
        dcostate.put(0, dp, repeat=False)
        curvature.flat[:] = 0.0  # padding too
        torch.mul(self.activation.second(run.z, run.a), back.kappa, out=curvature.view)
        whole.second_adjoint(
            self._sizes(run.nodes), self.h, self.running, self._tableau, flat_weights(K), flat_weights(dK),
            run.stages.flat, back.slopes.flat, back.deltas.flat, curvature.flat, along.stages.flat,
            along.before.flat, dcostate.flat, flat(gradient), run.nodes.like(self.stages + 1).flat,
        )  # fmt: skip
        return split_gradients(gradient, len(K), K.shape[1])

    @property
    def _scheme(self) -> tuple[int, float, float]:
        return self.steps, self.h, self.running

    def _sizes(self, laid: Laid) -> whole.Sizes:
        return self.steps, *laid.sizes

    def _parameters(self, K: Tensor) -> Tensor:
        """Return room for padded gradients by K and b."""
        d = padded_features(K.shape[1])
        return torch.empty(len(K) * d * (d + 1), dtype=torch.float64)

    def _kept(self, x: Tensor, reuse: Trajectory | None) -> _Forward:
        """Return ``reuse`` if it is this kernel's and was made for as many samples, or else new memory."""
        count = self.steps * self.stages
        if isinstance(reuse, _Forward) and reuse.states.shape == (self.steps + 1, *x.shape) and len(reuse.z) == count:
            return reuse
        nodes = Laid(self.steps + 1, *x.shape)
        stages = nodes if self.stages == 1 else nodes.like(count)
        before, values = nodes.like(count), nodes.like(count)
        inputs = nodes.view[:-1] if self.stages == 1 else stages.view
        return _Forward(nodes.view, inputs, before.view, values.view, nodes, stages, before, values)


def _memory_of(view: Tensor) -> Floats:
    """Return the flat memory, padding included, that begins where a view of it does."""
    storage = torch.tensor([], dtype=view.dtype).set_(view.untyped_storage())
    return flat(storage)[view.storage_offset() :]
