"""What is so: closed forms, or runs that are much tighter than those which are judged."""

from dataclasses import dataclass
from typing import Any, Final

import torch

from benchmarks.coverage.problems import Case
from benchmarks.linear_quadratic import LinearQuadratic
from deeplimit.mathematics import ContinuumOptions, Problem, Training
from deeplimit.mathematics.diagnostics.report import diagnose
from deeplimit.mathematics.minimise import Budget, minimise
from deeplimit.mathematics.model.coordinates import PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.study.continuum_fit import ContinuumFit
from deeplimit.mathematics.study.sweep import Study, run_study
from deeplimit.mathematics.trained_study import subject_of

STARTS: Final = 2
TABLES: Final = ("gap", "tl2", "states", "predictions", "lift", "recovery")
"""What falls with depth and is told with a budget."""
_CELLS: Final = 256
_ROUNDING: Final = 1e-13


@dataclass(frozen=True)
class Truth:
    """Exact values: by table and depth, E_∞*, C₁ where there is one; ``slack`` is their own relative error."""

    tables: dict[str, dict[int, float]]
    minima: dict[int, float]
    limit: float
    slope: float | None
    slack: float


def truth_of(case: Case, depths: tuple[int, ...]) -> Truth:
    """Return the truth by a closed form where there is one."""
    return _tight(case, depths) if case.closed is None else _closed(case.closed, depths)


def _closed(family: LinearQuadratic, depths: tuple[int, ...]) -> Truth:
    tables: dict[str, dict[int, float]] = {name: {} for name in TABLES}
    minima = {}
    for n in depths:
        b = family.minimiser(n)
        minima[n] = family.objective(b)
        final = abs(float(family.states(b)[-1]) - family.state(1.0))
        recovered = family.bias(family.times(n))
        row = (
            minima[n] - family.limit,
            family.tl2(b),
            family.state_error(b),
            final,
            family.lifted(b) - family.limit,
            family.objective(recovered) - minima[n],
        )
        for name, value in zip(TABLES, row, strict=True):
            tables[name][n] = value
    slope = family.slope if family.problem().regime.integrator.tableau.order == 1 else None
    return Truth(tables, minima, family.limit, slope, _ROUNDING)


def _tight(case: Case, depths: tuple[int, ...]) -> Truth:
    problem = case.build(torch.float64)
    smooth = problem.smooth
    training = Training(1e-11 if smooth else 1e-9, max_iterations=3000, starts=STARTS)
    study = run_study(problem, depths, ContinuumOptions(tolerance=1e-11 if smooth else 1e-5), training)
    if not smooth:
        _refine(problem, study)
    found: Any = diagnose(subject_of(study, None, None))
    minima, limit = {row.depth: row.objective for row in found.minima.depths}, found.minima.continuum
    tables = {
        "gap": {n: value - limit for n, value in minima.items()},
        "tl2": {row.depth: row.tl2.total for row in found.minimisers},
        "states": {row.depth: row.sup_error for row in found.states},
        "predictions": {row.depth: row.sup_error for row in found.predictions},
        "lift": {row.depth: row.excess for row in found.lift},
        "recovery": {row.depth: row.excess for row in found.recovery},
    }
    return Truth(tables, minima, limit, found.minima.predicted_slope, 1e-9 if smooth else 2e-6)


def _refine(problem: Problem, study: Study) -> None:
    """Put a continuum with more cells than a study takes in place of the study's, minimised as tightly."""
    branch = study.verdict_branch
    assert branch.continuum is not None  # noqa: S101 - every study here has one
    flow = Flow(problem, PiecewiseLinearIncrements(_CELLS), 2 * _CELLS)
    start = flow.encode(branch.continuum.parameters)
    budget = Budget(gradient_tolerance=1e-9, max_iterations=600, smooth=False)
    solution = minimise(flow, start, budget, curvature_floor=problem.curvature_floor)
    branch.continuum = ContinuumFit(flow, flow.parameters(solution.u), solution, 0.0, 0.0)
