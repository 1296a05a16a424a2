"""Whether the study shows convergence, in words that a user can quote (diagnostic 9)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from worker.deeplimit.branches import BranchStatus
from worker.deeplimit.diagnostics.assumptions import Assumption
from worker.deeplimit.diagnostics.subject import Subject

if TYPE_CHECKING:
    from worker.deeplimit.diagnostics.report import Diagnostics

_NEAR_ONE: Final = (0.75, 1.35)
"""Orders that speak for order 1 at depths a user can afford."""
_TOO_SLOW: Final = 0.5
"""Resolved orders below this speak against it."""
_SLOPE_SHARE: Final = 0.1


@dataclass(frozen=True)
class Verdict:
    """``converges`` is None when undecided."""

    converges: bool | None
    statements: list[str]


def verdict(subject: Subject, diagnostics: Diagnostics) -> Verdict:
    """Weigh the orders on the finest pair of depths.

    True when the orders of minima, minimisers and, with a continuum, states are resolved and near 1; False when one is
    resolved and below ½; undecided otherwise.
    """
    statements: list[str] = []
    broken = [a for a in diagnostics.assumptions if not a.holds]
    statements += [_assumption(a) for a in broken]
    orders = _orders(subject, diagnostics)
    votes = [_vote(statements, name, order, reason) for name, order, reason in orders]
    converges: bool | None = None
    if votes and all(vote is True for vote in votes):
        converges = True
    elif any(vote is False for vote in votes):
        converges = False
    _slopes(statements, diagnostics)
    _bracket(statements, subject, diagnostics)
    _branches(statements, subject)
    head = _head([order for _, order, _ in orders], converges=converges, covered=not broken)
    return Verdict(converges, [head, *statements])


def _head(orders: Sequence[float | None], *, converges: bool | None, covered: bool) -> str:
    if converges:
        doubt = "" if covered else ", although an assumption of the theory fails"
        return f"The minima and minimisers converge to the continuum limit at the rate that the theory predicts{doubt}."
    if converges is False:
        return "The study does not show convergence at the rate that the theory predicts."
    if not orders:
        return "Undecided: it takes two depths to compare."
    if None in orders:
        return "Undecided: the numbers do not resolve the orders of convergence."
    return "Undecided: an order of convergence is resolved but not close to what the theory predicts."


def _orders(subject: Subject, diagnostics: Diagnostics) -> list[tuple[str, float | None, str | None]]:
    if len(subject.points) < 2 or diagnostics.minima is None:
        return []
    last = diagnostics.minima.depths[-1]
    found = [("minima", last.order, last.withheld.get("order"))]
    minimisers = diagnostics.minimisers or diagnostics.consecutive
    if minimisers:
        found.append(("minimisers (TL²)", minimisers[-1].order.get("total"), minimisers[-1].withheld.get("order")))
    if diagnostics.states:
        found.append(("states", diagnostics.states[-1].order, diagnostics.states[-1].withheld.get("order")))
    return found


def _vote(statements: list[str], name: str, order: float | None, reason: str | None) -> bool | None:
    if order is None:
        statements.append(f"The order of the {name} is withheld: {reason or 'it takes more depths'}.")
        return None
    statements.append(f"Between the two finest depths the {name} converge with order {order:.3f}; theory says 1.")
    if _NEAR_ONE[0] <= order <= _NEAR_ONE[1]:
        return True
    return False if order < _TOO_SLOW else None


def _slopes(statements: list[str], diagnostics: Diagnostics) -> None:
    if diagnostics.minima is None or not diagnostics.minima.depths:
        return
    last, predicted = diagnostics.minima.depths[-1], diagnostics.minima.predicted_slope
    if last.slope is None or predicted is None:
        return
    share = abs(predicted - last.slope) / abs(last.slope)
    word = "agrees with" if share <= _SLOPE_SHARE else "differs from"
    statements.append(
        f"The predicted slope {predicted:.6g} {word} the observed n(E_n − E_∞) = {last.slope:.6g} at depth {last.depth}"
        f" ({100.0 * share:.2f} % apart): E_n ≈ {diagnostics.minima.continuum:.8f} + {predicted:.4g}/n."
    )


def _bracket(statements: list[str], subject: Subject, diagnostics: Diagnostics) -> None:
    for name, rows in (("lift", diagnostics.lift), ("recovery", diagnostics.recovery)):
        if not rows:
            continue
        known = [
            (row.depth, row.excess, subject.objective_error(point))
            for row, point in zip(rows, subject.points, strict=True)
            if subject.unfit(point) is None and math.isfinite(row.excess)
        ]
        below = [depth for depth, excess, error in known if excess < -2.0 * error]
        if below:
            statements.append(f"The {name} excess is negative at depths {below}: a lower minimum exists there.")
        elif known:
            where = "at every depth" if len(known) == len(rows) else f"at depths {[depth for depth, _, _ in known]}"
            statements.append(f"The {name} excess is not negative {where}, as minima demand.")


def _branches(statements: list[str], subject: Subject) -> None:
    carried = [b for b in subject.study.branches if b.status is not BranchStatus.NOT_CARRIED]
    if len(carried) > 1:
        statements.append(
            f"{len(carried)} branches were followed; this verdict is about number {subject.study.verdict}."
        )
    left = subject.study.verdict_branch.left
    if left:
        statements.append(f"The verdict branch could not be followed back to depths {left}.")
    starts = sum(b.starts for b in subject.study.branches)
    statements.append(f"{subject.study.verdict_starts} of {starts} starts led to the verdict branch.")


def _assumption(assumption: Assumption) -> str:
    return f"An assumption of the theorem fails: {assumption.detail}."
