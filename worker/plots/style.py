"""What all plots have in common: sizes, axes, and how models are named, coloured and shaped.

A plot is about 400 pixels wide and its panels stand below each other, so that its words can be read where it is shown
320 pixels wide.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import altair as alt

from worker.plots.palette import GRID, GROUND, INK, MUTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Chart = alt.LayerChart | alt.FacetChart | alt.VConcatChart | alt.ConcatChart
Panel = alt.LayerChart | alt.FacetChart
"""A layered chart, as Altair's types have it once it has a size."""
Row = dict[str, Any]
Spec = dict[str, Any]
"""A chart as Vega-Lite."""

FONT: Final = "Liberation Sans, Arial, Helvetica, sans-serif"
"""One shape by many names: what vl-convert measures is what a browser shows."""
SIZE: Final = 12
WIDTH: Final = 310
HEIGHT: Final = 190
DASHED: Final = [5, 4]
DOTTED: Final = [2, 3]


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


class Tables:
    """The rows that a chart is drawn from; charts know them by name, since Altair would copy and check each of them."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {}

    def add(self, rows: Sequence[Row]) -> alt.NamedData:
        """Return rows as data of a chart."""
        name = f"table-{len(self.rows)}"
        self.rows[name] = list(rows)
        return alt.NamedData(name)


def body_of(chart: Chart) -> Spec:
    """Return what a chart draws; Altair's own settings stay away."""
    spec: Spec = chart.to_dict(validate=False)  # which takes as long as all the rest; the tests do it
    return {name: value for name, value in spec.items() if name not in {"$schema", "config"}}


def arranged(panels: Sequence[Chart], *, columns: int, spacing: int) -> Spec:
    """Return panels in rows of so many, with one legend for all.

    Altair's own way copies each chart, and all that it is made of, several times.
    """
    shared = dict.fromkeys(("color", "shape", "strokeDash"), "shared")
    return {
        "concat": [body_of(panel) for panel in panels],
        "columns": columns,
        "spacing": spacing,
        "resolve": {"scale": shared},
    }


def finished(body: Spec, tables: Tables, title: str, subtitle: str | Sequence[str], description: str) -> Spec:
    """Return Vega-Lite with its title, its description and the look of all plots."""
    lines = [subtitle] if isinstance(subtitle, str) else list(subtitle)
    return {
        "$schema": alt.SCHEMA_URL,
        "title": {"text": title, "subtitle": lines, "anchor": "start", "frame": "bounds", "offset": 12},
        "description": description,
        "background": GROUND,
        "padding": 8,
        "config": dict(CONFIG),
        "datasets": tables.rows,
        **body,
    }


def number(value: float, digits: int = 3) -> str:
    """Return a number as a sentence has it."""
    return f"{value:.{digits}g}"
