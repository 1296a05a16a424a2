"""An inverse Hessian carried over from a model nearby: a coarser or a finer depth, the continuum, another resolution.

In increment coordinates the Hessian is that of the regulariser, D with 2α_A on the diagonal, and a compact operator
that hardly depends on n (coordinates.py). So what minimising one model has shown of its inverse Hessian H_c is worth as
much for the next. With T from the coordinates of that model to this one's, which is a contraction (transfer.py),

    H₀ = c D⁻¹ + T (H_c − c D_c⁻¹) Tᵀ

is positive definite when H_c is, acts as H_c on what the other model resolves, and as D⁻¹ on what it does not, as does
a two-grid preconditioner (Hackbusch 1985, *Multi-grid methods and applications*). H_c may itself be carried: a chain of
depths, each of which adds the few pairs that it took.
"""

from __future__ import annotations

import torch
from torch import Tensor

from deeplimit.mathematics.minimise.lbfgs import InitialInverse, InverseHessian
from deeplimit.mathematics.model.objective import DiscretisedObjective
from deeplimit.mathematics.model.transfer import Model, transfer


class RegulariserInverse:
    """D⁻¹ of a model, on the diagonal 1/(2α_A): what is known without a step."""

    def __init__(self, model: DiscretisedObjective) -> None:
        self._diagonal = torch.empty(model.coordinates.length, dtype=model.problem.dtype, device=model.problem.x.device)
        for name, part in model.coordinates.slices.items():
            self._diagonal[part] = 0.5 / model.problem.weight(name)

    def apply(self, g: Tensor, share: float) -> Tensor:
        """Return c D⁻¹ g; see ``InitialInverse``."""
        return g * self._diagonal * share


class CarriedInverse:
    """H₀ of ``model`` from the inverse Hessian of a model nearby."""

    def __init__(self, model: Model, near: Model, inverse: InverseHessian) -> None:
        self._model, self._near, self._inverse = model, near, inverse
        self._own, self._nearby = RegulariserInverse(model), RegulariserInverse(near)

    def apply(self, g: Tensor, share: float) -> Tensor:
        """Return H₀ g; see ``InitialInverse``."""
        there = transfer(g, self._model, self._near)
        correction = self._inverse.apply(there, share).sub_(self._nearby.apply(there, share))
        return self._own.apply(g, share).add_(transfer(correction, self._near, self._model))


def carried_inverse(model: Model, near: Model, inverse: InverseHessian | None) -> InitialInverse | None:
    """Return what a minimisation of ``near`` has shown, for ``model``; None where nothing holds of both.

    It holds where E is smooth and every trained parameter is regularised in increment coordinates that have a limit.
    """
    problem = model.problem
    if inverse is None or not problem.smooth or not problem.regime.has_continuum:
        return None
    if any(problem.weight(name) <= 0.0 for name in problem.trained):
        return None
    if inverse.initial is None:
        inverse = inverse.on(RegulariserInverse(near))
    return CarriedInverse(model, near, inverse)
