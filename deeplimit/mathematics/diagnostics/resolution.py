"""Whether the errors of a study let its orders be seen, and by how much they are too large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import torch

from deeplimit.mathematics.diagnostics.measure.error_budget import ErrorBudget
from deeplimit.mathematics.diagnostics.measure.minimisers import against_continuum, between_consecutive
from deeplimit.mathematics.diagnostics.measure.orders import ORDER_ERROR, Observation, order_span
from deeplimit.mathematics.diagnostics.measure.states import state_errors
from deeplimit.mathematics.diagnostics.subject import SMALL_SHARE, Subject
from deeplimit.mathematics.problem.learning_problem import LAYERED

_MARGIN: Final = 0.5
"""Share of what an order may be moved by that is aimed at."""
_LEAST: Final = 1e-4
"""Errors that would have to fall to less than this share of what they are hide what is as good as 0."""
_ROUNDINGS: Final = 1e2
"""Roundings of E below which a gap is none."""
_IDENTITY: Final = 1e-6
"""Parameters below this, in root mean square, leave the states where they are."""


def collapsed(subject: Subject) -> bool:
    """Whether every network is the identity network: its layers leave the states where they are."""
    problem = subject.problem
    if not subject.points or not problem.activation.vanishes_at_zero:
        return False
    layers = [vars(point.parameters)[name] for point in subject.points for name in LAYERED]
    return all(float(layer.square().mean().sqrt()) <= _IDENTITY for layer in layers)


def wanted_share_of_errors(subject: Subject) -> float:
    """Return the share that the errors on the finest depths have to fall to for the orders there to be known.

    1 where they are known, and where something else than errors keeps them from being known.
    """
    used = subject.points[-2:] if subject.continuum is not None else subject.points[-3:]
    if len(used) < 2 or collapsed(subject) or any(subject.unfit(point) is not None for point in used):
        return 1.0
    moved = max(_shares(subject), default=0.0)
    wanted = 1.0 if moved <= 1.0 else _MARGIN / moved
    return wanted if wanted >= _LEAST else 1.0


def indistinct(subject: Subject) -> bool:
    """Whether E_n and E_∞ are the same to rounding on the finest depths, so that there is no gap to resolve."""
    if subject.continuum is None or not subject.points:
        return False
    limit = subject.continuum.solution.objective
    least = _ROUNDINGS * torch.finfo(subject.problem.dtype).eps * max(abs(limit), 1.0)
    return all(abs(point.solution.objective - limit) <= least for point in subject.points[-2:])


def _shares(subject: Subject) -> Iterator[float]:
    """Yield what each order, or number, may be moved by, beside what it may be moved by to be told."""
    if subject.continuum is None:
        yield from _without_continuum(subject)
        return
    limit = subject.continuum.solution.objective
    gaps = [
        Observation(point.depth, abs(point.solution.objective - limit), subject.objective_error(point))
        for point in subject.points
    ]
    if not indistinct(subject):
        yield _moved(gaps)
        yield max(_share(gap) for gap in gaps[-2:])
    rows = against_continuum(subject)
    distances = [Observation(row.depth, row.tl2.total, _total(row.error_budget)) for row in rows]
    yield _moved(distances)
    yield max(_share(distance) for distance in distances[-2:])
    yield _moved([Observation(row.depth, row.sup_error, _total(row.error_budget)) for row in state_errors(subject)])


def _without_continuum(subject: Subject) -> Iterator[float]:
    rows = between_consecutive(subject)
    pairs = [Observation(row.depths[0], row.tl2.total, _total(row.error_budget), None, row.depths[1]) for row in rows]
    yield _moved(pairs)
    if len(subject.points) >= 3:
        *_, a, b, c = subject.points
        error = 2.0 * sum(subject.objective_error(point) for point in (a, b, c))
        yield 2.0 * _share(Observation(c.depth, abs(b.solution.objective - c.solution.objective), error))


def _moved(observations: Sequence[Observation]) -> float:
    if len(observations) < 2:
        return 0.0
    before, after = observations[-2:]
    span = order_span(before, after)
    if not before.value or not after.value or span <= 0.0:
        return 0.0
    return (before.error / before.value + after.error / after.value) / span / ORDER_ERROR


def _share(observation: Observation) -> float:
    return observation.error / observation.value / SMALL_SHARE if observation.value else 0.0


def _total(budget: ErrorBudget | None) -> float:
    return 0.0 if budget is None else budget.total
