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

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.minimise.lbfgs import MEMORY, InverseHessian
from deeplimit.mathematics.minimise.memory import pairs_that_fit
from deeplimit.mathematics.model.objective import DiscretisedObjective
from deeplimit.mathematics.model.transfer import Model, Transfer

_FEW_PAIRS: Final = 100
_MOST_PAIRS: Final = 500
_PAIRS_BYTES: Final = 256 * 2**20
"""Bytes that the pairs of one model may take, but for the last `MEMORY`."""


class RegulariserInverse:
    """D⁻¹ of a model, on the diagonal 1/(2α_A): what is known without a step."""

    def __init__(self, model: DiscretisedObjective) -> None:
        self._diagonal = torch.empty(model.coordinates.length, dtype=model.problem.dtype, device=model.problem.x.device)
        for name, part in model.coordinates.slices.items():
            self._diagonal[part] = 0.5 / model.problem.weight(name)

    def apply(self, g: Tensor, share: float) -> Tensor:
        """Return c D⁻¹ g; see ``InitialInverse``."""
        return self.add(g.new_zeros(g.shape), g, share)

    def add(self, out: Tensor, g: Tensor, share: float) -> Tensor:
        """Add c D⁻¹ g to ``out``, in place."""
        return out.addcmul_(g, self._diagonal, value=share)


class CarriedInverse:
    """H₀ of ``model`` from the inverse Hessian of a model nearby."""

    def __init__(self, model: Model, near: Model, inverse: InverseHessian) -> None:
        self._inverse = inverse
        self._there, self._back = Transfer(model, near), Transfer(near, model)
        self._own, self._nearby = RegulariserInverse(model), RegulariserInverse(near)

    def apply(self, g: Tensor, share: float) -> Tensor:
        """Return H₀ g; see ``InitialInverse``."""
        there = self._there(g)
        correction = self._nearby.add(self._inverse.apply(there, share), there, -share)
        return self._own.add(self._back(correction), g, share)


@dataclass(frozen=True)
class KnownCurvature:
    """What minimising a model has shown of its inverse Hessian; None where it showed nothing that is to be used."""

    model: Model
    inverse: InverseHessian | None


def inverse_hessian_of(model: Model, near: KnownCurvature | None = None) -> InverseHessian:
    """Return what the minimisation of a model may begin with, from a model nearby where that holds.

    It holds where E is smooth and every trained parameter is regularised in increment coordinates that have a limit.
    """
    problem = model.problem
    if not problem.smooth:
        return InverseHessian(min(MEMORY, most_pairs(model)))
    inverse = InverseHessian(most_pairs(model))
    if near is None or near.inverse is None or not problem.regime.has_continuum or problem.curvature_floor <= 0.0:
        return inverse
    known = near.inverse if near.inverse.initial is not None else near.inverse.on(RegulariserInverse(near.model))
    inverse.initial, inverse.share = CarriedInverse(model, near.model, known), known.share
    return inverse


def most_pairs(model: Model) -> int:
    """Return how many pairs are worth their products and their memory.

    A product with m pairs takes some 8 m operations a coordinate and a gradient 6 S, so that with m = S/4 it costs a
    third of one. Measured to ‖g‖ ≤ 1e-7 at the coarsest depth with 20, 120 and 200 pairs: breast_cancer (α = 1e-3) 687,
    322 and 313 evaluations, two moons 172, 147 and 145.
    """
    size = model.coordinates.length * model.problem.x.element_size()
    worth = min(_MOST_PAIRS, max(_FEW_PAIRS, model.problem.samples // 4))
    allowed = model.problem.memory.vectors
    if allowed is not None:  # half, of which coarser models keep theirs, and room for more is made beside the old
        length, itemsize = model.coordinates.length, model.problem.x.element_size()
        return pairs_that_fit(length, itemsize, min(_PAIRS_BYTES, allowed // 6), worth)
    return max(MEMORY, min(worth, _PAIRS_BYTES // (2 * size)))
