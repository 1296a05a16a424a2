"""What would decide an undecided study: which field to change, and to what."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from deeplimit.mathematics.diagnostics.advice.error_law import Datum, Fit
from deeplimit.mathematics.diagnostics.resolution import collapsed, indistinct, wanted_share_of_errors
from deeplimit.mathematics.diagnostics.statements.wording import depths, listed, places
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.minimise.certificate import Kind
from deeplimit.mathematics.minimise.solution import Status

if TYPE_CHECKING:
    from deeplimit.mathematics.diagnostics.measured import MeasuredStudy
    from deeplimit.mathematics.study.sweep import Study

_NEAR: Final = (0.8, 1.25)
"""Parts of the expected order that a law's own order is to lie between, well within what decides."""
_NOTHING: Final = "Nothing in the specification would decide:"
_WITHOUT_CONTINUUM: Final = 3
"""Depths that an order takes without a continuum."""
_DEEPEST: Final = 4096
"""No deeper network is advised."""
_COARSE: Final = "the depths are still too coarse for what remains to fall regularly from one to the next"
_SHALLOW: Final = 4
"""Half of the first depth that is advised where there is none."""


@dataclass(frozen=True)
class Undecided:
    """One reason why nothing is decided, and what would decide.

    Attributes
    ----------
    statement
        In the terms of the theory.
    reason
        In plain words, to follow "Cannot tell:".
    change
        Which field to change, and to what, in plain words; None where nothing in the specification helps.
    trusted
        Whether what was measured at single depths is to be believed all the same.
    """

    statement: str
    reason: str
    change: str | None
    trusted: bool = False


def what_would_decide(subject: Subject, measured: MeasuredStudy, orders: dict[str, float | None]) -> list[Undecided]:
    """Say what to change so that the study decides; the most telling first.

    Parameters
    ----------
    orders
        The orders on the finest depths by what they are of, ``minima`` and ``minimisers``, None where withheld.
    """
    if ended := list(unfinished(subject)):
        return ended
    if late(subject, measured):
        return [out_of_time(subject.study)]
    if indistinct(subject) and not collapsed(subject):
        statement = f"{_NOTHING} E_n is the same at every depth to rounding, and there is no rate to measure."
        reason = "the optimum is the same at every depth, to rounding, and there is nothing to compare"
        return [Undecided(statement, reason, None, trusted=True)]
    change = _change(subject, orders) or _deeper(subject, measured, orders)
    if change is None and _faster(subject.problem.expected_orders(), orders):
        statement = f"{_NOTHING} the first term of the errors vanishes, and they fall faster than is expected."
        reason = "what remains falls faster with depth than is expected, and no theory says how fast it should"
        return [Undecided(statement, reason, None, trusted=True)]
    return [change or _to_decide(f"add depths {_more(subject)} to discrete.depths", _COARSE, trusted=True)]


def _to_decide(change: str, reason: str, plain: str | None = None, *, trusted: bool = False) -> Undecided:
    """Return a reason from a change; ``plain`` is the change in plain words where it is not that already."""
    plain = plain or change
    return Undecided(f"To decide, {change}.", reason, f"{plain[0].upper()}{plain[1:]}.", trusted)


def _change(subject: Subject, orders: dict[str, float | None]) -> Undecided | None:
    """Say what keeps the orders on the finest depths from being seen, or None where they are seen."""
    used = {point.depth for point in subject.points[-2 if subject.continuum is not None else -3 :]}
    left, share = used.intersection(subject.study.verdict_branch.left), wanted_share_of_errors(subject)
    deeper = f"add depths {_more(subject)} to discrete.depths"
    if collapsed(subject):
        nothing = "the layers of every network do nothing, because training left their weights at zero"
        return _to_decide("lower objective.alpha: with less regularisation the layers may do something", nothing)
    if len(subject.points) < 2:
        alone = "one depth was trained" if subject.points else "no network was trained"
        return _to_decide(deeper, f"{alone}, and there is nothing to compare", trusted=subject.continuum is not None)
    if left:
        where = depths(left)
        other = f"{where} settled on another optimum than the one that the limit belongs to"
        return _to_decide(f"{deeper}: the branch of the limit was not found at {where}", other, deeper)
    if share < 1.0:
        return _sharper(subject, share)
    return None if subject.continuum is not None else _without_limit(subject, orders)


def _without_limit(subject: Subject, orders: dict[str, float | None]) -> Undecided | None:
    """Say what keeps orders from being seen where no limit was trained to compare with."""
    if len(subject.points) < _WITHOUT_CONTINUUM:
        change = f"add one of the depths {_more(subject)} to discrete.depths"
        reason = "no limit was trained, and without one it takes three depths to compare"
    elif orders.get("minimisers") is None:
        change = "choose discrete.depths that double from one to the next"
        reason = "no limit was trained, and without one only depths that double can be compared"
    else:
        return None
    return _to_decide(f"train the continuum, or {change}", reason, f"train the limit (continuum), or {change}")


def _more(subject: Subject) -> str:
    finest = subject.points[-1].depth if subject.points else _SHALLOW
    return listed([str(2 * finest), str(4 * finest)])


