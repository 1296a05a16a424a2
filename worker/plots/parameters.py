"""Parameters: entries of K, b and V of every depth over the continuum's, a panel for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import altair as alt

from worker.plots.axes import padded
from worker.plots.models import THE_CONTINUUM, ModelScales, label_of, legend
from worker.plots.style import Panel, Row, Spec, Tables, arranged, finished, number

if TYPE_CHECKING:
    from service.contract.plots.data import Entry, ParametersData

TITLE: Final = "Parameters over the layers"
PANEL: Final = (128, 105)
MARKS: Final = 7
"""Symbols on one curve, at the most."""
FLAT: Final = 1e-6
"""A range below this share of the largest value is rounding, which the axis does not magnify."""


def describe(plot: ParametersData) -> str:
    """Return what is to be seen."""
    models = plot.entries[0].curves
    first = plot.entries[0]
    values = [value for _, value in models[-1].points]
    low, high = number(min(values)), number(max(values))
    names = "one depth" if len(models) == 1 else f"{len(models)} models"
    return (
        f"{len(plot.entries)} of {plot.of} entries of the parameters against time, for {names}. "
        f"{_name(first)} of {'the continuum' if models[-1].depth is None else f'depth {models[-1].depth}'} "
        f"runs between {low} and {high}; it is apart from that of {_called(models[0].depth)} "
        f"by {number(_apart(first))} at most."
    )


def draw(plot: ParametersData) -> Spec:
    """Return the panels, two beside each other, axes not from zero."""
    tables = Tables()
    scales = ModelScales(plot.entries[0].curves)
    panels = [_panel(tables, entry, scales) for entry in plot.entries]
    subtitle = [f"{len(plot.entries)} of {plot.of} entries, [row, column] from 1; those that vary most"]
    if len(plot.entries) == plot.of:
        subtitle = ["Every entry, [row, column] from 1"]
    body = arranged(panels, columns=2, spacing=14)
    return finished(body, tables, TITLE, subtitle, describe(plot))


def _called(depth: int | None) -> str:
    return "the continuum" if depth is None else f"depth {depth}"


def _apart(entry: Entry) -> float:
    """Return how far the first curve is from the last, at the first's times, the last between its points linear."""
    first, last = entry.curves[0].points, entry.curves[-1].points
    return max(abs(value - _at(last, t)) for t, value in first)


def _at(points: list[list[float]], t: float) -> float:
    before = max((place for place, (time, _) in enumerate(points) if time <= t), default=0)
    after = min(before + 1, len(points) - 1)
    (t0, v0), (t1, v1) = points[before], points[after]
    return v0 if t1 == t0 else v0 + (v1 - v0) * (t - t0) / (t1 - t0)


def _name(entry: Entry) -> str:
    return f"{entry.parameter}[{', '.join(map(str, entry.index))}]"


def _panel(tables: Tables, entry: Entry, scales: ModelScales) -> Panel:
    rows: list[Row] = []
    marked: list[Row] = []
    for curve in entry.curves:
        points: list[Row] = [{"t": t, "value": value, "model": label_of(curve)} for t, value in curve.points]
        rows += points
        if curve.depth is not None:
            every = max(1, -(-len(points) // MARKS))
            marked += points[every // 2 :: every]
    values = [row["value"] for row in rows]
    axis = alt.Axis(values=[0, 0.5, 1], format=".1~f", grid=False)
    x = alt.X("t:Q", title="time t", scale=alt.Scale(domain=[0, 1]), axis=axis)
    scale = alt.Scale(domain=padded(values, floor=FLAT if max(map(abs, values)) else 1.0), nice=False, zero=False)
    y = alt.Y("value:Q", title=None, scale=scale, axis=alt.Axis(tickCount=4, format="~g"))
    below = legend(columns=4, symbolType="stroke")
    networks = [row for row in rows if row["model"] != THE_CONTINUUM]
    limit = [row for row in rows if row["model"] == THE_CONTINUUM]
    layers = []
    for part, width in ((networks, 1.4), (limit, 2.2)):
        if part:
            line = alt.Chart(tables.add(part)).mark_line(strokeWidth=width)
            layers.append(line.encode(x=x, y=y, color=scales.colour(below), strokeDash=scales.dash(below)))
    if marked:
        points_of = alt.Chart(tables.add(marked)).mark_point(filled=True, size=26, opacity=1)
        layers.append(points_of.encode(x=x, y=y, color=scales.colour(below), shape=scales.shape(below)))
    title = alt.TitleParams(_name(entry), fontSize=12, anchor="start", offset=4)
    return alt.layer(*layers).properties(width=PANEL[0], height=PANEL[1], title=title)
