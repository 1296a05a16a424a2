"""The plot of `benchmarks/README.md`: time to E − min ≤ 1e-6 against depth, one panel for each start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import altair as alt
import vl_convert

from worker.plots.drawing import VEGA_LITE_VERSION
from worker.plots.palette import categories, shapes
from worker.plots.style import WIDTH, Tables, arranged, finished
from worker.plots.svg import finished_svg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.plots.style import Panel, Row, Spec

TITLE: Final = "Time to E − min ≤ 1e-6, by depth"
HEIGHT: Final = 200
STARTS: Final = {
    "usual": "Rivals from PyTorch's initial values",
    "smooth": "Rivals from this package's start, prolonged to n layers",
}
OURS: Final = "this package"
Ends = tuple[float, float]
"""Of the axis of seconds."""
_TICKS: Final = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100]
_BEYOND: Final = 1.6
"""Factor that the axis goes beyond what is shown."""


def draw(result: dict[str, Any]) -> Spec:
    """Return the chart of the rows of ``training.json`` as Vega-Lite."""
    rows: list[Row] = [
        {
            "who": row["who"].replace(", our coordinates and gradient", " in our coordinates"),
            "depth": row["depth"],
            "seconds": row.get("own_seconds", row["seconds"]),
            "arrived": row.get("arrived_at_own", row["arrived"]),
            "start": row.get("start"),
        }
        for row in result["rows"]
    ]
    names = sorted({row["who"] for row in rows}, key=lambda who: (who != OURS, who))
    tables = Tables()
    ends = (min(row["seconds"] for row in rows) / _BEYOND, _BEYOND * result["limit_s"])
    panels = [
        _panel(tables, [row for row in rows if row["start"] in {start, None}], names, words, ends)
        for start, words in STARTS.items()
    ]
    subtitle = ["CPU seconds on one thread, both axes logarithmic; two moons, S = 200, d = 4.", _limit(result)]
    return finished(arranged(panels, columns=1, spacing=24), tables, TITLE, subtitle, describe(result))


def _limit(result: dict[str, Any]) -> str:
    return f"On the dashed line: not within {result['limit_s']:g} s."


def describe(result: dict[str, Any]) -> str:
    """Return what is to be seen."""
    ours = [row for row in result["rows"] if row["who"] == OURS]
    told = ", ".join(f"{row['seconds']:.2g} s at {row['depth']}" for row in sorted(ours, key=lambda row: row["depth"]))
    others = [row["own_ratio"] for row in result["rows"] if row["who"] != OURS]
    return f"This package takes {told} layers; the others {min(others):.1f} to {max(others):,.0f} times as long."


def _seconds(ends: Ends) -> alt.Scale:
    return alt.Scale(type="log", domain=list(ends), nice=False)


def _panel(tables: Tables, rows: Sequence[Row], names: Sequence[str], words: str, ends: Ends) -> Panel:
    depths = sorted({row["depth"] for row in rows})
    x = alt.X("depth:Q", title="layers n", scale=alt.Scale(type="log", base=2), axis=alt.Axis(values=depths))
    y = alt.Y("seconds:Q", title="CPU seconds", scale=_seconds(ends), axis=alt.Axis(values=_TICKS))
    colour = alt.Color("who:N", title=None, scale=alt.Scale(domain=names, range=categories(len(names))), legend=_LEGEND)
    shape = alt.Shape("who:N", title=None, scale=alt.Scale(domain=names, range=shapes(len(names))), legend=_LEGEND)
    data = tables.add(rows)
    line = alt.Chart(data).mark_line(strokeWidth=2).encode(x=x, y=y, color=colour)
    points = alt.Chart(data).mark_point(size=60, strokeWidth=2).encode(x=x, y=y, color=colour, shape=shape)
    late = alt.Chart(tables.add([{"seconds": ends[1] / _BEYOND}])).mark_rule(strokeDash=[5, 4]).encode(y=y)
    title = alt.TitleParams(words, fontSize=12, fontWeight="normal", anchor="start")
    return alt.layer(late, line, points).properties(width=WIDTH, height=HEIGHT, title=title)


_LEGEND: Final = alt.Legend(orient="bottom", direction="vertical", columns=2, labelLimit=260)


def svg(result: dict[str, Any]) -> bytes:
    """Return the plot as SVG, for light and dark pages."""
    raw = vl_convert.vegalite_to_svg(draw(result), vl_version=VEGA_LITE_VERSION, allowed_base_urls=[])
    return finished_svg(raw, "time-to-minimum", TITLE, describe(result))[0]
