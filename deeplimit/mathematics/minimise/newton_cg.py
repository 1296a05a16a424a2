"""Newton steps by conjugate gradients on Hessian-vector products (Nocedal and Wright 2006, algorithm 7.1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class NewtonDirection:
    """A direction d with H d ≈ −g.

    Attributes
    ----------
    residual
        ‖H d + g‖.
    products
        Hessian-vector products used.
    negative_curvature
        Whether a direction with vᵀHv ≤ 0 was met, which ends the solve.
    """

    direction: Tensor
    residual: float
    products: int
    negative_curvature: bool


def newton_direction(
    product: Callable[[Tensor], Tensor],
    g: Tensor,
    *,
    limit: int,
    residual: float | None = None,
    precondition: Callable[[Tensor], Tensor] | None = None,
) -> NewtonDirection:
    """Solve H d = −g to a relative residual, by default min(½, √‖g‖), which gives superlinear convergence.

    Parameters
    ----------
    precondition
        An approximate inverse of H, positive definite.
    """
    norm = float(torch.linalg.vector_norm(g))
    target = (min(0.5, math.sqrt(norm)) if residual is None else residual) * norm
    d, r = torch.zeros_like(g), g.clone()
    z = r if precondition is None else precondition(r)
    v = -z
    size, square = norm, float(r @ z)
    count = 0
    for count in range(1, (limit if square else 0) + 1):
        hv = product(v)
        curvature = float(v @ hv)
        if curvature <= 0.0:
            return NewtonDirection(d if count > 1 else v, size, count, negative_curvature=True)
        step = square / curvature
        d.add_(v, alpha=step)
        r.add_(hv, alpha=step)
        size = float(torch.linalg.vector_norm(r))
        if size <= target:
            break
        z = r if precondition is None else precondition(r)
        following = float(r @ z)
        v.mul_(following / square).sub_(z)
        square = following
    return NewtonDirection(d, size, count, negative_curvature=False)
