"""What would decide an undecided study: which field to change, and to what."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from deeplimit.mathematics.diagnostics.advice.error_law import Datum, Fit
from deeplimit.mathematics.diagnostics.resolution import collapsed, indistinct, wanted_share_of_errors
from deeplimit.mathematics.diagnostics.statements.wording import depths, listed
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.minimise.certificate import Kind
from deeplimit.mathematics.minimise.solution import Status

if TYPE_CHECKING:
    from deeplimit.mathematics.diagnostics.measured import MeasuredStudy

_NEAR: Final = (0.8, 1.25)
"""Parts of the expected order that a law's own order is to lie between, well within what decides."""
_NOTHING: Final = "Nothing in the specification would decide:"
_WITHOUT_CONTINUUM: Final = 3
"""Depths that an order takes without a continuum."""
_DEEPEST: Final = 4096
"""No deeper network is advised."""
_SHALLOW: Final = 4
"""Half of the first depth that is advised where there is none."""


def what_would_decide(subject: Subject, measured: MeasuredStudy, orders: dict[str, float | None]) -> list[str]:
    """Say what to change so that the study decides, each in a sentence; the most telling first.

    Parameters
    ----------
    orders
        The orders on the finest depths by what they are of, ``minima`` and ``minimisers``, None where withheld.
    """
    if ended := list(_unfinished(subject)):
        return ended
    if indistinct(subject) and not collapsed(subject):
        return [f"{_NOTHING} E_n is the same at every depth to rounding, and there is no rate to measure."]
    change = _change(subject, orders) or _deeper(subject, measured, orders)
    if change is None and _faster(subject.problem.expected_orders(), orders):
        return [f"{_NOTHING} the first term of the errors vanishes, and they fall faster than is expected."]
    return [f"To decide, {change or f'add depths {_more(subject)} to discrete.depths'}."]


def _change(subject: Subject, orders: dict[str, float | None]) -> str | None:
    """Say what keeps the orders on the finest depths from being seen, or None where they are seen."""
    used = {point.depth for point in subject.points[-2 if subject.continuum is not None else -3 :]}
    left, share = used.intersection(subject.study.verdict_branch.left), wanted_share_of_errors(subject)
    change = None
    if collapsed(subject):
        change = "lower objective.alpha: with less regularisation the layers may do something"
    elif len(subject.points) < 2:
        change = f"add depths {_more(subject)} to discrete.depths"
    elif left:
        where = depths(left)
        change = f"add depths {_more(subject)} to discrete.depths: the branch of the limit was not found at {where}"
    elif share < 1.0:
        change = _sharper(subject, share)
    elif subject.continuum is None and len(subject.points) < _WITHOUT_CONTINUUM:
        change = f"train the continuum, or add one of the depths {_more(subject)} to discrete.depths"
    elif subject.continuum is None and orders.get("minimisers") is None:
        change = "train the continuum, or choose discrete.depths that double from one to the next"
    return change


def _more(subject: Subject) -> str:
    finest = subject.points[-1].depth if subject.points else _SHALLOW
    return listed([str(2 * finest), str(4 * finest)])


def _unfinished(subject: Subject) -> Iterator[str]:
    """Yield what keeps minimisations from ending, or from ending at a minimum."""
    models = {f"depth {point.depth}": point.solution.status for point in subject.points[-3:]}
    if subject.continuum is not None:
        models["the continuum"] = subject.continuum.solution.status
    remedies = {
        Status.MAX_ITERATIONS: "raise training.max_iterations or objective.alpha",
        Status.TIME_LIMIT: "raise limits.wall_time_s or train fewer depths",
        Status.STALLED: "raise training.gradient_tolerance, or train in float64",
        Status.DIVERGED: "lower training.start_scale or scale the data",
    }
    for status, remedy in remedies.items():
        if at := [name for name, ended in models.items() if ended is status]:
            yield f"To decide, {remedy}: the optimisation of {listed(at)} ended as {status.value}."
    known = subject.certificates
    saddles = [point.depth for point in subject.points if _saddle(known.depths.get(point.depth))]
    if saddles or _saddle(known.continuum):
        yield "To decide, raise training.starts or change training.seed: a start ended at a saddle that was not left."


