"""Solver consistency: whether predictions change when the flow is integrated by another solver or with another step.

A Neural ODE whose predictions hang on the solver it was trained with is a network of that depth and no flow (Ott,
Katiyar, Hennig and Tiemann 2021, *ResNet after all: Neural ODEs and their numerical solution*, ICLR). For the continuum
the flow is its own; for a network of depth n it is that of its H¹ lift, which the network integrates by n steps of its
integrator. The reference is the Dormand–Prince method of order 8 with error control (scipy), restarted where K and b
have kinks.

A model is consistent when a better integration of its flow leaves its predictions: the reference, and every solver of
the table whose order and number of steps are at least the model's own. Coarser rows show where the flow stops being
resolved, and decide nothing: forward Euler with few steps is off on every flow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from torch import Tensor

from worker.deeplimit.evaluation.fitted import Fitted
from worker.deeplimit.evaluation.metrics import changed_labels
from worker.deeplimit.kernels.tableau import EULER, IMPLICIT_EULER, MIDPOINT, RK4, Tableau
from worker.deeplimit.model.blocks import apart
from worker.deeplimit.model.coordinates import PiecewiseLinearIncrements
from worker.deeplimit.model.flow import integrate

SOLVERS: Final[dict[str, Tableau]] = {one.name: one for one in (EULER, IMPLICIT_EULER, MIDPOINT, RK4)}
"""Solvers of the table by name."""
MOST_SAMPLES: Final = 1000
REFERENCE_TOLERANCE: Final = 1e-12
_FLOOR: Final = 100.0 * REFERENCE_TOLERANCE


@dataclass(frozen=True)
class SolverRow:
    """One solver with one number of steps.

    Attributes
    ----------
    state_error
        Largest ‖X(1) − reference‖ over samples; ``state_order`` its observed order from the row before.
    prediction_change
        Largest change of a prediction h from the model's own, in the user's units.
    changed_labels
        Share of samples whose class changes; None for numbers.
    agrees
        Whether the change is within the tolerance.
    """

    solver: str
    steps: int
    state_error: float
    state_order: float | None
    prediction_change: float
    changed_labels: float | None
    agrees: bool


@dataclass(frozen=True)
class OwnSolver:
    """What the model's own predictions come from."""

    solver: str
    steps: int


@dataclass(frozen=True)
class SolverReference:
    """What all are compared with: evaluations of the right-hand side, and the change from the model's predictions."""

    evaluations: int
    prediction_change: float
    solver: str = "dop853"
    tolerance: float = REFERENCE_TOLERANCE


@dataclass(frozen=True)
class SolverConsistency:
    """The table, and whether finer and better solvers leave the predictions as they are.

    Attributes
    ----------
    samples
        That the table was made on.
    spread
        What changes are compared with: 1 for probabilities, else the largest range of a prediction over the samples.
        Where none varies, as of a single sample, it is the largest factor from scaled targets to the user's units,
        which is a deviation of the training's targets, or without any the largest absolute value.
    consistent
        Whether the reference's predictions are within ``tolerance`` · ``spread`` of the model's own, and so are those
        of every row whose solver has at least the order of the model's own and whose steps are at least its own;
        without such a row the reference decides alone. None where the change to the reference is not finite.
    """

    samples: int
    spread: float
    tolerance: float
    own: OwnSolver
    reference: SolverReference
    table: list[SolverRow]
    consistent: bool | None


