"""Whether the study shows convergence, in words that a user can quote (diagnostic 9)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from worker.deeplimit.branches import BranchStatus
from worker.deeplimit.diagnostics.assumptions import Assumption
from worker.deeplimit.diagnostics.statements import certified
from worker.deeplimit.diagnostics.subject import Subject

if TYPE_CHECKING:
    from worker.deeplimit.diagnostics.report import Diagnostics

_NEAR: Final = (0.75, 1.35)
"""Orders that speak for the expected one at depths a user can afford, as parts of it."""
_TOO_SLOW: Final = 0.5
"""Resolved orders below this part of it speak against it."""
_SLOPE_SHARE: Final = 0.1


@dataclass(frozen=True)
class Verdict:
    """``converges`` is None when undecided."""

    converges: bool | None
    statements: list[str]


def verdict(subject: Subject, diagnostics: Diagnostics) -> Verdict:
    """Weigh the orders on the finest pair of depths.

    True when the orders of minima, minimisers and, with a continuum, states are resolved and near what theory says, 1
    for the paper's networks; False when one is resolved and below half of it; undecided otherwise, and where there is
    no continuum problem.
    """
    statements: list[str] = []
    broken = [a for a in diagnostics.assumptions if not a.holds]
    statements += [_assumption(a) for a in broken]
    expected = subject.problem.regime.expected_orders()
    orders = _orders(subject, diagnostics)
    votes = [_vote(statements, found, expected[found.of]) for found in orders]
    converges: bool | None = None
    if votes and subject.problem.regime.has_continuum and all(vote is True for vote in votes):
        converges = True
    elif any(vote is False for vote in votes):
        converges = False
    _slopes(statements, diagnostics)
    _bracket(statements, subject, diagnostics)
    statements += certified(diagnostics)
    _branches(statements, subject)
    if subject.problem.regime.has_continuum:
        head = _head([found.value for found in orders], converges=converges, covered=not broken)
    else:
        head = _without_continuum(converges=converges)
    return Verdict(converges, [head, *statements])


def _without_continuum(*, converges: bool | None) -> str:
    if converges is False:
        return "The study does not show convergence at the rate that the theory predicts."
    return "Undecided: this regime has no continuum problem that a limit could be compared with."


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


@dataclass(frozen=True)
class _Order:
    of: str
    name: str
    value: float | None
    reason: str | None


def _orders(subject: Subject, diagnostics: Diagnostics) -> list[_Order]:
    if len(subject.points) < 2 or diagnostics.minima is None:
        return []
    last = diagnostics.minima.depths[-1]
    found = [_Order("minima", "minima", last.order, last.withheld.get("order"))]
    minimisers = diagnostics.minimisers or diagnostics.consecutive
    if minimisers:
        row = minimisers[-1]
        found.append(_Order("minimisers", "minimisers (TL²)", row.order.get("total"), row.withheld.get("order")))
    if diagnostics.states:
        states = diagnostics.states[-1]
        found.append(_Order("states", "states", states.order, states.withheld.get("order")))
    return found


def _vote(statements: list[str], found: _Order, expected: float) -> bool | None:
    if found.value is None:
        statements.append(f"The order of the {found.name} is withheld: {found.reason or 'it takes more depths'}.")
        return None
    statements.append(
        f"Between the two finest depths the {found.name} converge with order {found.value:.3f};"
        f" theory says {expected:g}."
    )
    share = found.value / expected
    if _NEAR[0] <= share <= _NEAR[1]:
        return True
    return False if share < _TOO_SLOW else None


def _slopes(statements: list[str], diagnostics: Diagnostics) -> None:
    if diagnostics.minima is None or not diagnostics.minima.depths:
        return
    last, predicted = diagnostics.minima.depths[-1], diagnostics.minima.predicted_slope
    if last.slope is None or predicted is None:
        return
    share = abs(predicted - last.slope) / abs(last.slope)
    agrees = share <= _SLOPE_SHARE
    word = "agrees with" if agrees else "differs from"
    law = f": E_n ≈ {diagnostics.minima.continuum:.8f} + {predicted:.4g}/n" if agrees else ""
    statements.append(
        f"The predicted slope {predicted:.6g} {word} the observed n(E_n − E_∞) = {last.slope:.6g} at depth {last.depth}"
        f" ({100.0 * share:.2f} % apart){law}."
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
    apart = (BranchStatus.NOT_CARRIED, BranchStatus.SADDLE)
    carried = [b for b in subject.study.branches if b.status not in apart]
    if len(carried) > 1:
        statements.append(
            f"{len(carried)} branches were followed; this verdict is about number {subject.study.verdict}."
        )
    left = subject.study.verdict_branch.left
    if left:
        statements.append(f"The verdict branch could not be followed back to depths {left}.")
    statements.append(f"{subject.study.verdict_starts} of {subject.study.starts} starts led to the verdict branch.")


def _assumption(assumption: Assumption) -> str:
    return f"An assumption of the theorem fails: {assumption.detail}."
