"""The smallest eigenvalue of a symmetric operator that is known by its products (Davidson 1975).

The basis grows by the preconditioned residual K⁻¹(H v − θ v) of the smallest Ritz pair (Morgan and Scott 1986,
*Generalizations of Davidson's method for computing eigenvalues of sparse symmetric matrices*). Without a preconditioner
its span is Lanczos' Krylov space; with an inverse Hessian that is nearly the operator's a few products are enough. Full
reorthogonalisation, twice, keeps the basis orthogonal to rounding (Parlett 1998, *The symmetric eigenvalue problem*,
chapter 13).

A Ritz value θ is a Rayleigh quotient, so λ_min ≤ θ; and with the residual ρ = ‖H v − θ v‖ some eigenvalue lies in
[θ − ρ, θ + ρ]. That it is the smallest one cannot be proved from products alone, but a random start misses it with a
probability that falls exponentially in the number of products (Kuczyński and Woźniakowski 1992, SIAM J. Matrix Anal.
Appl. 13:1094).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.journal import Step
from deeplimit.mathematics.minimise.searched import Searched

_EVERY: Final = 4
"""Products between two looks at the smallest Ritz pair, without a preconditioner, which makes the look cheap beside."""
_EXHAUSTED: Final = 10.0
"""What is left of a new direction below so many roundings says that there is none."""
LEAST: Final = 12
"""Products before a Ritz value may be believed: an early one can sit beside an eigenvalue that is not the smallest."""


@dataclass(frozen=True)
class RitzPair:
    """An approximate smallest eigenvalue.

    Attributes
    ----------
    value
        θ, an upper bound of λ_min.
    vector
        v (length,), ‖v‖ = 1, θ = vᵀHv.
    error
        ρ = ‖Hv − θv‖ and rounding.
    largest
        The largest Ritz value, a lower bound of λ_max.
    products
        Products used.
    converged
        Whether ρ came below the tolerance, or no direction was left.
    searched
        The lowest Ritz vectors, of those that were asked for.
    """

    value: float
    vector: Tensor
    error: float
    largest: float
    products: int
    converged: bool
    searched: Searched | None = None


def smallest_eigenvalue(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    precondition: Callable[[Tensor], Tensor] | None = None,
    tolerance: float = 1e-4,
    absolute: float = 0.0,
    least_products: int = LEAST,
    max_products: int = 100,
    kept: int = 0,
    stop: Callable[[], bool] | None = None,
    kept_by: Step | None = None,
) -> RitzPair:
    """Return the smallest Ritz pair of H.

    Parameters
    ----------
    product
        v ↦ Hv, H symmetric.
    start
        (length,), random and not zero; or near the eigenvector, with a preconditioner.
    precondition
        v ↦ K⁻¹v, K positive definite and near H.
    tolerance, absolute
        Ends when ρ ≤ tolerance · |θ| or ρ ≤ absolute: near 0 no relative accuracy is ever reached.
    least_products, max_products
        At least 1; memory is twice as many vectors. A product that is not finite ends the search with θ = NaN.
    kept
        How many of the lowest Ritz vectors are returned, at most.
    stop
        Asked before every product after the first; ends with what there is. May raise, to be rid of all.
    kept_by
        A journal's step, which keeps the products, in their order.
    """
    step = kept_by or Step()
    made = () if step.begun is None else step.begun
    space = _Space(start, min(max_products, len(start)))
    new: Tensor | None = start / torch.linalg.vector_norm(start)
    while True:
        assert new is not None  # noqa: S101 - for the type checker: the search ends where no direction is left
        of_new = made[space.size] if space.size < len(made) else product(new)
        step.going(space.made)
        if not space.extend(new, of_new):
            return RitzPair(math.nan, start, math.inf, math.nan, space.size, converged=False)
        last = space.full or (stop is not None and stop())
        look = precondition is not None or (space.size >= least_products and space.size % _EVERY == 0)
        wanted = space.residual() if look or last else space.products[space.size - 1]
        if look or last:
            pair = space.pair(wanted)
            small = pair.error <= max(tolerance * abs(pair.value), absolute) and space.size >= least_products
            if small or last:
                return space.found(pair, kept, settled=small or space.size == len(start))
        if precondition is not None:
            wanted = precondition(wanted)
        new = space.new_direction(wanted, of_products=precondition is None)
        if new is None:
            # What is left of the residual itself: nothing, if the space is invariant.
            residual = space.residual()
            new = space.new_direction(residual, of_products=True)
            if new is None:
                return space.found(space.pair(residual), kept, settled=True)


class _Space:
    """An orthonormal basis (k, length), its products with H, and the Ritz pairs of the two."""

    def __init__(self, like: Tensor, most: int) -> None:
        self.size = 0
        self.basis, self.products = like.new_empty((most, len(like))), like.new_empty((most, len(like)))
        self._projected = torch.zeros((most, most), dtype=torch.float64)
        self._ritz: tuple[Tensor, Tensor] | None = None

    @property
    def full(self) -> bool:
        return self.size == len(self.basis)

    def extend(self, v: Tensor, product: Tensor) -> bool:
        """Take in a unit vector that is orthogonal to the others; give whether its product is finite."""
        k = self.size
        self.basis[k], self.products[k] = v, product
        # Of the copy, whose place in memory is the same when the search is gone on with: rounding may depend on it.
        row = (self.basis[: k + 1] @ self.products[k]).to(self._projected)
        self._projected[k, : k + 1] = self._projected[: k + 1, k] = row
        self.size, self._ritz = k + 1, None
        return math.isfinite(float(self._projected[k, k]))

    def made(self) -> Tensor:
        """Return the products (k, length) so far."""
        return self.products[: self.size]

    def ritz(self) -> tuple[Tensor, Tensor]:
        """Return the Ritz values, ascending, and the weights of the smallest one's vector."""
        if self._ritz is None:
            values, vectors = torch.linalg.eigh(self._projected[: self.size, : self.size])
            self._ritz = values, vectors[:, 0].to(self.basis)
        return self._ritz

    def vector(self) -> Tensor:
        return self.basis[: self.size].T @ self.ritz()[1]

    def residual(self) -> Tensor:
        """Return H v − θ v of the smallest Ritz pair."""
        values, weights = self.ritz()
        return torch.addmv(
            self.products[: self.size].T @ weights, self.basis[: self.size].T, weights * -float(values[0])
        )

    def pair(self, residual: Tensor) -> RitzPair:
        """Return the smallest Ritz pair, whose vector is left out, and whose residual is given."""
        values, _ = self.ritz()
        error = float(torch.linalg.vector_norm(residual))
        return RitzPair(float(values[0]), residual[:0], error, float(values[-1]), self.size, converged=False)

    def found(self, pair: RitzPair, kept: int, *, settled: bool) -> RitzPair:
        """Return a pair that the search ends with, whole."""
        searched, error = self.lowest(kept) if kept else None, pair.error + self.rounding()
        return replace(pair, vector=self.vector(), error=error, converged=settled, searched=searched)

    def lowest(self, most: int) -> Searched:
        _, weights = torch.linalg.eigh(self._projected[: self.size, : self.size])
        rotation = weights[:, :most].T.to(self.basis)
        return Searched(rotation @ self.basis[: self.size], rotation @ self.products[: self.size])

    def rounding(self) -> float:
        values, _ = self.ritz()
        return math.sqrt(self.size) * torch.finfo(self.basis.dtype).eps * float(values.abs().max())

    def new_direction(self, v: Tensor, *, of_products: bool) -> Tensor | None:
        """Return the unit vector along what of v the basis does not span, or None where that is rounding."""
        steepest = float(self._projected.diagonal().abs().max()) if of_products else 0.0
        noise = torch.finfo(v.dtype).eps * max(float(torch.linalg.vector_norm(v)), steepest)
        for _ in range(2):
            v = torch.addmv(v, self.basis[: self.size].T, self.basis[: self.size] @ v, alpha=-1.0)
        left = float(torch.linalg.vector_norm(v))
        return None if left <= _EXHAUSTED * noise else v / left