def solver_consistency(
    model: Fitted, steps: Sequence[int], tolerance: float, scale: Tensor | None = None
) -> SolverConsistency:
    """Integrate a model's flow by every solver with every number of steps.

    Parameters
    ----------
    model
        The continuum, or a network.
    steps
        Over [0, 1].
    tolerance
        Change of predictions that still counts as none, relative to their spread.
    scale
        (m,) factors from scaled targets back to the user's units.

    Returns
    -------
    SolverConsistency
        On at most `MOST_SAMPLES` samples of the problem's data, evenly spread over it.
    """
    x = _some(model.problem.x)
    predict = model.problem.loss.predict
    own = predict(model.output(x))
    classes = model.problem.loss.name != "squared_error"
    units = x.new_ones(own.shape[1]) if scale is None else scale
    spread = 1.0 if classes else _spread(own * units, scale)
    reference, evaluations = reference_final(model, x)

    def compare(final: Tensor) -> tuple[float, float | None]:
        other = predict(model.read_out(final))
        change = float(((other - own).abs() * units).max())
        return (change if math.isfinite(change) else math.inf), changed_labels(own, other) if classes else None

    reference_change, _ = compare(reference)
    size = max(float(reference.abs().max()), 1.0)
    rows: list[SolverRow] = []
    for name, tableau in SOLVERS.items():
        if model.problem.regime.two_layer and not tableau.explicit:
            continue  # implicit Euler is there for single blocks only
        before: tuple[int, float] | None = None
        for count in sorted(steps):
            final = _final(model, x, count, tableau)
            error = float(torch.linalg.vector_norm(final - reference, dim=1).max())
            change, labels = compare(final)
            order = None
            if before is not None and min(error, before[1]) > _FLOOR * size and math.isfinite(error + before[1]):
                order = math.log(before[1] / error) / math.log(count / before[0])
            rows.append(SolverRow(name, count, error, order, change, labels, agrees=change <= tolerance * spread))
            before = (count, error)
    own_solver = model.problem.regime.integrator.tableau if model.depth else RK4
    own_steps = model.depth or model.resolved[0] or 0
    better = [row for row in rows if SOLVERS[row.solver].order >= own_solver.order and row.steps >= own_steps]
    consistent: bool | None = all(row.agrees for row in better) and reference_change <= tolerance * spread
    if not math.isfinite(reference_change):
        consistent = None
    return SolverConsistency(
        samples=len(x),
        spread=spread,
        tolerance=tolerance,
        own=OwnSolver(own_solver.name, own_steps),
        reference=SolverReference(evaluations, reference_change),
        table=rows,
        consistent=consistent,
    )


def reference_final(model: Fitted, x: Tensor) -> tuple[Tensor, int]:
    """Return X(1) (S, d) by Dormand–Prince 8(5,3) to `REFERENCE_TOLERANCE`, and the evaluations it took.

    A flow with kinks in K and b is integrated cell by cell. Where the method gives up the states are NaN.
    """
    flow, sigma, horizon = model.flow, model.problem.activation, model.problem.regime.horizon
    basis = flow.basis
    cells = basis.cells if isinstance(basis, PiecewiseLinearIncrements) else 1
    shape, evaluations = x.shape, 0
    state: NDArray[np.float64] = x.cpu().numpy().astype(np.float64).reshape(-1)
    for cell in range(cells):
        begin, end = cell / cells, (cell + 1) / cells

        def slope(t: float, flat: NDArray[np.float64], middle: float = 0.5 * (begin + end)) -> NDArray[np.float64]:
            # at a node the cell's own side counts: times are pulled into it by a rounding error
            inside = t + (middle - t) * 1e-14
            K, b = flow.sample(torch.tensor([inside], dtype=x.dtype, device=x.device))
            states = torch.as_tensor(flat, dtype=x.dtype, device=x.device).view(shape)
            layer = apart(model.problem, K[0])
            value = sigma(states @ layer["K"].T + b[0])
            if "V" in layer:
                value = value @ layer["V"].T
            return np.asarray((horizon * value).cpu().numpy().reshape(-1), np.float64)

        with np.errstate(over="ignore", invalid="ignore"):  # a flow that overflows is found out below
            path = solve_ivp(slope, (begin, end), state, "DOP853", rtol=REFERENCE_TOLERANCE, atol=REFERENCE_TOLERANCE)
        evaluations += int(path.nfev)
        if not path.success or not np.isfinite(path.y[:, -1]).all():
            return torch.full_like(x, math.nan), evaluations
        state = path.y[:, -1]
    return torch.as_tensor(state, dtype=x.dtype, device=x.device).view(shape), evaluations


def _spread(predictions: Tensor, scale: Tensor | None) -> float:
    """Return what a change of predictions (S, m) is small or large beside; see `SolverConsistency`."""
    widest = float((predictions.max(0).values - predictions.min(0).values).max())
    return widest or float((predictions.abs() if scale is None else scale).max()) or 1.0


def _some(x: Tensor) -> Tensor:
    if len(x) <= MOST_SAMPLES:
        return x
    chosen = torch.linspace(0, len(x) - 1, MOST_SAMPLES, dtype=torch.float64).round().long()
    return x[chosen.to(x.device)]


def _final(model: Fitted, x: Tensor, steps: int, tableau: Tableau) -> Tensor:
    entries = max(x.shape[1], model.problem.width)
    parts = torch.split(x, max(1, 2**22 // (steps * tableau.stages * entries)))
    return torch.cat([integrate(model.problem, model.flow, steps, part, tableau)[-1] for part in parts])
