"""Minima against depth, with the limit and what the continuum alone predicts of them."""

from __future__ import annotations

import math

from service.contract.plots.data import MinimaData, MinimumAtDepth
from worker.execution.plot_data.study import PlottedStudy, Withheld, rounded


def minima(study: PlottedStudy) -> MinimaData:
    """Return E_n, n (E_n - E_∞), E_∞ and C₁."""
    measured = study.trained.diagnostics.minima
    rows = [] if measured is None else [row for row in measured.depths if math.isfinite(row.objective)]
    if measured is None or not rows:
        raise Withheld("no networks were trained, of whose minima there is one for each depth")
    points = study.branch.points
    depths = [
        MinimumAtDepth(
            depth=row.depth,
            objective=row.objective,  # every digit: what is seen is how little they differ
            slope=None if row.slope is None else rounded(row.slope),
            converged=points[row.depth].solution.status.optimised,
        )
        for row in rows
    ]
    trained = study.continuum is not None
    limit = measured.continuum if trained else measured.richardson
    return MinimaData(
        depths=depths,
        limit=limit,
        limit_is=None if limit is None else "trained" if trained else "extrapolated",
        predicted_slope=measured.predicted_slope if trained else None,
    )
