"""Orders: what falls with depth on two logarithmic axes, labelled at its end, with the expected slope as a guide."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import altair as alt

from worker.plots.axes import LINE, depth_axis, logarithmic, spread
from worker.plots.palette import MUTED, categories, shapes
from worker.plots.style import DASHED, Row, Spec, Tables, body_of, finished, number

if TYPE_CHECKING:
    from service.contract.plots.data import OrdersData, OrderSeries

TITLE: Final = "Distances to the limit by depth"
PLACES: Final = ("minima", "minimisers", "states", "predictions", "lift", "recovery")
"""Each quantity has its colour and shape wherever it is drawn."""
WIDTH: Final = 215
HEIGHT: Final = 300


def describe(plot: OrdersData) -> str:
    """Return what is to be seen."""
    last = max(point.depth for series in plot.series for point in series.points)
    told = [
        f"{series.label} with order {number(series.order)}"
        if series.order is not None
        else f"{series.label}, without an order that can be told"
        for series in plot.series
    ]
    what = "Differences between neighbouring depths" if plot.between else "Distances to the limit"
    guide = _guide(plot)
    expected = "" if guide is None else f" For minima {number(guide)} is expected."
    return f"{what} against depth, up to {last}: {'; '.join(told)}.{expected}"


def draw(plot: OrdersData) -> Spec:
    """Return one panel. Open symbols are negative; no line leads across a change of sign."""
    tables = Tables()
    rows: list[Row] = []
    for series in plot.series:
        run, sign = 0, series.points[0].value > 0
        for point in series.points:
            if (point.value > 0) is not sign:
                run, sign = run + 1, not sign
            rows.append(
                {
                    "depth": point.depth,
                    "size": abs(point.value),
                    "quantity": series.quantity,
                    "run": f"{series.quantity}-{run}",
                    "negative": not sign,
                }
            )
    sizes = [row["size"] for row in rows]
    low, high = min(sizes) / 2.0, max(sizes) * 4.0
    depths = sorted({row["depth"] for row in rows})
    x, y = depth_axis(depths), logarithmic("size", _quantity(plot), low, high)
    quantities = [series.quantity for series in plot.series]
    places = [PLACES.index(quantity) for quantity in quantities]
    colours = [categories(len(PLACES))[place] for place in places]
    marks = [shapes(len(PLACES))[place] for place in places]
    colour = alt.Color("quantity:N", scale=alt.Scale(domain=quantities, range=colours), legend=None)
    shape = alt.Shape("quantity:N", scale=alt.Scale(domain=quantities, range=marks), legend=None)
    line = alt.Chart(tables.add(rows)).mark_line(strokeWidth=1.5).encode(x=x, y=y, color=colour, detail="run:N")
    layers = [line]
    for negative in (False, True):
        part = [row for row in rows if row["negative"] is negative]
        if part:
            points = alt.Chart(tables.add(part)).mark_point(filled=not negative, size=60, opacity=1, strokeWidth=1.5)
            layers.append(points.encode(x=x, y=y, color=colour, shape=shape))
    layers += _labels(tables, plot, (low, high), y, colour)
    guide = _guide(plot)
    if guide is not None and len(depths) > 1:
        layers += _drawn_guide(tables, guide, depths, high, x, y)
    subtitle = ["Label: order between the last two depths"]
    if any(row["negative"] for row in rows):
        subtitle.append("Open symbols: negative, shown by size")
    return finished(
        body_of(alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)), tables, TITLE, subtitle, describe(plot)
    )


def _quantity(plot: OrdersData) -> str:
    return "difference to the next depth" if plot.between else "distance to the limit"


def _guide(plot: OrdersData) -> float | None:
    """Return the order that is expected of the minima, or of what there is."""
    return next((series.expected for series in plot.series if series.expected is not None), None)


def _label(series: OrderSeries) -> str:
    return series.label if series.order is None else f"{series.label} {series.order:.2f}"


def _labels(
    tables: Tables, plot: OrdersData, bounds: tuple[float, float], y: alt.Y, colour: alt.Color
) -> list[alt.Chart]:
    """Return the labels beside the last points, moved apart where they would overlap."""
    low, high = bounds
    span = math.log(high / low)
    ends = [abs(series.points[-1].value) for series in plot.series]
    heights = [HEIGHT * math.log(high / value) / span for value in ends]
    moved = spread(heights, LINE, 8.0, HEIGHT - 8.0)
    rows = [
        {"size": high * math.exp(-height / HEIGHT * span), "quantity": series.quantity, "text": _label(series)}
        for height, series in zip(moved, plot.series, strict=True)
    ]
    marks = alt.Chart(tables.add(rows)).mark_text(align="left", dx=4)
    return [marks.encode(x=alt.value(WIDTH), y=y, text="text:N", color=colour)]


def _drawn_guide(tables: Tables, order: float, depths: list[int], high: float, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    top = high / 2.2
    rows = [{"depth": depth, "size": top * (depths[0] / depth) ** order} for depth in (depths[0], depths[-1])]
    line = alt.Chart(tables.add(rows)).mark_line(color=MUTED, strokeDash=DASHED, strokeWidth=1, clip=True)
    text = alt.Chart(tables.add(rows[:1])).mark_text(
        text=f"slope −{number(order)}", color=MUTED, align="left", dx=4, dy=-9
    )
    return [line.encode(x=x, y=y), text.encode(x=x, y=y)]
