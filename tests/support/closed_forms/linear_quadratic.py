"""Problems with a closed form at every depth, for every integrator: one sample, σ the identity, b alone trained.

K = k, W = 1 and c = 0 are fixed, so that the last state is ρx + Σ_i g_i b_i and E_n = (ρx + gᵀb − y)² + a bᵀRb with
bᵀRb = n Σ (b_i − b_{i−1})² + τ b_0². Hence E_n* = r²/(1 + G/a) with r = y − ρx and G = gᵀR⁻¹g, and the prediction at
the minimiser is y − r/(1 + G/a).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.deeplimit import Integrator, Problem, Regime, Regularisation


@dataclass(frozen=True)
class LinearQuadratic:
    """One of the family: X' = kX + b(t), X(0) = x, target y, weight a of ∫b'² + τ b(0)²."""

    x: float = 1.0
    y: float = 2.0
    k: float = 0.0
    a: float = 0.1
    tau: float = 1.0
    integrator: Integrator = Integrator.EULER

    @property
    def problem(self) -> Problem:
        """The learning problem."""
        return Problem(
            [[self.x]],
            [[self.y]],
            activation="identity",
            regularisation=Regularisation({"K": 1.0, "b": self.a, "W": 1.0, "c": 1.0}, {"K": 1.0, "b": self.tau}),
            regime=Regime(integrator=self.integrator),
            fixed={"K": [[self.k]], "W": [[1.0]], "c": [0.0]},
        )

    def minimum(self, depth: int | None) -> float:
        """E_n*; of the continuum for None."""
        residual, G = self._reduced(depth)
        return residual**2 / (1.0 + G / self.a)

    def prediction(self, depth: int | None) -> float:
        """W X_n + c at the minimiser; of the continuum for None."""
        residual, G = self._reduced(depth)
        return self.y - residual / (1.0 + G / self.a)

    def gap(self, depth: int) -> float:
        """E_n* − E_∞*."""
        return self.minimum(depth) - self.minimum(None)

    def deviation(self, depth: int) -> float:
        """The prediction at depth n less the continuum's."""
        return self.prediction(depth) - self.prediction(None)

    def _reduced(self, depth: int | None) -> tuple[float, float]:
        """Return r = y − ρx and G = gᵀR⁻¹g."""
        if depth is None:
            return self.y - math.exp(self.k) * self.x, self._continuum()
        growth, g = self._responses(depth)
        tails = np.cumsum(g[::-1])[::-1]
        return self.y - growth**depth * self.x, float(tails[0] ** 2 / self.tau + (tails[1:] ** 2).sum() / depth)

    def _continuum(self) -> float:
        """Return T(0)²/τ + ∫T² with the tails T(t) = (e^{k(1−t)} − 1)/k of e^{k(1−t)}."""
        k = self.k
        if k == 0.0:
            return 1.0 / self.tau + 1.0 / 3.0
        square = ((math.exp(2.0 * k) - 1.0) / (2.0 * k) - 2.0 * (math.exp(k) - 1.0) / k + 1.0) / k**2
        return ((math.exp(k) - 1.0) / k) ** 2 / self.tau + square

    def _responses(self, depth: int) -> tuple[float, npt.NDArray[np.float64]]:
        """Return the growth R of a step and ∂X_n/∂b_i (n,): stages between the nodes read a linear interpolation."""
        h = 1.0 / depth
        growth = self._step(1.0, (0.0, 0.0, 0.0), h)
        start, middle, end = (self._step(0.0, tuple(np.eye(3)[j]), h) for j in range(3))
        powers = growth ** np.arange(depth - 1, -1, -1.0)
        g = powers * (start + middle / 2.0)
        # Past the last node b stays at its value.
        g[1:] += powers[:-1] * (middle / 2.0 + end)
        g[-1] += middle / 2.0 + end
        return growth, g

    def _step(self, X: float, b: tuple[float, ...], h: float) -> float:
        """Return X after one step; b at its start, middle and end."""
        k = self.k

        def slope(state: float, at: int) -> float:
            return k * state + b[at]

        match self.integrator:
            case Integrator.EULER:
                return X + h * slope(X, 0)
            case Integrator.IMPLICIT_EULER:
                return (X + h * b[2]) / (1.0 - h * k)
            case Integrator.MIDPOINT:
                return X + h * slope(X + h / 2.0 * slope(X, 0), 1)
            case Integrator.RK4:
                k1 = slope(X, 0)
                k2 = slope(X + h / 2.0 * k1, 1)
                k3 = slope(X + h / 2.0 * k2, 1)
                k4 = slope(X + h * k3, 2)
                return X + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
