"""Convergence of states and predictions (diagnostic 5), both of order 1 like Euler's global error.

max over i, s of ‖X_i^{(n)}[x_s] − X(i/n)[x_s]‖ and of the entries of |h(W_n X_n + c_n) − h(W X(1) + c)|. The layers are
Euler's steps (Hairer, Nørsett and Wanner 1993, *Solving ordinary differential equations I*, theorem II.3.4) with
parameters that are O(1/n) from the continuum's; uniform convergence is part of Thorpe and van Gennip (2023). The error
of a deviation is what states or predictions change by along the Newton steps, at most, with what these leave at the
largest entry, and by halving the flow's steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from deeplimit.mathematics.diagnostics.correction import Correction
from deeplimit.mathematics.diagnostics.errors import Errors
from deeplimit.mathematics.diagnostics.measure.error_budget import ErrorBudget, with_orders
from deeplimit.mathematics.diagnostics.measure.orders import Observation
from deeplimit.mathematics.diagnostics.measure.sensitivity import prediction_sensitivity, state_sensitivity
from deeplimit.mathematics.diagnostics.subject import SAFETY, Subject
from deeplimit.mathematics.model.flow import ContinuumParameters, Flow, integrate
from deeplimit.mathematics.model.objective import DiscretisedObjective
from deeplimit.mathematics.study.branches import BranchPoint


@dataclass(frozen=True)
class SupErrorRow:
    """One depth: the largest deviation from the continuum."""

    depth: int
    sup_error: float
    order: float | None = None
    error_budget: ErrorBudget | None = None
    withheld: dict[str, str] = field(default_factory=dict)


def state_errors(subject: Subject) -> list[SupErrorRow]:
    """Return max over i and s of ‖X_i^{(n)}[x_s] − X(i/n)[x_s]‖ on the training data, for each depth."""
    return _with_orders(subject, [_state_error(subject, point) for point in subject.points])


def prediction_errors(subject: Subject) -> list[SupErrorRow]:
    """Return the largest entry of |h(W_n X_n + c_n) − h(W X(1) + c)| over ``subject.inputs``, in the user's units."""
    fit, inputs = subject.limit, subject.inputs

    def change(correction: Correction, before: Tensor) -> float:
        if correction.u is None:
            return 0.0
        return SAFETY * _largest(_predict(subject, correction.objective, correction.u) - before)

    u, limit_correction, limit = fit.solution.u, subject.limit_correction, _limit(subject)
    integration = Errors(integration=subject.left_by_halving * _largest(_predict(subject, fit.flow, u) - limit))
    by_limit = change(limit_correction, limit)
    found = []
    for point, deviations in zip(subject.points, prediction_deviations(subject), strict=True):
        correction, difference = subject.network_correction(point), deviations.abs()
        sample, entry = divmod(int(difference.argmax()), difference.shape[1])
        x = inputs[sample]
        unit = 1.0 if subject.prediction_scale is None else float(subject.prediction_scale[entry])
        own = unit * prediction_sensitivity(point.network, point.solution.u, x, entry)
        other = unit * prediction_sensitivity(fit.flow, u, x, entry)
        by_network = change(correction, deviations + limit)
        moved = correction.errors(by_network, own) + limit_correction.errors(by_limit, other)
        found.append((float(difference.max()), integration + moved))
    return _with_orders(subject, found)


def prediction_deviations(subject: Subject) -> Iterator[Tensor]:
    """Yield h(W_n X_n + c_n) − h(W X(1) + c) (S', m) over ``subject.inputs`` for each depth, in the user's units."""
    limit = _limit(subject)
    for point in subject.points:
        subject.checkpoint()
        yield _predict(subject, point.network, point.solution.u) - limit


def _limit(subject: Subject) -> Tensor:
    """Return the continuum's predictions (S', m), with twice the steps of its training."""
    fit = subject.limit
    return _predict(subject, Flow(subject.problem, fit.flow.basis, 2 * fit.flow.steps), fit.solution.u)


def _predict(subject: Subject, objective: DiscretisedObjective, u: Tensor) -> Tensor:
    predicted = subject.problem.loss.predict(objective.output(u, subject.inputs))
    return predicted if subject.prediction_scale is None else predicted * subject.prediction_scale


def _state_error(subject: Subject, point: BranchPoint) -> tuple[float, Errors]:
    """Return the largest deviation of one depth's states, and its errors."""
    fit, problem, network = subject.limit, subject.problem, point.network
    own, other = subject.network_correction(point), subject.limit_correction
    every = math.ceil(fit.flow.steps / point.depth)
    largest = stepped = by_network = by_limit = 0.0
    entry = None

    def flow_states(parameters: ContinuumParameters, x: Tensor, count: int) -> Tensor:
        return integrate(problem, parameters, count * point.depth, x, every=count)

    for x in torch.split(problem.x, max(1, network.chunk_size() // (8 * every))):
        subject.checkpoint()
        discrete, limit = network.trajectory(point.solution.u, x), flow_states(fit.parameters, x, 2 * every)
        coarse = flow_states(fit.parameters, x, every)
        stepped = max(stepped, _longest(limit - coarse))
        if own.u is not None:
            by_network = max(by_network, _longest(network.trajectory(own.u, x) - discrete))
        if other.limit is not None:
            by_limit = max(by_limit, _longest(flow_states(other.limit, x, every) - coarse))
        norms = torch.linalg.vector_norm(discrete - limit, dim=2)
        if float(norms.max()) > largest:
            largest = float(norms.max())
            step, sample = divmod(int(norms.argmax()), norms.shape[1])
            entry = x[sample], step, (discrete - limit)[step, sample] / largest
    errors = Errors(integration=subject.left_by_halving * stepped)
    if entry is None:
        return largest, errors
    x, step, e = entry
    flow = Flow(problem, fit.flow.basis, every * point.depth)
    moved = own.errors(SAFETY * by_network, state_sensitivity(network, point.solution.u, x, step, e))
    moved += other.errors(SAFETY * by_limit, state_sensitivity(flow, fit.solution.u, x, every * step, e))
    return largest, errors + moved


def _largest(values: Tensor) -> float:
    return float(values.abs().max())


def _longest(vectors: Tensor) -> float:
    """Return the largest norm of the vectors (N + 1, S, d)."""
    return float(torch.linalg.vector_norm(vectors, dim=2).max())


def _with_orders(subject: Subject, found: Sequence[tuple[float, Errors]]) -> list[SupErrorRow]:
    rows, observations = [], []
    for point, (value, errors) in zip(subject.points, found, strict=True):
        rows.append(SupErrorRow(point.depth, value))
        observations.append(Observation(point.depth, value, errors.total, subject.unfit(point)))
    return with_orders(rows, observations, [errors for _, errors in found])
