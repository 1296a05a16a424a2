"""Convergence of states and predictions (diagnostic 5), both of order 1 like Euler's global error.

max over i, s of ‖X_i^{(n)}[x_s] − X(i/n)[x_s]‖ and of the entries of |h(W_n X_n + c_n) − h(W X(1) + c)|. The layers are
Euler's steps (Hairer, Nørsett and Wanner 1993, *Solving ordinary differential equations I*, theorem II.3.4) with
parameters that are O(1/n) from the continuum's; uniform convergence is part of Thorpe and van Gennip (2023). The error
of a deviation is what its largest entry changes by along the Newton steps, to first order, with what these leave, and
what states or predictions change by, at most, when the flow's steps are made finer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from deeplimit.mathematics.diagnostics.errors import Errors
from deeplimit.mathematics.diagnostics.measure.error_budget import ErrorBudget, with_orders
from deeplimit.mathematics.diagnostics.measure.orders import Observation
from deeplimit.mathematics.diagnostics.measure.sensitivity import prediction_gradient, state_gradient
from deeplimit.mathematics.diagnostics.subject import SAFETY, Subject
from deeplimit.mathematics.diagnostics.sweeps import (
    finer_steps,
    follows_smoothly,
    limit_sweep,
    network_sweep,
    own_sweep,
)
from deeplimit.mathematics.kernels.vector_field import lengths
from deeplimit.mathematics.model.flow import Flow, integrate
from deeplimit.mathematics.model.objective import DiscretisedObjective
from deeplimit.mathematics.study.branches import BranchPoint, StationaryPoint


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

    def once(point: BranchPoint) -> tuple[float, Errors]:
        fit = subject.limit
        made_of = point.certificate, fit, fit.certificate
        return subject.once("state error", point, lambda: _state_error(subject, point), *made_of)

    return _with_orders(subject, [once(point) for point in subject.points])


def prediction_errors(subject: Subject) -> list[SupErrorRow]:
    """Return the largest entry of |h(W_n X_n + c_n) − h(W X(1) + c)| over ``subject.inputs``, in the user's units."""
    fit, inputs = subject.limit, subject.inputs
    trained = inputs is subject.problem.x
    coarse = _scaled(subject, limit_sweep(subject, finer=False).output if trained else outputs(subject, fit, inputs))
    integration = Errors(integration=subject.left_by_halving * float((coarse - _limit(subject)).abs().max()))
    found, by_limit = [], _predictions_by_limit(subject)
    for point, deviations in zip(subject.points, prediction_deviations(subject), strict=True):
        difference = deviations.abs()
        sample, entry = divmod(int(difference.argmax()), difference.shape[1])
        x = inputs[sample]
        unit = 1.0 if subject.prediction_scale is None else float(subject.prediction_scale[entry])

        def gradient(objective: DiscretisedObjective, u: Tensor, x: Tensor = x, entry: int = entry) -> Tensor:
            return prediction_gradient(objective, u, x, entry)

        moved = _moved(subject, point, gradient, gradient, by_limit / unit).scaled(unit)
        found.append((float(difference.max()), integration + moved))
    return _with_orders(subject, found)


def prediction_deviations(subject: Subject) -> Iterator[Tensor]:
    """Yield h(W_n X_n + c_n) − h(W X(1) + c) (S', m) over ``subject.inputs`` for each depth, in the user's units."""
    limit = _limit(subject)
    for point in subject.points:
        subject.checkpoint()
        yield _scaled(subject, outputs(subject, point, subject.inputs)) - limit


def outputs(subject: Subject, point: StationaryPoint, inputs: Tensor) -> Tensor:
    """Return a model's linear outputs (S', m) on the training inputs or on ``subject.inputs``, computed once."""
    if inputs is subject.problem.x:
        if isinstance(point, BranchPoint):
            return network_sweep(subject, point).output
        return own_sweep(subject).output
    return subject.once("output", point, lambda: point.model.output(point.solution.u, inputs), inputs)


def _limit(subject: Subject) -> Tensor:
    """Return the continuum's predictions (S', m), on the training inputs with the finer of its two numbers of steps."""
    fit, inputs = subject.limit, subject.inputs
    if inputs is subject.problem.x:
        return _scaled(subject, limit_sweep(subject, finer=True).output)
    finer = Flow(subject.problem, fit.flow.basis, finer_steps(fit.flow.steps))
    return _scaled(subject, subject.once("finer output", fit, lambda: finer.output(fit.solution.u, inputs), inputs))


def _scaled(subject: Subject, z: Tensor) -> Tensor:
    predicted = subject.problem.loss.predict(z)
    return predicted if subject.prediction_scale is None else predicted * subject.prediction_scale


