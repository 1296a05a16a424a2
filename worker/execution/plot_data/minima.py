"""Minima against depth, with the limit and what the continuum alone predicts of them."""

from __future__ import annotations

import math
from typing import Literal

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
    fit = study.continuum
    limit = measured.richardson if fit is None else measured.continuum
    limit_is: Literal["trained", "stopped", "extrapolated"] = "extrapolated"
    if fit is not None:
        limit_is = "trained" if fit.solution.status.optimised else "stopped"
    return MinimaData(
        depths=depths,
        limit=limit,
        limit_is=None if limit is None else limit_is,
        predicted_slope=None if fit is None else measured.predicted_slope,
    )
