"""Solver consistency: whether a trained model is the flow of its weights, or hangs on the steps it was trained with.

A Neural ODE whose predictions hang on the solver it was trained with is a network of that depth and no flow (Ott,
Katiyar, Hennig and Tiemann 2021, *ResNet after all: Neural ODEs and their numerical solution*, ICLR). The model is what
was trained: a network of depth n, or the continuum integrated by the Runge–Kutta steps of its training. The flow is the
continuum's, or that of a network's H¹ lift, which the network integrates by n steps of its integrator. The reference
resolves it (`reference_flow`).

A model is consistent when a better integration of its flow leaves its predictions and its terminal loss: the reference,
and of the predictions every solver of the table whose order and number of steps are at least the model's own. Coarser
rows show where the flow stops being resolved, and decide nothing: forward Euler with few steps is off on every flow.
Each output is judged by its own spread, and the one that changes most by that measure stands for all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.evaluation.comparison import Change, Comparison
from deeplimit.mathematics.evaluation.fitted import FIRST_STEPS, Fitted
from deeplimit.mathematics.evaluation.metrics import NO_CLASSES, NO_TARGETS, changed_labels
from deeplimit.mathematics.evaluation.reference_flow import REFERENCE_TOLERANCE, reference_final
from deeplimit.mathematics.kernels.tableau import EULER, IMPLICIT_EULER, MIDPOINT, RK4, Tableau
from deeplimit.mathematics.model.flow import integrate
from deeplimit.mathematics.model.objective import samples_at_once

SOLVERS: Final[dict[str, Tableau]] = {one.name: one for one in (EULER, IMPLICIT_EULER, MIDPOINT, RK4)}
"""Solvers of the table by name."""
MOST_SAMPLES: Final = 1000
_FLOOR: Final = 100.0 * REFERENCE_TOLERANCE
_NOT_FINITE: Final = "a state of the model, of the solver or of the reference is not finite"


@dataclass(frozen=True, kw_only=True)
class SolverRow(Change):
    """One solver with one number of steps.

    Attributes
    ----------
    state_error
        Largest ‖X(1) − reference‖ over samples; ``state_order`` its observed order from the row before.
    changed_labels
        Share of samples whose class changes; None for numbers.
    agrees
        Whether the relative change is within the tolerance.
    """

    solver: str
    steps: int
    state_error: float
    state_order: float | None
    changed_labels: float | None
    agrees: bool
    withheld: dict[str, str]


@dataclass(frozen=True)
class OwnSolver:
    """What the model was trained with, and its terminal loss on the table's samples; None without targets."""

    solver: str
    steps: int
    terminal_loss: float | None
    withheld: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class SolverReference(Change):
    """What all are compared with: evaluations of the right-hand side, and the resolved flow's terminal loss."""

    evaluations: int
    terminal_loss: float | None
    withheld: dict[str, str]
    solver: str = "dop853"
    tolerance: float = REFERENCE_TOLERANCE


@dataclass(frozen=True)
class SolverConsistency:
    """The table, and whether finer and better solvers leave the predictions and the loss as they are.

    Attributes
    ----------
    samples
        That the table was made on.
    spread, spreads, loss_scale
        What changes are compared with (`Comparison`); ``spread`` is the largest.
    consistent
        Whether the reference's predictions and loss are within ``tolerance`` of the model's own, and so are the
        predictions of every row whose solver has at least the order of the model's own and whose steps are at least its
        own; without such a row the reference decides alone. None where that is not known, with the reason in
        ``withheld``.
    advice
        Of an inconsistent model: what changes, and what to change.
    """

    samples: int
    spread: float
    spreads: list[float]
    tolerance: float
    own: OwnSolver
    reference: SolverReference
    table: list[SolverRow]
    loss_scale: float | None
    consistent: bool | None
    advice: str | None
    withheld: dict[str, str] = field(default_factory=dict)


def solver_consistency(
    model: Fitted,
    steps: Sequence[int],
    tolerance: float,
    scale: Tensor | None = None,
    targets: Tensor | None = None,
) -> SolverConsistency:
    """Compare a trained model with its flow, integrated by the reference and by each solver with each number of steps.

    Parameters
    ----------
    model
        The continuum, or a network.
    steps
        Over [0, 1].
    tolerance
        Change of predictions and of the terminal loss that still counts as none, relative to their scales.
    scale
        (m,) factors from scaled targets back to the user's units.
    targets
        Targets as the problem's loss takes them; None without any.

    Returns
    -------
    SolverConsistency
        On at most `MOST_SAMPLES` samples of the problem's data, evenly spread over it.
    """
    x = _some(model.problem.x)
    own_solver, own_steps, own = _own(model, x)
    comparison = Comparison(model.problem.loss, own, scale, None if targets is None else _some(targets))
    reference, evaluations = reference_final(model, x)
    table = [
        row
        for name, tableau in SOLVERS.items()
        if tableau.explicit or not model.problem.regime.two_layer  # implicit Euler is there for single blocks only
        for row in _rows(model, name, sorted(steps), (x, reference), comparison, tolerance)
    ]
    resolved = model.read_out(reference)
    change, loss_change = comparison.change(resolved), comparison.loss_change(resolved)
    better = [row for row in table if SOLVERS[row.solver].order >= own_solver.order and row.steps >= own_steps]
    consistent, advice, withheld = _judge(model, change, loss_change, better, tolerance)
    no_loss = {} if targets is not None else {"terminal_loss": NO_TARGETS}
    return SolverConsistency(
        samples=len(x),
        spread=float(comparison.spreads.max()),
        spreads=comparison.spreads.tolist(),
        tolerance=tolerance,
        own=OwnSolver(own_solver.name, own_steps, comparison.own_loss, no_loss),
        reference=SolverReference(
            **vars(change), evaluations=evaluations, terminal_loss=comparison.loss(resolved), withheld=no_loss
        ),
        table=table,
        loss_scale=comparison.loss_scale,
        consistent=consistent,
        advice=advice,
        withheld=withheld | ({} if targets is not None else {"loss_scale": NO_TARGETS}),
    )


