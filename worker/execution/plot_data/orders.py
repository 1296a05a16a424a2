"""What falls as depth grows: minima, minimisers, states, predictions and the bracket, with their observed orders."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from service.contract.plots.data import OrderPoint, OrdersData, OrderSeries
from worker.execution.plot_data.study import PlottedStudy, Withheld, rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

LABELS: Final = {
    "minima": "minima",
    "minimisers": "parameters",
    "states": "states",
    "predictions": "predictions",
    "lift": "lift",
    "recovery": "recovery",
}
"""What the quantities are called in the plot."""
EXPECTED: Final = {
    **dict.fromkeys(("minima",), "minima"),
    **dict.fromkeys(("minimisers",), "minimisers"),
    **dict.fromkeys(("states", "predictions"), "states"),
}


def orders(study: PlottedStudy) -> OrdersData:
    """Return gaps, distances and excesses by depth; without a continuum, what lies between neighbouring depths."""
    measured = study.trained.diagnostics
    expected = study.problem.expected_orders()
    if measured.minimisers is None:
        found, between = _between_depths(measured), True
    else:
        found, between = _to_the_limit(measured), False
    series = [
        OrderSeries(
            quantity=name,
            label=LABELS[name],
            expected=expected.get(EXPECTED.get(name, "")),
            order=None if order is None else rounded(order),
            points=[OrderPoint(depth=depth, value=rounded(value)) for depth, value in points],
        )
        for name, (points, order) in found.items()
        if len(points) > 1
    ]
    if not series:
        raise Withheld("what falls with depth takes two depths and a continuum, or three depths")
    return OrdersData(between=between, series=series)


_Found = dict[str, tuple[list[tuple[int, float]], float | None]]


def _to_the_limit(measured: Any) -> _Found:
    values: dict[str, tuple[Sequence[Any], str]] = {
        "minima": (measured.minima.depths, "gap"),
        "minimisers": (measured.minimisers, "tl2"),
        "states": (measured.states, "sup_error"),
        "predictions": (measured.predictions, "sup_error"),
        "lift": (measured.lift, "excess"),
        "recovery": (measured.recovery, "excess"),
    }
    found: _Found = {}
    for name, (rows, attribute) in values.items():
        points = [(row.depth, _number(getattr(row, attribute))) for row in rows]
        order = rows[-1].order if rows else None
        found[name] = (_shown(points), order.get("total") if isinstance(order, dict) else order)
    return found


def _between_depths(measured: Any) -> _Found:
    rows = [] if measured.minima is None else measured.minima.depths
    differences = [(a.depth, a.objective - b.objective) for a, b in pairwise(rows)]
    distances = [(row.depths[0], _number(row.tl2)) for row in measured.consecutive]
    last = measured.consecutive[-1].order if measured.consecutive else {}
    return {
        "minima": (_shown(differences), rows[-1].order if rows else None),
        "minimisers": (_shown(distances), last.get("total")),
    }


def _number(value: Any) -> float:
    """Return a number, or the total of a distance."""
    return math.nan if value is None else float(getattr(value, "total", value))


def _shown(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return what logarithmic axes can show."""
    return [(depth, value) for depth, value in points if math.isfinite(value) and value != 0.0]
