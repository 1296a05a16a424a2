"""K and V of two-layer blocks, which are kept as one array, apart and together."""

from __future__ import annotations

import torch
from torch import Tensor

from deeplimit.mathematics.problem.learning_problem import Problem


def apart(problem: Problem, K: Tensor) -> dict[str, Tensor]:
    """Return K (…, d, d) by name, and of two-layer blocks K (…, w, d) and V (…, d, w) from (…, 2w, d).

    It is linear in each entry, so coefficients of a basis come apart like values.
    """
    if not problem.regime.two_layer:
        return {"K": K}
    inner, outer = K.chunk(2, -2)
    return {"K": inner, "V": outer.transpose(-1, -2)}


def together(K: Tensor, V: Tensor | None = None) -> Tensor:
    """Return the one array that stands for K and V; K itself without V."""
    return K if V is None else torch.cat([K, V.transpose(-1, -2)], -2)