def _own(model: Fitted, x: Tensor) -> tuple[Tableau, int, Tensor]:
    """Return what a model was trained with, method and steps, and its outputs (S', m) from lifted inputs x (S', d).

    Of a continuum that does not say its steps they are those that resolve it.
    """
    if model.depth is not None:
        return model.problem.regime.integrator.tableau, model.depth, model.output(x)
    steps = model.training_steps or model.resolved[0] or FIRST_STEPS
    return RK4, steps, model.read_out(_final(model, x, steps, RK4))


def _rows(
    model: Fitted,
    name: str,
    steps: Sequence[int],
    data: tuple[Tensor, Tensor],
    comparison: Comparison,
    tolerance: float,
) -> list[SolverRow]:
    """Return the rows of one solver, from lifted inputs to the reference's last states, (S', d) both."""
    x, reference = data
    loss = model.problem.loss
    floor = _FLOOR * max(float(reference.abs().max()), 1.0)
    rows: list[SolverRow] = []
    for count in steps:
        final = _final(model, x, count, SOLVERS[name])
        z = model.read_out(final)
        error = float(torch.linalg.vector_norm(final - reference, dim=1).max())
        change, order, withheld = comparison.change(z), None, dict[str, str]()
        if not rows:
            withheld["state_order"] = "it takes a row of fewer steps"
        elif not math.isfinite(error + rows[-1].state_error):
            withheld["state_order"] = _NOT_FINITE
        elif min(error, rows[-1].state_error) <= floor:
            withheld["state_order"] = "the errors are as small as the reference's own"
        else:
            order = math.log(rows[-1].state_error / error) / math.log(count / rows[-1].steps)
        if not loss.classes:
            withheld["changed_labels"] = NO_CLASSES
        rows.append(
            SolverRow(
                **vars(change),
                solver=name,
                steps=count,
                state_error=error,
                state_order=order,
                changed_labels=changed_labels(comparison.predictions, loss.predict(z)) if loss.classes else None,
                agrees=change.relative_change <= tolerance,
                withheld=withheld,
            )
        )
    return rows


def _judge(
    model: Fitted, change: Change, loss_change: float, better: Sequence[SolverRow], tolerance: float
) -> tuple[bool | None, str | None, dict[str, str]]:
    """Return ``consistent``, ``advice`` and why either is None.

    Parameters
    ----------
    change, loss_change
        The reference's, the latter relative.
    better
        The rows that count.
    """
    unknown = None if math.isfinite(change.relative_change) else _NOT_FINITE
    if model.depth is None and model.training_steps is None:
        unknown = "the parameters do not say how many steps the model was trained with; train it again"
    if unknown is not None:
        return None, None, {"consistent": unknown, "advice": "whether the model is consistent is not known"}
    found = [f"the terminal loss by {loss_change:.3g} of loss_scale"] if loss_change > tolerance else []
    if change.relative_change > tolerance:
        found.insert(0, f"output {change.output} by {change.relative_change:.3g} of its spread")
    cause = "resolving the flow"
    if not found:
        off = [row for row in better if not row.agrees]
        if not off:
            return True, None, {"advice": "the model is consistent"}
        row = max(off, key=lambda each: each.relative_change)
        cause = f"{row.steps} steps of {row.solver}"
        found.append(f"output {row.output} by {row.relative_change:.3g} of its spread")
    if model.depth is not None:
        advice = "train more layers (discrete.depths), or take the model for a network of this depth and not for a flow"
    else:
        advice = (
            f"train with more than its {model.training_steps} steps, by a smaller continuum.tolerance; where `limited`"
            " of the train job says what ended the refinement, change that first"
        )
    return False, f"{cause} changes {' and '.join(found)}, over {tolerance:g}: {advice}", {}


def _some(x: Tensor) -> Tensor:
    if len(x) <= MOST_SAMPLES:
        return x
    chosen = torch.linspace(0, len(x) - 1, MOST_SAMPLES, dtype=torch.float64).round().long()
    return x[chosen.to(x.device)]


def _final(model: Fitted, x: Tensor, steps: int, tableau: Tableau) -> Tensor:
    parts = torch.split(x, samples_at_once(model.problem, tableau.stages))
    return torch.cat([integrate(model.problem, model.flow, steps, part, tableau, every=steps)[-1] for part in parts])
