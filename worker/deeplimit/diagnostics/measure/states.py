"""Convergence of states and predictions (diagnostic 5), both of order 1 like Euler's global error.

max over i, s of ‖X_i^{(n)}[x_s] − X(i/n)[x_s]‖ and of the entries of |h(W_n X_n + c_n) − h(W X(1) + c)|. The layers are
Euler's steps (Hairer, Nørsett and Wanner 1993, *Solving ordinary differential equations I*, theorem II.3.4) with
parameters that are O(1/n) from the continuum's; uniform convergence is part of Thorpe and van Gennip (2023).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from worker.deeplimit.diagnostics.measure.error_budget import ErrorBudget, with_orders
from worker.deeplimit.diagnostics.measure.minimisers import MinimisersRow
from worker.deeplimit.diagnostics.measure.orders import Observation
from worker.deeplimit.diagnostics.subject import Subject
from worker.deeplimit.model.flow import integrate
from worker.deeplimit.study.branches import BranchPoint


@dataclass(frozen=True)
class SupErrorRow:
    """One depth: the largest deviation from the continuum."""

    depth: int
    sup_error: float
    order: float | None = None
    error_budget: ErrorBudget | None = None
    withheld: dict[str, str] = field(default_factory=dict)


def state_errors(subject: Subject, minimisers: Sequence[MinimisersRow]) -> list[SupErrorRow]:
    """Return max over i and s of ‖X_i^{(n)}[x_s] − X(i/n)[x_s]‖ on the training data, for each depth."""
    return _with_orders(subject, minimisers, [_state_error(subject, point) for point in subject.points])


def prediction_errors(subject: Subject, minimisers: Sequence[MinimisersRow]) -> list[SupErrorRow]:
    """Return the largest entry of |h(W_n X_n + c_n) − h(W X(1) + c)| over ``subject.inputs``, in the user's units."""
    predict, fit = subject.problem.loss.predict, subject.limit
    limit = predict(fit.flow.output(fit.solution.u, subject.inputs))
    values = []
    for point in subject.points:
        subject.checkpoint()
        difference = (predict(point.network.output(point.solution.u, subject.inputs)) - limit).abs()
        if subject.prediction_scale is not None:
            difference = difference * subject.prediction_scale
        values.append(float(difference.max()))
    return _with_orders(subject, minimisers, values)


def _state_error(subject: Subject, point: BranchPoint) -> float:
    fit = subject.limit
    every = math.ceil(fit.flow.steps / point.depth)
    steps = every * point.depth
    largest = 0.0
    for x in torch.split(subject.problem.x, max(1, point.network.chunk_size() // (4 * every))):
        subject.checkpoint()
        discrete = point.network.trajectory(point.solution.u, x)
        continuum = integrate(subject.problem, fit.parameters, steps, x)[::every]
        largest = max(largest, float(torch.linalg.vector_norm(discrete - continuum, dim=2).max()))
    return largest


def _with_orders(subject: Subject, minimisers: Sequence[MinimisersRow], values: Sequence[float]) -> list[SupErrorRow]:
    """Add orders; a deviation is known as well, relative to its size, as the parameters that it comes from."""
    rows = [SupErrorRow(point.depth, value) for point, value in zip(subject.points, values, strict=True)]
    observations, errors = [], []
    for point, row, source in zip(subject.points, rows, minimisers, strict=True):
        known = subject.parameter_errors(point)
        share = row.sup_error / source.tl2.total if source.tl2.total else row.sup_error / max(known.total, 1e-300)
        errors.append(known.scaled(share))
        observations.append(Observation(point.depth, row.sup_error, errors[-1].total, subject.unfit(point)))
    return with_orders(rows, observations, errors)
