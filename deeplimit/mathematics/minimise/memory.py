"""How many vectors fit a budget of bytes."""

from __future__ import annotations

from typing import Final

MOST_PAIRS: Final = 300
"""Pairs beyond which L-BFGS gains nothing."""
LEAST_PAIRS: Final = 3
"""Fewer make L-BFGS little better than steepest descent (Nocedal and Wright 2006, section 7.2)."""


def vectors_that_fit(length: int, itemsize: int, bytes_: int | None, *, least: int, most: int) -> int:
    """Return how many vectors of ``length`` numbers fit into so many bytes, between ``least`` and ``most``.

    Without a budget, None, ``most`` do.
    """
    if bytes_ is None:
        return most
    return max(least, min(most, bytes_ // (max(length, 1) * itemsize)))


def pairs_that_fit(length: int, itemsize: int, bytes_: int | None, most: int = MOST_PAIRS) -> int:
    """Return how many pairs (s, y) of L-BFGS fit into so many bytes: at least three, at most ``most``."""
    return vectors_that_fit(2 * length, itemsize, bytes_, least=min(LEAST_PAIRS, most), most=most)
