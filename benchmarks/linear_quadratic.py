"""One sample, σ the identity, K = k, W = 1, c = 0 fixed and b trained: X is affine in b, so E is a quadratic form.

Everything is known at every depth, for every integrator and in the limit: E(u) = (X_N(0) + Φ·u − y)² + α‖u‖² in
increment coordinates has its minimum α r²/(‖Φ‖² + α) at u = r Φ/(‖Φ‖² + α), r = y − X_N(0). Integrals of exponentials
over smooth pieces are Gauss's, to rounding.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from deeplimit.mathematics import Problem, Regime, Regularisation
from deeplimit.mathematics.problem.regime import Integrator

Array = NDArray[np.float64]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


def integral(values: Array, length: float) -> float:
    """Integrate a function over an interval from its values at `nodes`."""
    return float(values @ _WEIGHTS) * length / 2.0


def nodes(low: float, high: float) -> Array:
    """Return Gauss's nodes on [low, high]."""
    return low + (high - low) * (_NODES + 1.0) / 2.0


@dataclass(frozen=True)
class LinearQuadratic:
    """X' = kX + b from x, to be at y."""

    k: float
    x: float = 1.0
    y: float = 2.0
    alpha: float = 0.1
    tau: float = 1.0
    integrator: Integrator = Integrator.EULER

    def problem(self, dtype: torch.dtype = torch.float64, activation: str = "identity") -> Problem:
        """Return it to be trained; relu is the identity where X and b stay positive."""
        return Problem(
            [[self.x]],
            [[self.y]],
            activation=activation,
            regularisation=Regularisation(dict.fromkeys("KbWc", self.alpha), {"K": 1.0, "b": self.tau}),
            regime=Regime(integrator=self.integrator),
            fixed={"K": [[self.k]], "W": [[1.0]], "c": [0.0]},
            dtype=dtype,
        )

    def times(self, n: int) -> Array:
        """Return i/n, i = 0 … n − 1."""
        return np.arange(n) / n

    def states(self, b: Array) -> Array:
        """Return X_0 … X_n of the network with these biases (n,)."""
        X = [self.x]
        for low, high in zip(b, np.append(b[1:], b[-1]), strict=True):
            X.append(self._step(X[-1], (low, (low + high) / 2.0, high), 1.0 / len(b)))
        return np.array(X)

    def _step(self, X: float, b: tuple[float, float, float], h: float) -> float:
        """Return X after one step of length h; b at its start, middle and end."""
        k, (low, middle, high) = self.k, b
        if self.integrator is Integrator.EULER:
            return X + h * (k * X + low)
        if self.integrator is Integrator.IMPLICIT_EULER:
            return (X + h * high) / (1.0 - h * k)
        k1 = k * X + low
        k2 = k * (X + h / 2.0 * k1) + middle
        if self.integrator is Integrator.MIDPOINT:
            return X + h * k2
        k3 = k * (X + h / 2.0 * k2) + middle
        return X + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k * (X + h * k3) + high)

    def regulariser(self, b: Array) -> float:
        """Return α R_n(b)."""
        return self.alpha * (len(b) * float(np.square(np.diff(b)).sum()) + self.tau * float(b[0]) ** 2)

    def objective(self, b: Array) -> float:
        """Return E_n."""
        return float(self.states(b)[-1] - self.y) ** 2 + self.regulariser(b)

    def minimiser(self, n: int) -> Array:
        """Return b of the network of depth n."""
        phi, _, factor = self._reduced(n)
        increments = factor * phi * np.append(self.tau**-0.5, np.full(n - 1, n**-0.5))
        return np.asarray(np.cumsum(increments))

    def gap(self, n: int) -> float:
        """Return E_n* − E_∞*; linear in n, as is `deviation`."""
        _, residual, factor = self._reduced(n)
        return self.alpha * residual * factor - self.limit

    def deviation(self, n: int) -> float:
        """Return the prediction at depth n less the continuum's: of both, y − αr/(‖Φ‖² + α)."""
        return self.alpha * (self._factor - self._reduced(n)[2])

    def _reduced(self, n: int) -> tuple[Array, float, float]:
        """Return Φ (n,), r and r/(‖Φ‖² + α) of depth n."""
        h = 1.0 / n
        growth = self._step(1.0, (0.0, 0.0, 0.0), h)
        low, middle, high = (self._step(0.0, each, h) for each in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
        powers = growth ** np.arange(n - 1, -1, -1.0)
        # What X_n is moved by each b_i; past the last node b stays at its value.
        moved = powers * (low + middle / 2.0)
        moved[1:] += powers[:-1] * (middle / 2.0 + high)
        moved[-1] += middle / 2.0 + high
        phi = np.cumsum(moved[::-1])[::-1] * np.append(self.tau**-0.5, np.full(n - 1, n**-0.5))
        residual = self.y - growth**n * self.x
        return phi, residual, residual / float(phi @ phi + self.alpha)

    def psi(self, t: Array) -> Array:
        """∫_t^1 e^{k(1−r)} dr: what a unit of b' at t moves X(1) by."""
        return 1.0 - t if self.k == 0.0 else np.expm1(self.k * (1.0 - t)) / self.k

    @cached_property
    def _factor(self) -> float:
        """The optimal r/(‖Φ‖² + α) of the limit."""
        t = nodes(0.0, 1.0)
        norm = float(self.psi(np.zeros(1))[0]) ** 2 / self.tau + integral(self.psi(t) ** 2, 1.0)
        return (self.y - math.exp(self.k) * self.x) / (norm + self.alpha)

    @property
    def limit(self) -> float:
        """The minimum of E_∞."""
        return self.alpha * self._factor * (self.y - math.exp(self.k) * self.x)

    def bias(self, t: Array) -> Array:
        """Return b(t) of the limit."""
        grown = t - t**2 / 2.0
        if self.k != 0.0:
            grown = (-math.exp(self.k) * np.expm1(-self.k * t) / self.k - t) / self.k
        return self._factor * (float(self.psi(np.zeros(1))[0]) / self.tau + grown)

    def state(self, t: float) -> float:
        """Return X(t) of the limit."""
        s = nodes(0.0, t)
        return math.exp(self.k * t) * self.x + integral(np.exp(self.k * (t - s)) * self.bias(s), t)

    @property
    def slope(self) -> float:
        """C₁ = ∓½ ∫ p X'' of forward and implicit Euler."""
        t = nodes(0.0, 1.0)
        p = 2.0 * (self.state(1.0) - self.y) * np.exp(self.k * (1.0 - t))
        X = np.array([self.state(float(each)) for each in t])
        second = self.k * (self.k * X + self.bias(t)) + self._factor * self.psi(t)
        sign = -1.0 if self.integrator is Integrator.IMPLICIT_EULER else 1.0
        return -0.5 * sign * integral(p * second, 1.0)

    def lifted(self, b: Array) -> float:
        """Return E_∞ of the lift of these biases."""
        n, final = len(b), math.exp(self.k) * self.x
        for i, (low, high) in enumerate(zip(b, np.append(b[1:], b[-1]), strict=True)):
            s = nodes(i / n, (i + 1) / n)
            final += integral(np.exp(self.k * (1.0 - s)) * (low + (high - low) * (s * n - i)), 1.0 / n)
        return (final - self.y) ** 2 + self.regulariser(b)

    def tl2(self, b: Array) -> float:
        """Return the L² distance of the step function of these biases from the limit's b."""
        n = len(b)
        cells = ((value, i / n, (i + 1) / n) for i, value in enumerate(b))
        return math.sqrt(sum(integral((value - self.bias(nodes(*ends))) ** 2, 1.0 / n) for value, *ends in cells))

    def state_error(self, b: Array) -> float:
        """Return the largest |X_i − X(i/n)|."""
        return max(abs(float(value) - self.state(i / len(b))) for i, value in enumerate(self.states(b)))
