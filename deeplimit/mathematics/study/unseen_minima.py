"""How likely one more start is to find a minimum that was not found yet.

The chance is estimated from how many minima were found exactly once (Good 1953, *The population frequencies of species
and the estimation of population parameters*, Biometrika 40; the estimate is Turing's): f₁ of N starts. It is bounded by
the larger of two upper limits: Clopper and Pearson's (1934) of f₁ of N, which holds where f₁ is 0, and Esty's (1983,
*A normal limit law for a nonparametric estimator of the coverage of a random sample*, Annals of Statistics 11),
f₁/N + z √(f₁(1 − f₁/N) + 2 f₂)/N, which holds where many minima were found twice. Nothing bounds it from below: all
that there is may have been found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scipy.special import betaincinv, ndtri

_LEVEL: Final = 0.975
"""Of the upper limit, which is the upper end of an interval of 95 %."""


@dataclass(frozen=True)
class UnseenMinima:
    """The chance that one more start leads to a minimum that was not found.

    Attributes
    ----------
    estimate
        Good's and Turing's, f₁/N.
    interval
        From 0 to the upper limit.
    minima, starts
        How many minima N starts found.
    """

    estimate: float
    interval: tuple[float, float]
    minima: int
    starts: int


def unseen_minima(found: Sequence[int]) -> UnseenMinima:
    """Return the chance from how many starts led to each minimum.

    Raises
    ------
    ValueError
        Without a start.
    """
    starts = sum(found)
    if starts < 1:
        raise ValueError("the chance of another minimum takes one start at least")
    once, twice = (sum(count == times for count in found) for times in (1, 2))
    binomial = 1.0 if once == starts else float(betaincinv(once + 1, starts - once, _LEVEL))
    spread = math.sqrt(once * (1.0 - once / starts) + 2.0 * twice)
    normal = (once + float(ndtri(_LEVEL)) * spread) / starts
    return UnseenMinima(once / starts, (0.0, min(1.0, max(binomial, normal))), len(found), starts)
