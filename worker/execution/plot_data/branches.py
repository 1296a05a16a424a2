"""The distinct minima that the starts found, along their branches."""

from __future__ import annotations

import math

from service.contract.plots.data import BranchesData, BranchLine, BranchMinimum
from worker.execution.plot_data.study import PlottedStudy, Withheld


def branches(study: PlottedStudy) -> BranchesData:
    """Return E along every branch.

    Raises
    ------
    Withheld
        There is one branch only.
    """
    found = study.trained.study.branches
    if len(found) == 1:
        raise Withheld("every start led to the same minimum, so there is one branch only")
    lines = []
    for index, branch in enumerate(found):
        points = [(str(depth), point.solution.objective) for depth, point in sorted(branch.points.items())]
        if branch.continuum is not None:
            points.append(("continuum", branch.continuum.solution.objective))
        lines.append(
            BranchLine(
                branch=index,
                verdict=index == study.trained.study.verdict,
                status=branch.outcome.value,
                starts=branch.starts,
                points=[BranchMinimum(model=name, objective=value) for name, value in points if math.isfinite(value)],
            )
        )
    depths = sorted({depth for branch in found for depth in branch.points})
    models = [str(depth) for depth in depths]
    if any(branch.continuum is not None for branch in found):
        models.append("continuum")
    return BranchesData(models=models, branches=lines)
