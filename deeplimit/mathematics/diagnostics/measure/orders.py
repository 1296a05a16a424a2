"""Observed orders of convergence, and when they may be reported.

p = log(e_{k−1}/e_k) / log(h_{k−1}/h_k) of errors e = C h^p, where h is 1/n, or for what lies between two depths m < n
1/m − 1/n; of values E + C n^{−p} whose limit is not known, from three depths (Roache 1998, *Verification and validation
in computational science and engineering*, section 5.10).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from scipy.optimize import brentq

ORDER_ERROR: Final = 0.1
"""An order is withheld when the errors of its two numbers could move it by more."""


@dataclass(frozen=True)
class Observation:
    """A number that should tend to zero, its estimated error, and why it may not be used, or None.

    ``between`` is the finer depth n of a number that lies between two depths; ``depth`` is then the coarser.
    """

    depth: int
    value: float | None
    error: float
    reason: str | None = None
    between: int | None = None

    @property
    def step(self) -> float:
        """What the number is a power of: 1/n, or 1/m − 1/n between depths m < n."""
        return 1.0 / self.depth - (0.0 if self.between is None else 1.0 / self.between)


def order_span(before: Observation, after: Observation) -> float:
    """Return log(h_{k−1}/h_k): what the logarithm of two numbers' ratio is divided by to be an order."""
    return math.log(before.step / after.step)


def observed_orders(rows: Sequence[Observation]) -> list[tuple[float | None, str | None]]:
    """Return (order, reason why not) for each row; the first has neither.

    The order at row k is log(e_{k−1}/e_k) / log(h_{k−1}/h_k).
    """
    out: list[tuple[float | None, str | None]] = [(None, None)] if rows else []
    out.extend(_order(before, after) for before, after in pairwise(rows))
    return out


def order_from_three(depths: tuple[int, int, int], values: tuple[float, float, float]) -> float | None:
    """Return p such that E_n = E + C n^{−p} passes through three points, or None if no p in [0.05, 12] does.

    For depths that double this is log₂ of the ratio of the two differences.
    """
    (n1, n2, n3), (e1, e2, e3) = depths, values
    if e2 == e3 or (e1 - e2) / (e2 - e3) <= 0.0:
        return None
    target = math.log((e1 - e2) / (e2 - e3))

    def mismatch(p: float) -> float:
        return math.log((n1**-p - n2**-p) / (n2**-p - n3**-p)) - target

    low, high = 0.05, 12.0
    if mismatch(low) * mismatch(high) > 0.0:
        return None
    return float(brentq(mismatch, low, high, xtol=1e-12))


def too_noisy(value: float, error: float, share: float, what: str) -> str | None:
    """Return a reason when the error is not below ``share`` of the value."""
    if abs(value) > 0.0 and error <= share * abs(value):
        return None
    if math.isinf(error):
        return f"there is no finite estimate of the error of the {what} {value:.1e}"
    return f"the estimated error {error:.1e} is not small beside the {what} {value:.1e}"


def _order(before: Observation, after: Observation) -> tuple[float | None, str | None]:
    for row in (before, after):
        if row.reason is not None:
            return None, row.reason
        if row.value is None or not math.isfinite(row.value):
            return None, f"there is no value at depth {row.depth}"
    assert before.value is not None  # noqa: S101 - for the type checker: refused above
    assert after.value is not None  # noqa: S101 - likewise
    if before.value <= 0.0 or after.value <= 0.0:
        return None, "an order needs two positive numbers"
    span = order_span(before, after)
    if span <= 0.0:
        return None, "the depths of the later pair are no closer, in 1/n, than those of the pair before"
    uncertainty = (before.error / before.value + after.error / after.value) / span
    if uncertainty > ORDER_ERROR:
        return None, f"the estimated errors could move the order by {uncertainty:.1e}"
    return math.log(before.value / after.value) / span, None
