"""What the search for one model's smallest eigenvalue tells of the next one's Hessian: a deflated preconditioner.

The span W of the search's lowest Ritz vectors, with Y = HW, holds the soft directions that an L-BFGS inverse K⁻¹ knows
worst. With G = WᵀY,

    M = (I − W G⁻¹ Yᵀ) K⁻¹ (I − Y G⁻¹ Wᵀ) + W G⁻¹ Wᵀ

is positive definite, solves Mv = H⁻¹v on the span of Y, and is K⁻¹ elsewhere (the balancing preconditioner of Mandel
1993, Comm. Numer. Methods Eng. 9:233, with a coarse space of Ritz vectors; it is the block BFGS update by W and Y).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Searched:
    """The lowest Ritz vectors (k, length) of a search, orthonormal, and their products with the Hessian."""

    vectors: Tensor
    products: Tensor

    def carried(self, transfer: Callable[[Tensor], Tensor]) -> Self:
        """Return the same in the coordinates of another model."""
        vectors, products = (torch.stack([transfer(row) for row in rows]) for rows in (self.vectors, self.products))
        return type(self)(vectors, products)

    def improved(self, apply: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """Return v ↦ Mv from v ↦ K⁻¹v, or the latter where the span has no positive curvature."""
        W, Y = self.vectors, self.products
        G = W @ Y.T
        root, failed = torch.linalg.cholesky_ex((G + G.T) / 2.0)
        if bool(failed):
            return apply

        def solve(v: Tensor) -> Tensor:
            return torch.cholesky_solve(v.unsqueeze(1), root).squeeze(1)

        def improved(v: Tensor) -> Tensor:
            seen = solve(W @ v)
            rest = apply(torch.addmv(v, Y.T, seen, alpha=-1.0))
            return torch.addmv(rest, W.T, seen - solve(Y @ rest))

        return improved
