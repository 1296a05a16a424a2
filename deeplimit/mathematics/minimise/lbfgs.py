"""Limited-memory BFGS (Nocedal 1980; Nocedal and Wright 2006, algorithm 7.4)."""

from __future__ import annotations

from collections import deque
from typing import Final

import torch
from torch import Tensor

MEMORY: Final = 20
"""Pairs kept."""


class InverseHessian:
    """The limited-memory inverse Hessian, from the last pairs (s, y) of steps and gradient changes."""

    def __init__(self, memory: int = MEMORY) -> None:
        self._pairs: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=memory)
        self._scale = 1.0

    def __len__(self) -> int:
        return len(self._pairs)

    @property
    def known(self) -> bool:
        """Whether anything is known of the Hessian, so that a step of length 1 is worth a trial."""
        return len(self._pairs) > 0

    def update(self, s: Tensor, y: Tensor) -> None:
        """Take a pair in, unless its curvature s·y is not safely positive."""
        curvature, length = torch.stack([s @ y, y @ y]).tolist()
        if curvature > torch.finfo(s.dtype).eps * length:
            self._pairs.append((s, y, curvature))
            self._scale = curvature / length

    def clear(self) -> None:
        """Forget every pair."""
        self._pairs.clear()

    def apply(self, g: Tensor) -> Tensor:
        """Return H g by the two-loop recursion."""
        q = g.clone()
        kept = []
        for s, y, curvature in reversed(self._pairs):
            weight = (s @ q) / curvature
            q.sub_(y * weight)
            kept.append(weight)
        q.mul_(self._scale)
        for (s, y, curvature), weight in zip(self._pairs, reversed(kept), strict=True):
            q.add_(s * (weight - (y @ q) / curvature))
        return q
