"""Branches: the distinct minima that the starts found, followed through the depths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import altair as alt

from worker.plots.axes import LINE, padded, spread
from worker.plots.palette import categories, shapes
from worker.plots.style import Row, Spec, Tables, body_of, finished, number

if TYPE_CHECKING:
    from service.contract.plots.data import BranchesData, BranchLine

TITLE: Final = "Branches of minima"
WIDTH: Final = 200
HEIGHT: Final = 250
MOST: Final = 12
"""Branches that are drawn: the verdict's, and the lowest others."""


def describe(plot: BranchesData) -> str:
    """Return what is to be seen."""
    shown = _shown(plot)
    verdict = next(branch for branch in shown if branch.verdict)
    end = verdict.points[-1] if verdict.points else None
    said = f"{len(plot.branches)} branches"
    if end is not None:
        said += f"; the verdict's ends at {number(end.objective, 5)} at {_model(end.model)}"
    others = [branch.points[-1].objective for branch in shown if branch is not verdict and branch.points]
    if others:
        said += f", the lowest end of another is {number(min(others), 5)}"
    return f"{said}."


def draw(plot: BranchesData) -> Spec:
    """Return one panel; a filled symbol is a minimum, an open one a saddle that was left."""
    tables = Tables()
    shown = _shown(plot)
    names = [str(branch.branch) for branch in shown]
    rows: list[Row] = [
        {
            "model": _tick(point.model),
            "E": point.objective,
            "branch": str(branch.branch),
            "saddle": branch.status == "saddle",
        }
        for branch in shown
        for point in branch.points
    ]
    domain = padded([row["E"] for row in rows])
    axis = alt.Axis(labelAngle=0, labelOverlap="greedy", grid=False)
    ticks = [_tick(model) for model in plot.models]
    title = "depth n, and the continuum (∞)" if _tick("continuum") in ticks else "depth n"
    x = alt.X("model:O", title=title, sort=ticks, axis=axis)
    y = alt.Y("E:Q", title="E", scale=alt.Scale(domain=domain, nice=False, zero=False))
    colour = alt.Color("branch:N", scale=alt.Scale(domain=names, range=categories(len(names))), legend=None)
    shape = alt.Shape("branch:N", scale=alt.Scale(domain=names, range=shapes(len(names))), legend=None)
    layers = [alt.Chart(tables.add(rows)).mark_line(strokeWidth=1.5).encode(x=x, y=y, color=colour)]
    for saddle in (False, True):
        part = [row for row in rows if row["saddle"] is saddle]
        if part:
            points = alt.Chart(tables.add(part)).mark_point(filled=not saddle, size=60, opacity=1, strokeWidth=1.5)
            layers.append(points.encode(x=x, y=y, color=colour, shape=shape))
    with_points = [branch for branch in shown if branch.points]
    low, high = domain
    heights = [HEIGHT * (high - branch.points[-1].objective) / (high - low) for branch in with_points]
    moved = spread(heights, LINE, 6.0, HEIGHT - 6.0)
    labels = [
        {"E": high - height / HEIGHT * (high - low), "branch": str(branch.branch), "text": _label(branch)}
        for height, branch in zip(moved, with_points, strict=True)
    ]
    text = alt.Chart(tables.add(labels)).mark_text(align="left", dx=4)
    layers.append(text.encode(x=alt.value(WIDTH), y=y, text="text:N", color=colour))
    subtitle = ["Label: branch, what became of it, starts that found it"]
    if any(row["saddle"] for row in rows):
        subtitle.append("Open symbols: saddles that were left")
    return finished(
        body_of(alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)), tables, TITLE, subtitle, describe(plot)
    )


def _shown(plot: BranchesData) -> list[BranchLine]:
    """Return the branches to draw, in their order."""
    ranked = sorted(
        plot.branches,
        key=lambda branch: (not branch.verdict, min((p.objective for p in branch.points), default=float("inf"))),
    )
    return sorted(ranked[:MOST], key=lambda branch: branch.branch)


def _tick(model: str) -> str:
    return "∞" if model == "continuum" else model


def _model(model: str) -> str:
    return "the continuum" if model == "continuum" else f"depth {model}"


def _label(branch: BranchLine) -> str:
    verdict = "verdict, " if branch.verdict else ""
    return f"{branch.branch}: {verdict}{branch.status.replace('_', ' ')}, {branch.starts}"
