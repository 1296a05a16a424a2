"""Axes of depths and of logarithms, ranges with some room, and labels that do not overlap."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import altair as alt

if TYPE_CHECKING:
    from collections.abc import Sequence

LINE: Final = 15
"""Pixels between the feet of two lines of labels."""
_TOUCHING: Final = 1e-9
"""Pixels by which labels may overlap."""
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
    """Move positions apart until neighbours are at least so far from each other, between bounds where there is room.

    They keep their order; where they are too many for the room, they leave it evenly.
    """
    order = sorted(range(len(positions)), key=lambda place: positions[place])
    moved = [positions[place] for place in order]
    for _ in range(200):
        pushed = False
        for left in range(len(moved) - 1):
            lack = least - (moved[left + 1] - moved[left])
            if lack > _TOUCHING:
                moved[left] -= lack / 2
                moved[left + 1] += lack / 2
                pushed = True
        if not pushed:
            break
    if moved:
        shift = max(low - moved[0], 0.0) or min(high - moved[-1], 0.0)
        moved = [each + shift for each in moved]
    result = [0.0] * len(positions)
    for place, each in zip(order, moved, strict=True):
        result[place] = each
    return result
