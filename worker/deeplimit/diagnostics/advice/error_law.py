"""How an error falls with depth, A n^{−q} + B n^{−q−1}, and the depth from which on it is small enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

LEAST_DEPTH: Final = 2
LARGEST_COUNTED: Final = 2**40
_ALLOWANCE: Final = 1.5
"""Of the uncertainty, so that a law that errs a little still leaves a measurement that decides."""
_MOST_ALLOWED: Final = 0.15
"""Share of the wanted error that may be taken off; beyond, the wanted error is below what can be measured well."""


@dataclass(frozen=True)
class ErrorLaw:
    """An error that falls like A n^{−q} + B n^{−q−1}.

    Attributes
    ----------
    order, first, second
        q > 0, A and B.
    basis
        The models that A and B come from.
    uncertainty
        Estimated error of a measured error, absolute, whatever the depth: what the limit itself is known to.
    """

    order: float
    first: float
    second: float
    basis: str
    uncertainty: float = 0.0

    def at(self, depth: float) -> float:
        """Return the error at one depth."""
        return float((self.first + self.second / depth) / depth**self.order)

    def depth_for(self, wanted: float) -> int | None:
        """Return the smallest depth ≥ 2 from which on |error| ≤ wanted, or None above `LARGEST_COUNTED`.

        Where A and B have opposite signs the error vanishes at some depth and grows again behind it: all deeper
        networks must meet the wanted error, too. An uncertainty that is small beside the wanted error is taken off it,
        and half of it again, so that training at this depth can confirm it.
        """
        if not wanted > 0.0:
            raise ValueError("the wanted error must be positive")
        if (allowance := _ALLOWANCE * self.uncertainty) <= _MOST_ALLOWED * wanted:
            wanted -= allowance
        low, high = LEAST_DEPTH, LEAST_DEPTH
        while self._worst_from(high) > wanted:
            low, high = high + 1, 2 * high
            if high > LARGEST_COUNTED:
                return None
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._worst_from(middle) <= wanted else (middle + 1, high)
        return low

    def _worst_from(self, depth: int) -> float:
        """Return the largest |error| at this depth and beyond; it never grows with depth."""
        here = abs(self.at(depth))
        if self.first * self.second >= 0.0:
            return here
        peak = min(-(self.order + 1.0) * self.second / (self.order * self.first), float(LARGEST_COUNTED))
        return max(here, abs(self.at(peak))) if depth < peak else here


def fitted(order: float, values: Sequence[tuple[int, float]]) -> ErrorLaw:
    """Return the law of given order through measured errors.

    Parameters
    ----------
    order
        q.
    values
        (depth, error) by increasing depth, at least one: both constants come from the two finest, A alone from a
        single one.
    """
    pairs = list(pairwise(values))
    if not pairs:
        n, value = values[-1]
        return ErrorLaw(order, value * n**order, 0.0, f"discrete-{n}")
    (m, coarse), (n, fine) = pairs[-1]
    second = (coarse * m**order - fine * n**order) / (1.0 / m - 1.0 / n)
    return ErrorLaw(order, fine * n**order - second / n, second, f"discrete-{m}, discrete-{n}")