def _state_error(subject: Subject, point: BranchPoint) -> tuple[float, Errors]:
    """Return the largest deviation of one depth's states, and its errors."""
    found = network_sweep(subject, point).deviation
    errors = Errors(integration=subject.left_by_halving * _halving(subject, point))
    if found.x is None or found.direction is None:
        return found.size, errors
    x, step, e = found.x, found.step, found.direction

    def of_network(network: DiscretisedObjective, u: Tensor) -> Tensor:
        return state_gradient(network, u, x, step, e)

    def of_flow(flow: DiscretisedObjective, u: Tensor) -> Tensor:
        return state_gradient(flow, u, x, round(step / point.depth * flow.kernel.steps), e)

    return found.size, errors + _moved(subject, point, of_network, of_flow, _states_by_limit(subject))


def _moved(
    subject: Subject,
    point: BranchPoint,
    of_network: Callable[[DiscretisedObjective, Tensor], Tensor],
    of_flow: Callable[[DiscretisedObjective, Tensor], Tensor],
    by_limit: float,
) -> Errors:
    """Return what a number errs by, from its gradients: along the Newton steps, and by what these leave.

    ``by_limit`` is what such numbers change by along the limit's step, at most.
    """
    own, other, fit = subject.network_correction(point), subject.limit_correction, subject.limit
    gradient = of_network(point.network, point.solution.u)
    moved = own.errors(SAFETY * own.along(gradient), float(torch.linalg.vector_norm(gradient)))
    # A gradient needs no finer basis or steps than the model's own.
    gradient = of_flow(fit.flow, fit.solution.u)
    return moved + other.errors(SAFETY * by_limit, float(torch.linalg.vector_norm(gradient)))


def _states_by_limit(subject: Subject) -> float:
    """Return what the continuum's states change by along its Newton step, at most."""
    correction, fit = subject.limit_correction, subject.limit
    if (found := correction.limit) is None:
        return 0.0

    def change() -> float:
        coarse, largest, first = limit_sweep(subject, finer=False), 0.0, 0
        for x in torch.split(subject.problem.x, fit.flow.chunk_size()):
            subject.checkpoint()
            after, before = (
                integrate(subject.problem, parameters, coarse.steps, x, every=coarse.every)
                if coarse.states is None or parameters is found
                else coarse.states[:, first:][:, : len(x)]
                for parameters in (found, fit.parameters)
            )
            largest, first = max(largest, _longest(after - before)), first + len(x)
        return largest

    return subject.once("states by limit", fit, change, correction)


def _predictions_by_limit(subject: Subject) -> float:
    """Return what the continuum's predictions change by along its Newton step, at most, in the user's units."""
    correction, fit = subject.limit_correction, subject.limit
    if (u := correction.u) is None or not isinstance(correction.objective, Flow):
        return 0.0
    flow = Flow(subject.problem, correction.objective.basis, fit.flow.steps)
    after = subject.once("corrected output", fit, lambda: flow.output(u, subject.inputs), correction, subject.inputs)
    return float((_scaled(subject, after) - _scaled(subject, outputs(subject, fit, subject.inputs))).abs().max())


def _halving(subject: Subject, point: BranchPoint) -> float:
    """Return how far the continuum's states move when its steps are made finer, at most."""
    fine, coarse = (limit_sweep(subject, finer=finer) for finer in (True, False))
    if follows_smoothly(subject) and fine.states is not None and coarse.states is not None:
        # Both are kept at powers of 2, the coarse ones at the same times or at fewer.
        ratio, known = coarse.every * (fine.steps // coarse.steps) // fine.every, (fine.states, coarse.states)
        return subject.once("halving", subject.limit, lambda: _longest(known[0][::ratio] - known[1]))
    every, problem, parameters = math.ceil(coarse.steps / point.depth), subject.problem, subject.limit.parameters
    stepped = 0.0
    for x in torch.split(problem.x, max(1, point.network.chunk_size() // (8 * every))):
        subject.checkpoint()
        finer, before = (integrate(problem, parameters, times * every * point.depth, x) for times in (2, 1))
        stepped = max(stepped, _longest(finer[::2] - before))
    return stepped


def _longest(vectors: Tensor) -> float:
    """Return the largest norm of the vectors (N + 1, S, d)."""
    return float(lengths(vectors).max())


def _with_orders(subject: Subject, found: Sequence[tuple[float, Errors]]) -> list[SupErrorRow]:
    rows, observations = [], []
    for point, (value, errors) in zip(subject.points, found, strict=True):
        rows.append(SupErrorRow(point.depth, value))
        observations.append(Observation(point.depth, value, errors.total, subject.unfit(point)))
    return with_orders(rows, observations, [errors for _, errors in found])
