"""Minima: E_n over depth with E_∞ and the prediction, and n·gap over 1/n running into the predicted slope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import altair as alt

from worker.plots.axes import depth_axis, padded
from worker.plots.palette import CONTINUUM, INK, PREDICTED
from worker.plots.style import DASHED, WIDTH, Panel, Spec, Tables, arranged, finished, number

if TYPE_CHECKING:
    from service.contract.plots.data import MinimaData, MinimumAtDepth

TITLE: Final = "Minima by depth"
PANEL: Final = 150
_SAMPLES: Final = 40
_LEAST_APART: Final = 26
"""Pixels between two labels of depths."""
_PREDICTED_WIDE: Final = 145
"""Pixels that the label of the predicted slope takes from the axis on."""


def describe(plot: MinimaData) -> str:
    """Return what is to be seen."""
    first, last = plot.depths[0], plot.depths[-1]
    said = f"The minimum goes from {number(first.objective, 4)} at depth {first.depth}"
    said += f" to {number(last.objective, 4)} at depth {last.depth}"
    if plot.limit is not None:
        said += f"; the {_limit(plot)} limit is {number(plot.limit, 4)}"
    slopes = [(row.depth, row.slope) for row in plot.depths if row.slope is not None]
    if not slopes:
        return f"{said}."
    said += f". Depth times gap is {number(slopes[-1][1], 4)} at depth {slopes[-1][0]}"
    if plot.predicted_slope is not None:
        said += f", where the continuum alone predicts {number(plot.predicted_slope, 4)} as depth grows"
    return f"{said}."


def draw(plot: MinimaData) -> Spec:
    """Return the two panels; without a trained continuum there is the upper one only."""
    tables = Tables()
    panels = [_against_depth(tables, plot)]
    if any(row.slope is not None for row in plot.depths):
        panels.append(_against_step(tables, plot))
    early = any(not row.converged for row in plot.depths)
    subtitle = "Open crosses: stopped before a minimum" if early else "Dots: trained networks"
    return finished(arranged(panels, columns=1, spacing=22), tables, TITLE, subtitle, describe(plot))


def _limit(plot: MinimaData) -> str:
    return "unfinished" if plot.limit_is == "stopped" else str(plot.limit_is)


def _against_depth(tables: Tables, plot: MinimaData) -> Panel:
    depths = [row.depth for row in plot.depths]
    values = [row.objective for row in plot.depths] + ([] if plot.limit is None else [plot.limit])
    x = depth_axis(depths)
    y = alt.Y("E:Q", title="minimum of E", scale=alt.Scale(domain=padded(values, 0.22), nice=False, zero=False))
    layers = [
        _line(tables, [{"depth": row.depth, "E": row.objective} for row in plot.depths], x, y),
        *_marks(tables, [({"depth": row.depth, "E": row.objective}, row) for row in plot.depths], x, y),
    ]
    if plot.limit is not None:
        falls = values[0] >= plot.limit
        ends = [{"depth": depth, "E": plot.limit} for depth in (min(depths) / 1.15, max(depths) * 1.15)]
        layers.append(_line(tables, ends, x, y, color=CONTINUUM, strokeDash=DASHED, strokeWidth=2))
        text = f"{_limit(plot)} limit E∞ = {number(plot.limit, 5)}"
        layers.append(_words(tables, ends[-1], text, x, y, CONTINUUM, align="right", dy=13 if falls else -9))
        if plot.predicted_slope is not None:
            low, high = min(depths), max(depths)
            curve = [low * (high / low) ** (place / _SAMPLES) for place in range(_SAMPLES + 1)]
            rows = [{"depth": n, "E": plot.limit + plot.predicted_slope / n} for n in curve]
            layers.append(_line(tables, rows, x, y, color=PREDICTED, strokeDash=DASHED, clip=True, strokeWidth=2))
            halfway = {"depth": low, "E": plot.limit + 0.17 * (values[0] - plot.limit)}
            layers.append(_words(tables, halfway, "predicted E∞ + C/n", x, y, PREDICTED, align="left", dx=-4))
    return alt.layer(*layers).properties(width=WIDTH, height=PANEL)


def _against_step(tables: Tables, plot: MinimaData) -> Panel:
    rows = [(row, row.slope) for row in plot.depths if row.slope is not None]
    widest = max(1.0 / row.depth for row, _ in rows)
    values = [slope for _, slope in rows] + ([] if plot.predicted_slope is None else [plot.predicted_slope])
    x = alt.X("step:Q", title="1/n", scale=alt.Scale(domain=[0.0, widest * 1.08], nice=False))
    y = alt.Y("slope:Q", title="n · (E − E∞)", scale=alt.Scale(domain=padded(values, 0.25), nice=False, zero=False))
    points = [({"step": 1.0 / row.depth, "slope": slope}, row) for row, slope in rows]
    below = plot.predicted_slope is None or plot.predicted_slope >= rows[0][1]
    layers = [_line(tables, [point for point, _ in points], x, y), *_marks(tables, points, x, y)]
    taken = -float("inf")
    for point, row in reversed(points):
        place = point["step"] / (widest * 1.08) * WIDTH
        if place - taken >= _LEAST_APART:
            taken = place
            layers.append(_words(tables, point, str(row.depth), x, y, INK, dy=16 if below else -13))
    if plot.predicted_slope is not None:
        target = {"step": 0.0, "slope": plot.predicted_slope}
        layers.append(_line(tables, [target, points[-1][0]], x, y, color=PREDICTED, strokeDash=DASHED))
        mark = alt.Chart(tables.add([target])).mark_point(
            shape="diamond", size=110, filled=True, color=PREDICTED, opacity=1
        )
        layers.append(mark.encode(x=x, y=y))
        text = f"predicted C = {number(plot.predicted_slope, 4)}"
        beside = _passed([target, *(point for point, _ in reversed(points))], _PREDICTED_WIDE / WIDTH * widest * 1.08)
        at = {"step": 0.0, "slope": max(beside) if below else min(beside)}
        layers.append(_words(tables, at, text, x, y, PREDICTED, align="left", dx=9, dy=-13 if below else 14))
    return alt.layer(*layers).properties(width=WIDTH, height=PANEL)


def _passed(line: list[dict[str, float]], reach: float) -> list[float]:
    """Return the slopes that a line from step 0 has at its corners before a step and at that step."""
    found = [point["slope"] for point in line if point["step"] <= reach]
    if len(found) < len(line):
        left, right = line[len(found) - 1], line[len(found)]
        share = (reach - left["step"]) / (right["step"] - left["step"])
        found.append(left["slope"] + share * (right["slope"] - left["slope"]))
    return found


def _line(tables: Tables, rows: list[dict[str, float]], x: alt.X, y: alt.Y, **look: Any) -> alt.Chart:
    line: alt.Chart = alt.Chart(tables.add(rows)).mark_line(**{"color": INK, "strokeWidth": 1.5, **look})
    return line.encode(x=x, y=y)


def _marks(tables: Tables, points: list[tuple[dict[str, Any], MinimumAtDepth]], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Return dots where a minimum was reached, and open crosses elsewhere."""
    looks: list[tuple[bool, dict[str, Any]]] = [
        (True, {"shape": "circle", "filled": True, "size": 55}),
        (False, {"shape": "cross", "filled": False, "size": 110, "strokeWidth": 1.5}),
    ]
    charts = []
    for converged, look in looks:
        rows = [point for point, row in points if row.converged is converged]
        if rows:
            charts.append(alt.Chart(tables.add(rows)).mark_point(color=INK, opacity=1, **look).encode(x=x, y=y))
    return charts


def _words(tables: Tables, at: dict[str, Any], text: str, x: alt.X, y: alt.Y, colour: str, **look: Any) -> alt.Chart:
    mark: alt.Chart = alt.Chart(tables.add([at])).mark_text(text=text, color=colour, **{"align": "center", **look})
    return mark.encode(x=x, y=y)
