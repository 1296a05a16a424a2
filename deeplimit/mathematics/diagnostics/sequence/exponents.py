"""Exponents of power laws in the depth, with intervals that know of what a finite depth adds.

Measurements of networks follow v = v_∞ n^γ (1 + c₁/n + c₂/n² + …) up to scatter. Least squares of log v on log n takes
the corrections for slope or for scatter, and its intervals hold γ in 70 % of cases. Here the corrections are unknowns
of a size expected beforehand (a Gaussian process in 1/n; Rasmussen and Williams 2006, section 2.7), the scatter σ has
its usual prior 1/σ, the same at every depth or smaller at larger ones, and γ and the constant have flat ones. The
interval is that of γ's posterior distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtr, stdtrit

Floats = npt.NDArray[np.float64]

LEVEL: Final = 0.95
"""Of every interval."""
_CORRECTION: Final = 2.0
"""c_k is expected to be about this to the power k: at eight layers a quarter, at four a half."""
_CORRECTIONS: Final = 3
_SCATTER: Final = np.geomspace(1e-3, 3.0, 30)
"""Of log v. A law is not known to hold more sharply than the least, so that no interval is a point."""
_SHRINKING: Final = (0.0, 1.0)
"""Scatter goes like n^{−h/2}: networks of independent starts have h = 0, averages over independent layers h = 1."""


@dataclass(frozen=True)
class Estimated:
    """A number and its interval of confidence ``LEVEL``; unbounded where the data leave no degree of freedom."""

    value: float
    low: float
    high: float

    def __neg__(self) -> Estimated:
        return Estimated(-self.value, -self.high, -self.low)

    def __add__(self, offset: float) -> Estimated:
        return Estimated(self.value + offset, self.low + offset, self.high + offset)


def exponent(depths: Sequence[float], values: Sequence[float], *, root: bool = False) -> Estimated | None:
    """Return γ of value ∝ n^γ: the median of its posterior distribution, and its interval.

    Parameters
    ----------
    depths, values
        One of each per network; several networks may have the same depth.
    root
        The corrections go in powers of n^{−½}: for what approaches its law slowly.

    Returns
    -------
    Estimated or None
        None with fewer than two distinct depths, or where a value is not positive. Two numbers alone have an unbounded
        interval.
    """
    n, v = np.asarray(depths, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if len(np.unique(n)) < 2 or not (np.isfinite(v).all() and (v > 0.0).all()):
        return None
    x, y = np.log(n) - np.log(n).mean(), np.log(v)
    if len(n) < 3:
        return Estimated(float(x @ y / (x @ x)), -math.inf, math.inf)
    powers = np.arange(1, _CORRECTIONS + 1) * (0.5 if root else 1.0)
    corrections = (_CORRECTION / n[:, None]) ** powers
    covariance = np.concatenate(
        [
            (corrections @ corrections.T)[None] + np.square(_SCATTER)[:, None, None] * np.diag((n.min() / n) ** h)
            for h in _SHRINKING
        ]
    )
    weight, slope, deviation = _posterior(covariance, np.stack([np.ones_like(x), x], axis=1), y)
    ends = float((slope - 40.0 * deviation).min()), float((slope + 40.0 * deviation).max())

    def quantile(level: float) -> float:
        return float(brentq(lambda t: float(weight @ ndtr((t - slope) / deviation)) - level, *ends, xtol=1e-9))

    return Estimated(quantile(0.5), quantile(0.5 - LEVEL / 2.0), quantile(0.5 + LEVEL / 2.0))


def mean(values: Sequence[float]) -> Estimated:
    """Return the mean with Student's interval; one value alone has an unbounded one."""
    v = np.asarray(values, dtype=np.float64)
    centre = float(v.mean())
    if len(v) < 2:
        return Estimated(centre, -math.inf, math.inf)
    half = float(stdtrit(len(v) - 1, 0.5 + LEVEL / 2.0)) * float(v.std(ddof=1)) / math.sqrt(len(v))
    return Estimated(centre, centre - half, centre + half)


def _posterior(covariance: Floats, design: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Return weight, mean and deviation of the second coefficient of a linear model, one for each covariance.

    The weights are the likelihoods with the coefficients integrated out, as in restricted maximum likelihood.
    """
    factor = np.linalg.cholesky(covariance)
    whitened = np.linalg.solve(factor, np.broadcast_to(np.column_stack([design, y]), (*factor.shape[:2], 3)))
    X, z = whitened[..., :2], whitened[..., 2:]
    information = X.transpose(0, 2, 1) @ X
    inverse = np.linalg.inv(information)
    coefficients = inverse @ (X.transpose(0, 2, 1) @ z)
    residual = np.square(z - X @ coefficients).sum(axis=(1, 2))
    half_determinant = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    log_likelihood = -half_determinant - 0.5 * np.log(np.linalg.det(information)) - 0.5 * residual
    weight = np.exp(log_likelihood - log_likelihood.max())
    return weight / weight.sum(), coefficients[:, 1, 0], np.sqrt(inverse[:, 1, 1])
