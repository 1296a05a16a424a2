"""Trajectories: samples on their way from the input to the last layer, in the limit and in the shallowest network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import altair as alt

from worker.plots.models import legend
from worker.plots.palette import MUTED, class_colours, shapes
from worker.plots.style import DOTTED, WIDTH, Spec, Tables, body_of, finished, number

if TYPE_CHECKING:
    from service.contract.plots.data import Path, TrajectoriesData

TITLE: Final = "Samples on their way through the network"
HEIGHT: Final = 290
_SHADES: Final = ["#64a9d8", "#3787c1", "#16639f", "#0a4276", "#06234a"]
"""Of targets that are numbers, small to large."""


def describe(plot: TrajectoriesData) -> str:
    """Return what is to be seen."""
    limit, shallow = plot.models[-1], plot.models[0]
    said = f"{len(plot.inputs)} of {plot.samples} training samples, from their inputs to the last state of "
    said += f"{_name(limit)}"
    if plot.classes is not None:
        said += f", in {len(set(plot.classes))} classes"
    if plot.projection is not None:
        said += f", seen in the plane that holds {100 * plot.projection.explained:.0f} % of the states' variance"
    if limit is not shallow:
        said += f". At the end {_name(shallow)} is apart from it by {number(_apart(shallow, limit))} at most"
    return f"{said}."


def draw(plot: TrajectoriesData) -> Spec:
    """Return one panel: states in their plane, or of one entry over time."""
    tables = Tables()
    limit, shallow = plot.models[-1], plot.models[0]
    flat = len(limit.states[0][0]) == 1
    x, y = _axes(plot, flat=flat)
    rows = _rows(plot, limit, flat=flat)
    colour, shape = _encodings(plot)
    layers = []
    if shallow is not limit:
        thin = alt.Chart(tables.add(_rows(plot, shallow, flat=flat)))
        thin = thin.mark_line(color=MUTED, strokeWidth=1, strokeDash=DOTTED, opacity=0.9)
        layers.append(thin.encode(x=x, y=y, detail="sample:N", order="k:Q"))
    line = alt.Chart(tables.add(rows)).mark_line(strokeWidth=1.2, opacity=0.85)
    layers.append(line.encode(x=x, y=y, detail="sample:N", order="k:Q", color=colour))
    last = len(limit.t) - 1
    starts = alt.Chart(tables.add([row for row in rows if row["k"] == 0])).mark_point(size=9, filled=True, opacity=1)
    layers.append(starts.encode(x=x, y=y, color=colour))
    ends = alt.Chart(tables.add([row for row in rows if row["k"] == last])).mark_point(size=48, filled=True, opacity=1)
    layers.append(ends.encode(x=x, y=y, color=colour, **({} if shape is None else {"shape": shape})))
    subtitle = [f"{len(plot.inputs)} of {plot.samples} training samples; large symbols: where they end"]
    if shallow is not limit:
        subtitle.append(f"Lines: {_name(limit)}; dotted: {_name(shallow)}")
    chart = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
    return finished(body_of(chart), tables, TITLE, subtitle, describe(plot))


def _name(path: Path) -> str:
    return "the continuum" if path.depth is None else f"depth {path.depth}"


def _apart(one: Path, other: Path) -> float:
    pairs = zip(one.states[-1], other.states[-1], strict=True)
    return max(math.dist(left, right) for left, right in pairs)


def _rows(plot: TrajectoriesData, path: Path, *, flat: bool) -> list[dict[str, Any]]:
    rows = []
    for sample in range(len(plot.inputs)):
        told: dict[str, Any] = {"sample": sample}
        if plot.classes is not None:
            told["class"] = plot.classes[sample]
        elif plot.targets is not None:
            told["target"] = plot.targets[sample]
        for k, t in enumerate(path.t):
            state = path.states[k][sample]
            rows.append(
                {"x": t, "y": state[0], "k": k, **told} if flat else {"x": state[0], "y": state[1], "k": k, **told}
            )
    return rows


def _axes(plot: TrajectoriesData, *, flat: bool) -> tuple[alt.X, alt.Y]:
    titles = ("state 1", "state 2")
    if plot.projection is not None:
        titles = ("first principal direction of the states", "second principal direction")
    if flat:
        titles = ("t (part of the horizon)", "state X(t)")
    scale = alt.Scale(zero=False, nice=False, padding=8)
    x = alt.X("x:Q", title=titles[0], scale=scale, axis=alt.Axis(grid=False))
    return x, alt.Y("y:Q", title=titles[1], scale=scale, axis=alt.Axis(grid=False))


def _encodings(plot: TrajectoriesData) -> tuple[alt.Color | alt.ColorValue, alt.Shape | None]:
    if plot.classes is None:
        if len(set(plot.targets or ())) < len(_SHADES[:2]):
            return alt.ColorValue(_SHADES[len(_SHADES) // 2]), None
        scale = alt.Scale(range=_SHADES)
        shade = alt.Color("target:Q", title="target, as it is learned", scale=scale)
        return shade.legend(orient="bottom", direction="horizontal", gradientLength=200, tickCount=4), None
    names = sorted(set(plot.classes), key=_natural)
    below = legend(columns=3, title="true class")
    colour = alt.Scale(domain=names, range=class_colours(len(names)))
    shape = alt.Scale(domain=names, range=shapes(len(names)))
    return (
        alt.Color("class:N", scale=colour, legend=below, sort=None),
        alt.Shape("class:N", scale=shape, legend=below, sort=None),
    )


def _natural(name: str) -> tuple[int, str]:
    """Return what classes are sorted by: numbers by their size."""
    return (int(name), "") if name.lstrip("-").isdecimal() else (0, name)
