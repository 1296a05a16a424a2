"""How statements name depths and write numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def listed(names: Sequence[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def depths(numbers: Iterable[int]) -> str:
    """Return ``depth 4`` or ``depths 4, 8 and 16``, in order."""
    names = [str(number) for number in sorted(numbers)]
    return f"{'depth' if len(names) == 1 else 'depths'} {listed(names)}"


def places(numbers: Sequence[int], *, continuum: bool, every: bool) -> str:
    """Return where something holds: ``at depths 4 and 8 and in the continuum``.

    Parameters
    ----------
    continuum
        Whether it holds in the continuum as well; required where there are no depths.
    every
        Whether the depths are all that there are.
    """
    parts = []
    if numbers:
        parts.append("at every depth" if every and len(numbers) > 1 else f"at {depths(numbers)}")
    if continuum:
        parts.append("in the continuum")
    return " and ".join(parts)


def at_least(value: float) -> str:
    """Return a number to four digits, rounded down: it is said to be the least."""
    if value == 0.0 or not math.isfinite(value):
        return f"{value:.4g}"
    # As text, for a quotient by a power of ten would not be exact.
    digits = f"{value:.3e}"
    if float(digits) > value:
        step = 10.0 ** (math.floor(math.log10(abs(value))) - 3)
        digits = f"{value - step / 2.0:.3e}"
    return f"{float(digits):.4g}"


def plain_number(value: float) -> str:
    """Return a number as people write it: 0.0001, and 1e-05 only where that would be long."""
    text = f"{value:.10f}".rstrip("0").rstrip(".")
    return text if abs(value) >= 1e-8 and float(text) == value else f"{value:g}"
