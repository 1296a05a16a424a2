"""Training: how the objective came down to its end, and the gradient to its tolerance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import altair as alt

from worker.plots.axes import logarithmic
from worker.plots.models import ModelScales, label_of, legend
from worker.plots.palette import MUTED
from worker.plots.style import DASHED, WIDTH, Spec, Tables, arranged, finished, number

if TYPE_CHECKING:
    from service.contract.plots.data import TrainingCurve, TrainingData

TITLE: Final = "Training"
PANEL: Final = 150


def describe(plot: TrainingData) -> str:
    """Return what is to be seen."""
    iterations = [curve.iterations for curve in plot.models]
    ends = [curve.gradient_norm[-1][1] for curve in plot.models if curve.gradient_norm]
    said = f"{len(plot.models)} models took {min(iterations)} to {max(iterations)} iterations"
    if ends:
        said += f" and ended with gradient norms up to {number(max(ends))}"
    said += f"; the tolerance is {number(plot.tolerance)}."
    early = [label_of(curve) for curve in plot.models if not curve.converged]
    return (
        f"{said} Stopped before a minimum: {', '.join(early)}." if early else f"{said} All of them ended at a minimum."
    )


def draw(plot: TrainingData) -> Spec:
    """Return the two panels; a fit that was at its end from the start is in the lower one only."""
    tables = Tables()
    scales = ModelScales(plot.models)
    end = max(*(curve.iterations for curve in plot.models), 1)
    x = alt.X("iteration:Q", title="iteration", scale=alt.Scale(domain=[0, end * 1.03], nice=False))
    above = [value for curve in plot.models for _, value in curve.excess]
    y = logarithmic("value", "E − E at the end", min(above) / 1.5, max(above) * 1.5) if above else alt.Y()
    upper = _panel(tables, [(curve, curve.excess) for curve in plot.models], x, y, scales)
    norms = [value for curve in plot.models for _, value in curve.gradient_norm]
    y = logarithmic("value", "gradient norm", min([plot.tolerance, *norms]) / 2.0, max([plot.tolerance, *norms]) * 1.5)
    lower = _panel(tables, [(curve, curve.gradient_norm) for curve in plot.models], x, y, scales)
    ends = [{"iteration": place, "value": plot.tolerance} for place in (0, end)]
    rule = alt.Chart(tables.add(ends)).mark_line(color=MUTED, strokeDash=DASHED, strokeWidth=1.2)
    words = alt.Chart(tables.add(ends[:1])).mark_text(text="tolerance", color=MUTED, align="left", dx=4, dy=-8)
    lower += [rule.encode(x=x, y=y), words.encode(x=x, y=y)]
    panels = [alt.layer(*part).properties(width=WIDTH, height=PANEL) for part in (upper, lower) if part]
    body = arranged(panels, columns=1, spacing=18)
    early = any(not curve.converged for curve in plot.models)
    subtitle = "Symbols stand at the end; open: stopped before a minimum" if early else "Symbols stand at the end"
    return finished(body, tables, TITLE, subtitle, describe(plot))


def _panel(
    tables: Tables,
    curves: list[tuple[TrainingCurve, list[list[float]]]],
    x: alt.X,
    y: alt.Y,
    scales: ModelScales,
) -> list[alt.Chart]:
    rows = [
        {"iteration": iteration, "value": value, "model": label_of(curve)}
        for curve, points in curves
        for iteration, value in points
    ]
    if not rows:
        return []
    below = legend(columns=4)
    line = alt.Chart(tables.add(rows)).mark_line(strokeWidth=1.5)
    layers = [line.encode(x=x, y=y, color=scales.colour(below), strokeDash=scales.dash(below))]
    for converged in (True, False):
        ends = [
            {"iteration": points[-1][0], "value": points[-1][1], "model": label_of(curve)}
            for curve, points in curves
            if points and curve.converged is converged
        ]
        if ends:
            marks = alt.Chart(tables.add(ends)).mark_point(filled=converged, size=60, opacity=1, strokeWidth=1.5)
            layers.append(marks.encode(x=x, y=y, color=scales.colour(below), shape=scales.shape(below)))
    return layers
