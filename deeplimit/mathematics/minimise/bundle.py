"""A lower bound of a non-smooth minimum from the last points and gradients: what a bundle method knows.

Where E is λ-strongly convex, every point u_j with a (sub)gradient g_j says E(x) ≥ E_j + g_j·(x − u_j) + ½λ‖x − u_j‖².
The least that a weighted mean of these allows is, about the last point u and with p_j = g_j + λ(u − u_j),

    E(u) − Σ w_j α_j − ‖Σ w_j p_j‖²/(2λ),   α_j = |E(u) − E_j − g_j·(u − u_j) − ½λ‖u − u_j‖²|,

and the best weights give the bound. The absolute value is what bundle methods put for an E that is not convex
(Mäkelä 2002, *Survey of bundle methods for nonsmooth optimization*, section 3), which leaves an estimate.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.journal import Value
from deeplimit.mathematics.model.objective import Evaluation

SIZE: Final = 24
"""Points kept."""
_SWEEPS: Final = 400
"""Steps of the Frank-Wolfe iteration for the weights; any weights give a bound."""


class Bundle:
    """The last points at which E was evaluated."""

    def __init__(self) -> None:
        self._points: deque[tuple[Tensor, Evaluation]] = deque(maxlen=SIZE)

    def add(self, u: Tensor, evaluation: Evaluation) -> None:
        """Take a point in."""
        self._points.append((u, evaluation))

    def value(self) -> Value:
        """Return the points, as a journal keeps them."""
        return [[u, dict(vars(evaluation))] for u, evaluation in self._points]

    def restore(self, value: Value) -> None:
        """Take the points over."""
        self._points.clear()
        for u, evaluation in value:
            self.add(u, Evaluation(**evaluation))

    def gap(self, u: Tensor, now: Evaluation, curvature: float) -> float:
        """Return E(u) minus the lower bound, for a curvature λ > 0 of E."""
        gradients = torch.stack([now.gradient, *(each.gradient for _, each in self._points)]).double()
        away = torch.stack([u - u, *(u - point for point, _ in self._points)]).double()
        values = torch.tensor([now.objective, *(each.objective for _, each in self._points)], dtype=torch.float64)
        reached = values + (gradients * away).sum(1).cpu() + 0.5 * curvature * away.square().sum(1).cpu()
        p = gradients + curvature * away
        return _least(((p @ p.T) / curvature).cpu(), (now.objective - reached).abs())


def _least(gram: Tensor, linear: Tensor) -> float:
    """Return the least of ½ w·Gw + l·w over weights w ≥ 0 of sum 1, from above, by pairwise Frank-Wolfe steps."""
    weights = torch.zeros_like(linear)
    weights[int((0.5 * gram.diagonal() + linear).argmin())] = 1.0
    for _ in range(_SWEEPS):
        slope = gram @ weights + linear
        into = int(slope.argmin())
        out = int(torch.where(weights > 0.0, slope, -torch.inf).argmax())
        gain = float(slope[out] - slope[into])
        bend = float(gram[into, into] + gram[out, out] - 2.0 * gram[into, out])
        if gain <= 0.0:
            break
        most = float(weights[out])
        step = most if bend <= 0.0 else min(most, gain / bend)
        weights[into] += step
        weights[out] = 0.0 if step == most else weights[out] - step
    return float(0.5 * weights @ gram @ weights + linear @ weights)
