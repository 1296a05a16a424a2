"""Error budgets: what a gap or an order is known to, by source.

A computed number differs from the one that the theorem speaks of because a minimisation stopped (optimisation), because
the flow was stepped (integration) and because K and b were sought in a basis (discretisation). An order
p = log(e_{k−1}/e_k)/log(h_{k−1}/h_k) of two numbers known to ±δ lies in

    [log((e_{k−1} − δ_{k−1})/(e_k + δ_k)), log((e_{k−1} + δ_{k−1})/(e_k − δ_k))] / log(h_{k−1}/h_k)

(interval arithmetic, Moore 1966). That it is no integer at depths one can afford is not an error: the next term of the
expansion is O(1/n).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Protocol, TypeVar

from deeplimit.mathematics.diagnostics.errors import Errors
from deeplimit.mathematics.diagnostics.measure.orders import Observation, observed_orders, order_from_three, order_span


@dataclass(frozen=True)
class ErrorBudget:
    """The errors of a row's number, and where its order lies; ``interval`` is None where the order is not given."""

    optimisation: float
    integration: float
    discretisation: float
    interval: tuple[float, float] | None = None

    @property
    def total(self) -> float:
        """The sum of the errors."""
        return self.optimisation + self.integration + self.discretisation

    @classmethod
    def of(cls, errors: Errors, interval: tuple[float, float] | None = None) -> ErrorBudget:
        """Return a budget of these errors."""
        return cls(errors.optimisation, errors.integration, errors.discretisation, interval)


class TableRow(Protocol):
    """A row of a table of numbers that should tend to zero."""

    @property
    def withheld(self) -> dict[str, str]:
        """For each field that is not given: the reason."""


Row = TypeVar("Row", bound=TableRow)


def with_orders(
    rows: Sequence[Row], observations: Sequence[Observation], errors: Sequence[Errors], name: str | None = None
) -> list[Row]:
    """Return the rows with their observed orders, or why there are none, and their error budgets.

    Parameters
    ----------
    rows
        Frozen, with the fields ``order``, ``error_budget`` and ``withheld``.
    observations, errors
        The number of each row, which should tend to zero, and its errors by source.
    name
        Key of an order among several of a row; without one the order is a number.
    """
    complete: list[Row] = []
    for index, (row, (order, reason)) in enumerate(zip(rows, observed_orders(observations), strict=True)):
        known = None if order is None else interval(observations[index - 1], observations[index])
        changes = {
            "order": order if name is None else {name: order},
            "error_budget": ErrorBudget.of(errors[index], known),
            "withheld": row.withheld | ({} if reason is None else {"order": reason}),
        }
        complete.append(replace(row, **changes))  # type: ignore[type-var]  # a protocol cannot ask for a dataclass
    return complete


def interval(before: Observation, after: Observation) -> tuple[float, float] | None:
    """Return the interval that the observed order lies in, or None if the errors do not bound it."""
    if before.value is None or after.value is None or not before.step > after.step:
        return None
    if not (before.value > before.error and after.value > after.error):
        return None
    span = order_span(before, after)
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
