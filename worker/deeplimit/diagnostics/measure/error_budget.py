"""Error budgets: what a gap or an order is known to, by source.

A computed number differs from the one that the theorem speaks of because a minimisation stopped (optimisation), because
the flow was stepped (integration) and because K and b were sought in a basis (discretisation). An order
p = log(e_{k−1}/e_k)/log(n_k/n_{k−1}) of two numbers known to ±δ lies in

    [log((e_{k−1} − δ_{k−1})/(e_k + δ_k)), log((e_{k−1} + δ_{k−1})/(e_k − δ_k))] / log(n_k/n_{k−1})

(interval arithmetic, Moore 1966). That it is no integer at depths one can afford is not an error: the next term of the
expansion is O(1/n).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

from worker.deeplimit.diagnostics.measure.orders import Measured, order_from_three


@dataclass(frozen=True)
class Errors:
    """Estimated errors of one number, absolute, in its own unit."""

    optimisation: float = 0.0
    integration: float = 0.0
    discretisation: float = 0.0

    @property
    def total(self) -> float:
        """Their sum."""
        return self.optimisation + self.integration + self.discretisation

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.optimisation + other.optimisation,
            self.integration + other.integration,
            self.discretisation + other.discretisation,
        )

    def scaled(self, factor: float) -> Errors:
        """Return the errors of a number that is ``factor`` times this one."""
        return Errors(factor * self.optimisation, factor * self.integration, factor * self.discretisation)


@dataclass(frozen=True)
class ErrorBudget:
    """The errors of a row's number, and where its order lies; ``interval`` is None where the order is not given."""

    optimisation: float
    integration: float
    discretisation: float
    interval: tuple[float, float] | None = None

    @classmethod
    def of(cls, errors: Errors, interval: tuple[float, float] | None = None) -> ErrorBudget:
        """Return a budget of these errors."""
        return cls(errors.optimisation, errors.integration, errors.discretisation, interval)


class Budgeted(Protocol):
    """A row of a table of numbers that should tend to zero."""

    error_budget: ErrorBudget | None


def budget(
    rows: Sequence[Budgeted], measured: Sequence[Measured], errors: Sequence[Errors], orders: Sequence[float | None]
) -> None:
    """Give every row its budget, and an interval where it has an order."""
    for index, row in enumerate(rows):
        known = None
        if index and orders[index] is not None:
            known = interval(measured[index - 1], measured[index])
        row.error_budget = ErrorBudget.of(errors[index], known)


def interval(before: Measured, after: Measured) -> tuple[float, float] | None:
    """Return the interval that the observed order lies in, or None if the errors do not bound it."""
    if before.value is None or after.value is None or not after.depth > before.depth:
        return None
    if not (before.value > before.error and after.value > after.error):
        return None
    span = math.log(after.depth / before.depth)
    low = math.log((before.value - before.error) / (after.value + after.error)) / span
    high = math.log((before.value + before.error) / (after.value - after.error)) / span
    return low, high


def interval_of_three(
    depths: tuple[int, int, int], values: tuple[float, float, float], errors: Sequence[float]
) -> tuple[float, float] | None:
    """Return the same for an order from three minima, E_n = E + C n^{−p}: the extremes over ± every error."""
    found = []
    for signs in product((-1.0, 1.0), repeat=3):
        a, b, c = (value + sign * error for value, sign, error in zip(values, signs, errors, strict=True))
        order = order_from_three(depths, (a, b, c))
        if order is None:
            return None
        found.append(order)
    return min(found), max(found)
