"""How the objective and its gradient fell, iteration by iteration."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from service.contract.plots.data import TrainingCurve, TrainingData
from worker.execution.plot_data.study import PlottedStudy, depth_of, rounded, rounded_points

if TYPE_CHECKING:
    from collections.abc import Sequence

BUCKETS: Final = 50
"""Parts that a long history is cut into; the lowest and the highest value of each are kept."""


def training(study: PlottedStudy) -> TrainingData:
    """Return E - E at the end, and the gradient norms with their tolerance."""
    curves = []
    for model in study.models:
        solution = model.solution
        excess = [(row.iteration, row.objective - solution.objective) for row in solution.history]
        gradient = [(row.iteration, row.gradient_norm) for row in solution.history]
        curves.append(
            TrainingCurve(
                model=model.name,
                depth=depth_of(model),
                status=solution.status.value,
                converged=solution.status.optimised,
                iterations=solution.history[-1].iteration if solution.history else 0,
                excess=rounded_points(thinned(_positive(excess))),
                gradient_norm=rounded_points(thinned(_positive(gradient))),
            )
        )
    size = max(abs(model.solution.objective) for model in study.models)
    return TrainingData(tolerance=rounded(study.gradient_tolerance * max(1.0, size)), models=curves)


def thinned(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return of a long history the lowest and the highest value in each of `BUCKETS` parts, and both ends."""
    if len(points) <= 2 * BUCKETS:
        return list(points)
    kept = {0, len(points) - 1}
    for bucket in range(BUCKETS):
        part = range(bucket * len(points) // BUCKETS, (bucket + 1) * len(points) // BUCKETS)
        kept |= {min(part, key=lambda place: points[place][1]), max(part, key=lambda place: points[place][1])}
    return [points[place] for place in sorted(kept)]


def _positive(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return what a logarithmic axis can show."""
    return [(iteration, value) for iteration, value in points if value > 0.0 and math.isfinite(value)]