def _saddle(certificate: object) -> bool:
    return getattr(certificate, "kind", None) is Kind.SADDLE


def _sharper(subject: Subject, share: float) -> str:
    """Say which tolerances would let the orders be seen."""
    now = subject.tolerances
    if not subject.problem.smooth:
        return (
            "choose a smooth activation, or coarser depths: E has kinks, and the errors of its minima are estimates"
            " that do not fall with the tolerance"
        )
    if now is None or (sharper := now.times(share, subject.problem)) == now:
        change = "train coarser depths, whose differences are larger"
        if subject.problem.dtype is torch.float32:
            change = f"train in float64 (training.dtype), or {change}"
        return f"{change}: the errors are not small beside the differences between the finest depths"
    parts = [f"training.gradient_tolerance to {sharper.gradient:.0e}"]
    if sharper.continuum is not None:
        parts.append(f"continuum.tolerance to {sharper.continuum:.0e}")
    return f"set {listed(parts)}: the errors are not small beside the differences between the finest depths"


def _deeper(subject: Subject, measured: MeasuredStudy, orders: dict[str, float | None]) -> str | None:
    """Say from which depth on the orders are near the expected ones, by the errors' own expansions, if they tell."""
    expected = subject.problem.expected_orders()
    laws = _laws(subject, measured)
    found = [
        _near_from(law, expected[name], subject.points[-1].depth)
        for name, law in laws.items()
        if name in expected and (orders.get(name) is None or not _near((orders.get(name) or 0.0) / expected[name]))
    ]
    known = [depth for depth in found if depth is not None]
    if not known:
        return None
    there = {point.depth for point in subject.points}
    new = [depth for depth in (max(known) // 2, max(known)) if depth not in there]
    return (
        f"add {depths(new)} to discrete.depths: by the first two terms of the errors in 1/n the orders are near the"
        " expected ones there"
    )


def _faster(expected: Mapping[str, float], orders: Mapping[str, float | None]) -> bool:
    """Whether every order that is not near the expected one is above it."""
    known = [(order, expected[name]) for name, order in orders.items() if order is not None and name in expected]
    apart = [order / wanted for order, wanted in known if not _near(order / wanted)]
    return bool(apart) and min(apart) > _NEAR[1]


def _laws(subject: Subject, measured: MeasuredStudy) -> dict[str, Fit]:
    """Return the first two terms of the gaps and of the distances, as far as the finest depths give them."""
    laws, expected = dict[str, Fit](), subject.problem.expected_orders()
    table = measured.minima
    gaps = [(row.depth, row.gap) for row in table.depths if row.gap is not None] if table is not None else []
    if gaps and table is not None and table.predicted_slope is not None and expected.get("minima") == 1.0:
        first = Datum(None, np.array([table.predicted_slope]), 0.0)
        laws["minima"] = Fit([1.0, 2.0], [first, *_data(gaps[-1:])])
    elif len(gaps) >= 2 and "minima" in expected:
        laws["minima"] = Fit([expected["minima"], expected["minima"] + 1.0], _data(gaps[-2:]))
    distances = [(row.depth, row.tl2.total) for row in measured.minimisers or [] if math.isfinite(row.tl2.total)]
    if len(distances) >= 2 and "minimisers" in expected:
        laws["minimisers"] = Fit([expected["minimisers"], expected["minimisers"] + 1.0], _data(distances[-2:]))
    return laws


def _data(rows: Sequence[tuple[int, float]]) -> list[Datum]:
    return [Datum(depth, np.array([value]), 0.0) for depth, value in rows]


def _near_from(law: Fit, expected: float, finest: int) -> int | None:
    """Return the depth that a doubling up to has an order near the expected one, from the finest depth on."""
    depth = 2 * finest
    while depth <= _DEEPEST:
        if all(_near(_order(law, n) / expected) for n in (depth, 2 * depth)):
            return depth
        depth *= 2
    return None


def _order(law: Fit, depth: int) -> float:
    coarse, fine = (float(law.at(n)[0][0]) for n in (depth / 2, depth))
    return math.log2(coarse / fine) if coarse * fine > 0.0 else math.nan


def _near(share: float) -> bool:
    return _NEAR[0] <= share <= _NEAR[1]
