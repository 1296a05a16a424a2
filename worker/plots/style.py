"""What all plots have in common: sizes, axes, and how models are named, coloured and shaped.

A plot is about 400 pixels wide and its panels stand below each other, so that its words can be read where it is shown
320 pixels wide.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

import altair as alt

from worker.plots.palette import CONTINUUM, GRID, GROUND, INK, MUTED, depth_colours, shapes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Chart = alt.LayerChart | alt.VConcatChart | alt.ConcatChart
Row = dict[str, Any]
Spec = dict[str, Any]
"""A chart as Vega-Lite."""

FONT: Final = "Liberation Sans, Arial, Helvetica, sans-serif"
"""One shape by many names: what vl-convert measures is what a browser shows."""
SIZE: Final = 12
WIDTH: Final = 310
HEIGHT: Final = 190
LINE: Final = 15
"""Pixels between the feet of two lines of labels."""
DASHED: Final = [5, 4]
DOTTED: Final = [2, 3]
WIDEST, NARROWEST = 5.0, 1.6
"""Pixels of lines that lie over each other."""
_TOUCHING: Final = 1e-9
"""Pixels by which labels may overlap."""
THE_CONTINUUM: Final = "continuum"


CONFIG: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "font": FONT,
        "view": {"stroke": None, "continuousWidth": WIDTH, "continuousHeight": HEIGHT},
        "axis": {
            "labelFontSize": SIZE,
            "titleFontSize": SIZE,
            "titleFontWeight": "normal",
            "labelColor": INK,
            "titleColor": INK,
            "gridColor": GRID,
            "domainColor": MUTED,
            "tickColor": MUTED,
        },
        "axisX": {"tickCount": 6},
        "axisY": {"tickCount": 5},
        "title": {
            "fontSize": 14,
            "fontWeight": "bold",
            "color": INK,
            "subtitleColor": MUTED,
            "subtitleFontSize": SIZE,
            "subtitlePadding": 4,
        },
        "legend": {
            "labelFontSize": SIZE,
            "titleFontSize": SIZE,
            "labelColor": INK,
            "titleColor": INK,
            "symbolStrokeWidth": 2,
        },
        "text": {"fontSize": SIZE, "color": INK},
    }
)
"""The look of all plots, as Vega-Lite has it."""


class Model(Protocol):
    """A model as plot data have it."""

    @property
    def depth(self) -> int | None:
        """n, or None for the continuum."""


class Tables:
    """The rows that a chart is drawn from; charts know them by name, since Altair would copy and check each of them."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {}

    def add(self, rows: Sequence[Row]) -> alt.NamedData:
        """Return rows as data of a chart."""
        name = f"table-{len(self.rows)}"
        self.rows[name] = list(rows)
        return alt.NamedData(name)


def label_of(model: Model) -> str:
    """Return what a model is called: ``n = 64``, or the continuum."""
    return THE_CONTINUUM if model.depth is None else f"n = {model.depth}"


class ModelScales:
    """Colour, dash and shape of every model: blues for networks, and the continuum apart from them."""

    def __init__(self, models: Sequence[Model]) -> None:
        networks = [model for model in models if model.depth is not None]
        self.labels = [label_of(model) for model in models]
        self._colours = depth_colours(len(networks)) if networks else []
        self._shapes = shapes(len(networks))
        self._dashes: list[list[int]] = [[1, 0] for _ in networks]
        if len(networks) < len(models):
            self._colours = [*self._colours, CONTINUUM]
            self._shapes = [*self._shapes, "stroke"]
            self._dashes = [*self._dashes, DASHED]
        most = max(len(networks) - 1, 1)
        self._widths = [WIDEST - (WIDEST - NARROWEST) * place / most for place in range(len(models))]
        self._widths[-1] = NARROWEST

    def colour(self, legend: alt.Legend | None = None) -> alt.Color:
        """Return the encoding by colour."""
        scale = alt.Scale(domain=self.labels, range=self._colours)
        return alt.Color("model:N", scale=scale, legend=legend, title=None, sort=None)

    def dash(self, legend: alt.Legend | None = None) -> alt.StrokeDash:
        """Return the encoding by dashes."""
        scale = alt.Scale(domain=self.labels, range=self._dashes)
        return alt.StrokeDash("model:N", scale=scale, legend=legend, title=None, sort=None)

    def width(self) -> alt.StrokeWidth:
        """Return the encoding by width: shallow networks wide, so that deeper ones do not hide them."""
        scale = alt.Scale(domain=self.labels, range=self._widths)
        return alt.StrokeWidth("model:N", scale=scale, legend=None, sort=None)

    def shape(self, legend: alt.Legend | None = None) -> alt.Shape:
        """Return the encoding by shape."""
        scale = alt.Scale(domain=self.labels, range=self._shapes)
        return alt.Shape("model:N", scale=scale, legend=legend, title=None, sort=None)


def legend(columns: int = 4, **more: Any) -> alt.Legend:
    """Return a legend below the plot."""
    return alt.Legend(orient="bottom", direction="horizontal", columns=columns, labelLimit=150, symbolSize=60, **more)


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


def finished(chart: Chart, tables: Tables, title: str, subtitle: str | Sequence[str], description: str) -> Spec:
    """Return a chart as Vega-Lite, with its title, its description and the look of all plots."""
    lines = [subtitle] if isinstance(subtitle, str) else list(subtitle)
    titled = chart.properties(
        title=alt.TitleParams(title, subtitle=lines, anchor="start", frame="bounds", offset=12),
        description=description,
        background=GROUND,
        padding=8,
    )
    spec: Spec = titled.to_dict(validate=False)  # which takes as long as all the rest; the tests do it
    return {**spec, "config": dict(CONFIG), "datasets": tables.rows}


def number(value: float, digits: int = 3) -> str:
    """Return a number as a sentence has it."""
    return f"{value:.{digits}g}"
