"""Evaluations, histories and solutions as plain values for a journal, and back to the last bit."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from deeplimit.mathematics.journal import Value
from deeplimit.mathematics.minimise.lbfgs import InverseHessian
from deeplimit.mathematics.minimise.solution import HistoryRow, Solution, Status
from deeplimit.mathematics.model.objective import Evaluation


def evaluation_value(evaluation: Evaluation) -> Value:
    """Return an evaluation as a value."""
    return dict(vars(evaluation))


def evaluation_of(value: Value) -> Evaluation:
    """Return the evaluation."""
    return Evaluation(**value)


def history_value(history: Sequence[HistoryRow]) -> Value:
    """Return a history as a value: one table of doubles."""
    names = list(history[0].terms) if history else []
    rows = [[row.iteration, row.objective, row.gradient_norm, *(row.terms[name] for name in names)] for row in history]
    return {"names": names, "rows": torch.tensor(rows, dtype=torch.float64)}


def history_of(value: Value) -> list[HistoryRow]:
    """Return the history."""
    return [
        HistoryRow(int(iteration), objective, dict(zip(value["names"], terms, strict=True)), norm)
        for iteration, objective, norm, *terms in value["rows"].tolist()
    ]


def solution_value(solution: Solution) -> Value:
    """Return a solution as a value."""
    return {
        **vars(solution),
        "evaluation": evaluation_value(solution.evaluation),
        "status": solution.status.value,
        "history": history_value(solution.history),
        "inverse": None if solution.inverse is None else solution.inverse.value(),
    }


def solution_of(value: Value, inverse: InverseHessian) -> Solution:
    """Return the solution; ``inverse`` is what it began with, and becomes what was learnt."""
    learnt = value["inverse"]
    if learnt is not None:
        inverse.restore(learnt)
    return Solution(
        **{
            **value,
            "evaluation": evaluation_of(value["evaluation"]),
            "status": Status(value["status"]),
            "history": history_of(value["history"]),
            "inverse": None if learnt is None else inverse,
        }
    )
