"""The smallest eigenvalue of a symmetric operator that is known by its products (Lanczos 1950).

Full reorthogonalisation, twice, keeps the basis orthogonal to rounding, so that no copy of an eigenvalue appears
(Parlett 1998, *The symmetric eigenvalue problem*, chapter 13). The k-th Ritz value θ is a Rayleigh quotient, so
λ_min ≤ θ; and with the residual ρ = ‖H v − θ v‖ some eigenvalue lies in [θ − ρ, θ + ρ]. That it is the smallest one
cannot be proved from products alone, but a random start misses it with a probability that falls exponentially in the
number of products (Kuczyński and Woźniakowski 1992, SIAM J. Matrix Anal. Appl. 13:1094).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

_EVERY: Final = 4
"""Products between two looks at the tridiagonal matrix."""
_EXHAUSTED: Final = 10.0
"""What is left of a product below so many roundings says that the Krylov space is exhausted."""
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
        Whether ρ came below the tolerance, or the Krylov space was exhausted.
    """

    value: float
    vector: Tensor
    error: float
    largest: float
    products: int
    converged: bool


def smallest_eigenvalue(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    tolerance: float = 1e-4,
    absolute: float = 0.0,
    max_products: int = 100,
    stop: Callable[[], bool] | None = None,
) -> RitzPair:
    """Return the smallest Ritz pair of H.

    Parameters
    ----------
    product
        v ↦ Hv, H symmetric.
    start
        (length,), random and not zero.
    tolerance, absolute
        Ends when ρ ≤ tolerance · |θ| or ρ ≤ absolute: near 0 no relative accuracy is ever reached.
    max_products
        At least 1; memory is as many vectors. A product that is not finite ends the search with θ = NaN.
    stop
        Asked before every product after the first; ends with what there is. May raise, to be rid of all.
    """
    length, eps = len(start), torch.finfo(start.dtype).eps
    most = min(max_products, length)
    basis = start.new_empty((most, length))
    basis[0] = start / torch.linalg.vector_norm(start)
    diagonal: list[float] = []
    off: list[float] = []
    while True:
        k = len(diagonal)
        w = product(basis[k])
        diagonal.append(float(basis[k] @ w))
        if not math.isfinite(diagonal[-1]):
            return RitzPair(math.nan, basis[0], math.inf, math.nan, k + 1, converged=False)
        for _ in range(2):
            w = w - basis[: k + 1].T @ (basis[: k + 1] @ w)
        beta = float(torch.linalg.vector_norm(w))
        k += 1
        exhausted = k == length or beta <= _EXHAUSTED * eps * max(map(abs, diagonal))
        last = exhausted or k == most or (stop is not None and stop())
        if last or (k >= LEAST and k % _EVERY == 0):
            values, vectors = _tridiagonal(diagonal, off)
            residual = 0.0 if exhausted else beta * abs(float(vectors[-1, 0]))
            value, largest = float(values[0]), float(values[-1])
            small = residual <= max(tolerance * abs(value), absolute)
            if last or small:
                v = basis[:k].T @ vectors[:, 0].to(start)
                rounding = math.sqrt(k) * eps * max(abs(largest), abs(value))
                return RitzPair(value, v, residual + rounding, largest, k, exhausted or small)
        off.append(beta)
        basis[k] = w / beta


def _tridiagonal(diagonal: list[float], off: list[float]) -> tuple[Tensor, Tensor]:
    """Return eigenvalues, ascending, and eigenvectors of the symmetric tridiagonal matrix, in float64."""
    T = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    for shift in (1, -1):
        T += torch.diag(torch.tensor(off, dtype=torch.float64), shift)
    values, vectors = torch.linalg.eigh(T)
    return values, vectors
