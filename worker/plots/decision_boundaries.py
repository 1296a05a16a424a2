"""Decision boundaries of every depth and of the continuum in one panel, over the samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import altair as alt

from worker.plots.models import ModelScales, label_of, legend
from worker.plots.palette import class_colours, shapes
from worker.plots.style import WIDTH, Spec, Tables, body_of, finished, number

if TYPE_CHECKING:
    from service.contract.plots.data import BoundariesData

TITLE: Final = "Decision boundaries"
HEIGHT: Final = 290


def describe(plot: BoundariesData) -> str:
    """Return what is to be seen."""
    lines = sum(bool(model.lines) for model in plot.models)
    names = sorted({sample.label for sample in plot.shown})
    deep = plot.models[-1]
    last = "the continuum" if deep.depth is None else f"depth {deep.depth}"
    told = f"{lines} of {len(plot.models)} models divide the plane of {plot.axes[0]} and {plot.axes[1]}"
    told += f" between {len(names)} classes; the boundary of {last} "
    points = [point for line in deep.lines for point in line]
    if not points:
        return f"{told}does not cross the range of the samples."
    low, high = min(point[0] for point in points), max(point[0] for point in points)
    return f"{told}runs from {number(low)} to {number(high)} in {plot.axes[0]}."


def draw(plot: BoundariesData) -> Spec:
    """Return the panel."""
    tables = Tables()
    scales = ModelScales(plot.models)
    x = alt.X("x:Q", title=plot.axes[0], scale=alt.Scale(domain=plot.x, nice=False), axis=alt.Axis(grid=False))
    y = alt.Y("y:Q", title=plot.axes[1], scale=alt.Scale(domain=plot.y, nice=False), axis=alt.Axis(grid=False))
    names = sorted({sample.label for sample in plot.shown})
    above = legend(columns=4, orient="top", title="true class", labelLimit=75)
    samples = alt.Chart(tables.add([sample.model_dump() for sample in plot.shown])).mark_point(
        size=24, filled=True, opacity=0.65
    )
    dots = samples.encode(
        x=x,
        y=y,
        color=alt.Color("label:N", scale=alt.Scale(domain=names, range=class_colours(len(names))), legend=above),
        shape=alt.Shape("label:N", scale=alt.Scale(domain=names, range=shapes(len(names))), legend=above),
    )
    rows = [
        {"x": point[0], "y": point[1], "model": label_of(model), "line": f"{label_of(model)}-{place}", "k": k}
        for model in plot.models
        for place, line in enumerate(model.lines)
        for k, point in enumerate(line)
    ]
    layers: list[alt.Chart | alt.LayerChart] = [dots]
    if rows:
        below = legend(columns=4, title="boundary")
        line = alt.Chart(tables.add(rows)).mark_line().encode(x=x, y=y, detail="line:N", order="k:Q")
        line = line.encode(color=scales.colour(below), strokeDash=scales.dash(below), strokeWidth=scales.width())
        layers.append(line)
    subtitle = f"{len(plot.shown)} of {plot.samples} training samples"
    chart = alt.layer(*layers).resolve_scale(color="independent", shape="independent", strokeDash="independent")
    return finished(body_of(chart.properties(width=WIDTH, height=HEIGHT)), tables, TITLE, subtitle, describe(plot))