def unfinished(subject: Subject) -> Iterator[Undecided]:
    """Yield what keeps minimisations from ending, or from ending at a minimum."""
    models = {f"depth {point.depth}": point.solution.status for point in subject.points[-3:]}
    if subject.continuum is not None:
        models["the continuum"] = subject.continuum.solution.status
    for status, (remedy, reason, plain) in _remedies(subject.study).items():
        if at := [name for name, ended in models.items() if ended is status]:
            statement = f"To decide, {remedy}: the optimisation of {listed(at)} ended as {status.value}."
            named = listed(["the limit" if name == "the continuum" else name for name in at])
            ending = reason if len(at) == 1 else reason.replace(" its ", " their ").replace("was ", "were ")
            yield Undecided(statement, f"{named} {ending}", plain or f"{remedy[0].upper()}{remedy[1:]}.")
    known = subject.certificates
    saddles = [point.depth for point in subject.points if _saddle(known.depths.get(point.depth))]
    limit = _saddle(known.continuum)
    if saddles or limit:
        where = places(saddles, continuum=limit, every=False).replace("in the continuum", "in the limit")
        yield Undecided(
            "To decide, raise training.starts or change training.seed: a start ended at a saddle that was not left.",
            f"training ended {where} at a point that is no optimum, because small changes of the weights improve on it",
            "Raise training.starts or change training.seed.",
        )


def late(subject: Subject, measured: MeasuredStudy) -> bool:
    """Whether there was no time for a part, or to find out which depths are on the branch of the limit."""
    return bool(measured.withheld) or not subject.study.verdict_branch.followed


def out_of_time(study: Study) -> Undecided:
    """Return what would decide a study that there was not the time to measure.

    Of a branch that was not followed, depths may be about different minima, and what was measured there says nothing.
    """
    time, longer = _time(study)
    because = f"{time} came before everything was measured"
    return Undecided(
        f"To decide, raise limits.wall_time_s: {because}.", because, longer, trusted=study.verdict_branch.followed
    )


def _time(study: Study) -> tuple[str, str]:
    """Return the time limit in words, and how to have more time."""
    seconds = study.wall_time_s
    if seconds is None:
        return "the time limit", "Raise limits.wall_time_s, or train fewer depths."
    return f"the time limit of {seconds:g} s", f"Raise limits.wall_time_s above {seconds:g}, or train fewer depths."


def _remedies(study: Study) -> dict[Status, tuple[str, str, str | None]]:
    """Return what to change by how a minimisation ended, why in plain words, and the change with its numbers."""
    iterations, (time, longer) = study.max_iterations, _time(study)
    limit = "its limit of iterations" if iterations is None else f"its limit of {iterations} iterations"
    more = (
        None if iterations is None else f"Raise training.max_iterations above {iterations}, or raise objective.alpha."
    )
    return {
        Status.MAX_ITERATIONS: (
            "raise training.max_iterations or objective.alpha",
            f"stopped at {limit}",
            more,
        ),
        Status.TIME_LIMIT: ("raise limits.wall_time_s or train fewer depths", f"was stopped by {time}", longer),
        Status.STALLED: (
            "raise training.gradient_tolerance, or train in float64",
            "got no further before training reached its tolerance",
            "Raise training.gradient_tolerance, or set training.dtype to float64.",
        ),
        Status.DIVERGED: ("lower training.start_scale or scale the data", "diverged in training", None),
    }


def _saddle(certificate: object) -> bool:
    return getattr(certificate, "kind", None) is Kind.SADDLE


def _sharper(subject: Subject, share: float) -> Undecided:
    """Say which tolerances would let the orders be seen."""
    now = subject.tolerances
    reason = "the differences between the deepest networks are not larger than the errors of their training"
    if not subject.problem.smooth:
        plain = "choose a smooth network.activation such as tanh, or coarser discrete.depths"
        change = (
            "choose a smooth activation, or coarser depths: E has kinks, and the errors of its minima are estimates"
            " that do not fall with the tolerance"
        )
        return _to_decide(change, reason, plain, trusted=True)
    if now is None or (sharper := now.times(share, subject.problem)) == now:
        change = "train coarser depths, whose differences are larger"
        if subject.problem.dtype is torch.float32:
            change = f"train in float64 (training.dtype), or {change}"
        because = "the errors are not small beside the differences between the finest depths"
        return _to_decide(f"{change}: {because}", reason, change, trusted=True)
    parts = [f"training.gradient_tolerance to {sharper.gradient:.0e}"]
    if sharper.continuum is not None:
        parts.append(f"continuum.tolerance to {sharper.continuum:.0e}")
    change = f"set {listed(parts)}"
    because = "the errors are not small beside the differences between the finest depths"
    return _to_decide(f"{change}: {because}", reason, change, trusted=True)


def _deeper(subject: Subject, measured: MeasuredStudy, orders: dict[str, float | None]) -> Undecided | None:
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
    change = f"add {depths(new)} to discrete.depths"
    because = "by the first two terms of the errors in 1/n the orders are near the expected ones there"
    return _to_decide(f"{change}: {because}", _COARSE, change, trusted=True)


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
