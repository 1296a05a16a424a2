"""The gap against depth on logarithmic axes, in characters."""

from __future__ import annotations

import math
from typing import Any, Final, TypeGuard

WIDTH: Final = 56
HEIGHT: Final = 10
MEASURED, PREDICTED = "●", "·"


def gap_plot(minima: dict[str, Any]) -> str:
    """Measured gaps over the line C₁/n that the continuum predicts; empty with fewer than two gaps."""
    points = [(row["depth"], row["gap"]) for row in minima.get("depths") or [] if _positive(row.get("gap"))]
    if len(points) < 2:  # noqa: PLR2004 - a line takes two points
        return ""
    left, right = math.log(points[0][0]), math.log(points[-1][0])
    line: list[tuple[float, float]] = []
    if _positive(slope := minima.get("predicted_slope")):
        depths = (math.exp(left + (right - left) * k / WIDTH) for k in range(WIDTH + 1))
        line = [(depth, slope / depth) for depth in depths]
    heights = [math.log(gap) for _, gap in points + line]
    low, high = min(heights), max(heights)
    grid = [[" "] * (WIDTH + 1) for _ in range(HEIGHT + 1)]
    for symbol, marks in ((PREDICTED, line), (MEASURED, points)):
        for depth, gap in marks:
            column = round(WIDTH * (math.log(depth) - left) / (right - left))
            row = round(HEIGHT * (high - math.log(gap)) / (high - low or 1.0))
            grid[row][column] = symbol
    labels = {0: f"{math.exp(high):.1e}", HEIGHT: f"{math.exp(low):.1e}"}
    rows = [f"{labels.get(k, ''):>8} │{''.join(row)}".rstrip() for k, row in enumerate(grid)]
    axis = f"{'':8} └{'─' * (WIDTH + 1)}"
    ends = f"{'n =':>8}  {points[0][0]:<{WIDTH // 2}}{points[-1][0]:>{WIDTH - WIDTH // 2 + 1}}"
    legend = f"{MEASURED} gap E_n - E_∞" + (f"   {PREDICTED} predicted, C₁/n" if line else "")
    return "\n".join(["", f"{'gap':>8}  {legend}", *rows, axis, ends, ""])


def _positive(value: Any) -> TypeGuard[float]:
    return isinstance(value, float) and value > 0
