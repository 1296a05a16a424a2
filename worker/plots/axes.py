"""Axes of depths and of logarithms, ranges with some room, and labels that do not overlap."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import altair as alt

if TYPE_CHECKING:
    from collections.abc import Sequence

LINE: Final = 15
"""Pixels between the feet of two lines of labels."""
_MOST_TICKS: Final = 7
_FEW_DECADES: Final = 2


def logarithmic(field: str, title: str, low: float, high: float) -> alt.Y:
    """Return a logarithmic axis with ticks at powers of ten, at 1, 2 and 5 of each where there are few of these."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    step = max(1, -(-(last - first) // _MOST_TICKS))
    parts = (1.0, 2.0, 5.0) if last - first <= _FEW_DECADES else (1.0,)
    values = [part * 10.0**power for power in range(first, last + 1, step) for part in parts]
    axis = alt.Axis(values=[value for value in values if low <= value <= high], format=".0e")
    return alt.Y(f"{field}:Q", title=title, scale=alt.Scale(type="log", domain=[low, high], nice=False), axis=axis)


def depth_axis(depths: Sequence[int]) -> alt.X:
    """Return the axis of depths: logarithmic, each depth a tick."""
    low, high = min(depths), max(depths)
    domain = [low / 1.15, high * 1.15]
    axis = alt.Axis(values=list(depths), format="d", labelOverlap="greedy", grid=False)
    return alt.X(
        "depth:Q", title="depth n (layers, logarithmic)", scale=alt.Scale(type="log", domain=domain), axis=axis
    )


def padded(values: Sequence[float], share: float = 0.08, floor: float = 1e-6) -> list[float]:
    """Return a range that holds all values with some room, and is not so small that rounding fills it."""
    low, high = min(values), max(values)
    least = floor * max(abs(low), abs(high), 1e-9)
    room = max((high - low) * share, least)
    return [low - room, high + room]


def spread(positions: Sequence[float], least: float, low: float, high: float) -> list[float]:
    """Move positions apart, as little as may be, until neighbours are so far from each other and between the bounds.

    They keep their order. Without the distances between neighbours this is a monotone fit, by pooling adjacent
    violators (Barlow et al. 1972, *Statistical inference under order restrictions*). Too many for the room begin at the
    lower bound.
    """
    order = sorted(range(len(positions)), key=lambda place: positions[place])
    pools: list[tuple[float, int]] = []
    for rank, place in enumerate(order):
        value, size = positions[place] - rank * least, 1
        while pools and pools[-1][0] > value:
            before, count = pools.pop()
            value, size = (before * count + value * size) / (count + size), count + size
        pools.append((value, size))
    top = max(high - (len(positions) - 1) * least, low)
    fitted = [min(max(value, low), top) for value, size in pools for _ in range(size)]
    moved = [0.0] * len(positions)
    for rank, place in enumerate(order):
        moved[place] = fitted[rank] + rank * least
    return moved
