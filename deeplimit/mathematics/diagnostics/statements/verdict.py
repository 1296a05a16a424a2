"""Whether the study shows convergence, which depth to use, and why, in words that a user can quote (diagnostic 9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deeplimit.mathematics.diagnostics.resolution import collapsed
from deeplimit.mathematics.diagnostics.statements.answer import Answer, answer_of
from deeplimit.mathematics.diagnostics.statements.belief import reasons_to_believe
from deeplimit.mathematics.diagnostics.statements.convergence import bracket, branches, slopes
from deeplimit.mathematics.diagnostics.statements.failure import what_speaks_against
from deeplimit.mathematics.diagnostics.statements.finding import Finding, Level
from deeplimit.mathematics.diagnostics.statements.optimality import agreement, stationary_points
from deeplimit.mathematics.diagnostics.statements.summary import (
    Outcome,
    failed,
    not_confirmed,
    summarise,
    without_theorem,
)
from deeplimit.mathematics.diagnostics.statements.undecided import late, out_of_time, what_would_decide
from deeplimit.mathematics.diagnostics.statements.without_theorem import weigh_without_theorem
from deeplimit.mathematics.diagnostics.statements.wording import listed, places
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.minimise.certificate import Kind

if TYPE_CHECKING:
    from deeplimit.mathematics.diagnostics.advice.wanted import DepthAdvice
    from deeplimit.mathematics.diagnostics.measure.minimisers import ConsecutiveRow, MinimisersRow
    from deeplimit.mathematics.diagnostics.measured import MeasuredStudy
    from deeplimit.mathematics.diagnostics.sequence.classification import Classification

_NEAR: Final = (0.75, 1.35)
"""Orders that speak for the expected one at depths a user can afford, as parts of it."""

_ELSEWHERE: Final = (
    "Undecided: the orders are close to the expected ones, but the Euler-Lagrange boundary-value problem gives another"
    " E_∞ than the trained one that they are measured against."
)
_IDENTITY_NETWORK: Final = (
    "Undecided: every network is the identity network: training left the layers at 0, so that E_n is the same at every"
    " depth and there is no rate to measure."
)


_WEIGHED: Final = {
    "minima": "the order of the minima",
    "minimisers": "the order of the minimisers",
    "consecutive": "the order of the minimisers",
    "states": "the order of the states",
    "classification": "what the weights tend to",
}
"""Parts without which nothing is decided, in words."""
_ON_BRANCH: Final = "which depths are on the branch of the limit"
_SHARPER_LIMIT: Final = "To decide, lower training.gradient_tolerance and continuum.tolerance."


@dataclass(frozen=True)
class Verdict:
    """What the study comes to.

    Attributes
    ----------
    converges
        None when undecided.
    summary
        One sentence, which begins with Yes., No. or Cannot tell:.
    answer
        Which depth to use.
    findings
        The main ones first, then the details.
    """

    converges: bool | None
    summary: str
    answer: Answer
    findings: list[Finding]

    @property
    def statements(self) -> list[str]:
        """The details' sentences."""
        return [finding.text for finding in self.findings if finding.level is Level.DETAIL]


@dataclass(frozen=True)
class _Order:
    """One observed order on the finest depths, or why there is none; ``expected`` is None where no theory has one."""

    name: str
    words: str
    depths: tuple[int, int]
    value: float | None
    reason: str | None
    expected: float | None

    @property
    def near(self) -> bool:
        """Whether it is resolved and near the expected one."""
        if self.value is None or self.expected is None:
            return False
        return _NEAR[0] <= self.value / self.expected <= _NEAR[1]

    @property
    def finding(self) -> Finding:
        """What is said of it."""
        known = self.value is not None and self.expected is not None
        return Finding(f"order_of_{self.name}", self._sentence(), self.near if known else None)

    def _sentence(self) -> str:
        if self.value is None:
            return f"The order of the {self.words} is withheld: {self.reason or 'it takes more depths'}."
        theory = "there is no theorem to compare it with" if self.expected is None else f"{self.expected:g} is expected"
        first, last = self.depths
        return f"From depth {first} to {last} the order of the {self.words} is {self.value:.3f}; {theory}."


def reach_verdict(
    subject: Subject,
    measured: MeasuredStudy,
    classification: Classification | None,
    advice: Sequence[DepthAdvice] = (),
    asked: DepthAdvice | None = None,
) -> Verdict:
    """Weigh the orders on the finest depths.

    True when the orders of minima, minimisers and, with a continuum, states are resolved and near what is expected, 1
    for the paper's networks. False when there is evidence of failure (`failure`), which an order that is far from the
    expected one is not: depths may be too shallow for their expansions in 1/n. Undecided otherwise, with what would
    decide, and where the independent check finds another E_∞ than the one that they were measured against.

    Without a theorem of convergence, as for every scaling of the regulariser but the paper's, it is never True: False
    when the trained minimisers visibly do not converge (`weigh_without_theorem`), and undecided otherwise.

    Parameters
    ----------
    advice
        For the standard gaps.
    asked
        For an error that the study was asked for.
    """
    broken = [assumption for assumption in measured.assumptions if not assumption.holds]
    orders = _orders(subject, measured)
    if missing := _not_known(subject, measured):
        outcome, head, more = _too_late(subject, missing)
    elif subject.problem.expected_orders():
        outcome, head, more = _weigh(subject, measured, classification, orders, covered=not broken)
    else:
        weighed = weigh_without_theorem(measured, classification)
        outcome, head, more = without_theorem(weighed), weighed.head, weighed.findings
    rates = subject.problem.expected_orders()
    summary = summarise(outcome, rates.get("minima", 1.0))
    answer, about_depth = answer_of(subject, measured, outcome, advice, asked)
    change = None if outcome.converges else outcome.change
    findings = [
        Finding("summary", summary, outcome.converges, Level.MAIN, change),
        *about_depth,
        *_not_measured(subject, measured),
        *reasons_to_believe(subject, measured, covered=not broken, summarised=outcome.doubt),
        head,
        *(
            Finding("assumption_fails", f"An assumption of the theorem fails: {assumption.detail}.", holds=False)
            for assumption in broken
        ),
        *(order.finding for order in orders),
        *more,
        *slopes(measured),
        *bracket(subject, measured),
        *stationary_points(subject, measured),
        *branches(subject),
    ]
    return Verdict(outcome.converges, summary, answer, findings)


def _weigh(
    subject: Subject,
    measured: MeasuredStudy,
    classification: Classification | None,
    orders: Sequence[_Order],
    *,
    covered: bool,
) -> tuple[Outcome, Finding, list[Finding]]:
    """Return what the orders come to where a theorem speaks of them, the head of the statements, and what to change."""
    against = what_speaks_against(subject, measured, classification)
    if against:
        head = f"The study speaks against convergence: {listed([each.words for each in against])}."
        return failed(against), Finding("convergence_fails", head, holds=False), []
    compared = agreement(subject, measured)
    if orders and all(order.near for order in orders):
        if compared is None or compared.agrees:
            return Outcome(True), _converging(subject, orders, covered=covered), []
        change = Finding("what_would_decide", _SHARPER_LIMIT)
        return not_confirmed(subject), Finding("limit_not_confirmed", _ELSEWHERE, holds=False), [change]
    values = {order.name: order.value for order in orders}
    found = what_would_decide(subject, measured, values)
    if compared is not None and not compared.agrees:
        found = [*found, not_confirmed(subject).reasons[0]]
    said = [Finding("what_would_decide", each.statement, advice=each.change) for each in found if each.statement]
    return Outcome(None, found), _undecided(subject, orders), said


def _converging(subject: Subject, orders: Sequence[_Order], *, covered: bool) -> Finding:
    first, last = orders[0].depths
    rate = f"the expected rate, with orders {listed([f'{found.value:.3f}' for found in orders[:2]])} from depth"
    limit = "to the continuum limit " if subject.continuum is not None else ""
    doubt = "" if subject.continuum is not None else "; no continuum model was trained to compare them with"
    if not covered:
        doubt += "; the theorem does not cover this problem"
    what = "lowest minima found, and their minimisers," if subject.study.lowest_found else "minima and minimisers"
    text = f"The {what} converge {limit}at {rate} {first} to {last}{doubt}."
    return Finding("minima_converge", text, holds=True)


def _not_known(subject: Subject, measured: MeasuredStudy) -> list[str]:
    """Return, in words, what there was no time for and nothing is decided without."""
    missing = dict.fromkeys(words for part, words in _WEIGHED.items() if part in measured.withheld)
    return [*missing] if subject.study.verdict_branch.followed else [*missing, _ON_BRANCH]


def _too_late(subject: Subject, missing: Sequence[str]) -> tuple[Outcome, Finding, list[Finding]]:
    """Return what `_weigh` does where there was no time for what decides: nothing speaks for or against."""
    reason = out_of_time(subject.study)
    head = f"Undecided: the time limit was reached before this was known: {listed(missing)}."
    told = Finding("what_would_decide", reason.statement, advice=reason.change)
    return Outcome(None, [reason]), Finding("not_measured", head), [told]


def _not_measured(subject: Subject, measured: MeasuredStudy) -> list[Finding]:
    """Say what there was no time for."""
    if not late(subject, measured):
        return []
    reason = out_of_time(subject.study)
    named = {"verdict": "what would decide"}
    parts = [named.get(part, part.replace("_", " ")) for part in measured.withheld]
    parts += [] if subject.study.verdict_branch.followed else [_ON_BRANCH]
    text = f"{reason.reason[0].upper()}{reason.reason[1:]}; withheld are: {listed(parts)}."
    return [Finding("not_measured", text, level=Level.MAIN, advice=reason.change)]


def _undecided(subject: Subject, orders: Sequence[_Order]) -> Finding:
    if collapsed(subject):
        return Finding("identity_networks", _IDENTITY_NETWORK)
    if not orders:
        return Finding("too_few_depths", "Undecided: it takes two depths to compare.")
    if (where := _saddles(subject, orders)) is not None:
        return Finding("saddle", f"Undecided: the stationary point {where} is a saddle and no minimum.", holds=False)
    unresolved = [found.words for found in orders if found.value is None]
    if unresolved:
        order = "order" if len(unresolved) == 1 else "orders"
        text = f"Undecided: the study does not resolve the {order} of the {listed(unresolved)}."
        return Finding("orders_unresolved", text)
    far = [f"{found.value:.3f} for the {found.words}" for found in orders if not found.near]
    text = f"Undecided: the orders are resolved but not all close to the expected ones: {listed(far)}."
    return Finding("orders_far", text)


def _saddles(subject: Subject, orders: Sequence[_Order]) -> str | None:
    """Return where saddles withhold orders, or None."""
    first = min(order.depths[0] for order in orders)
    found = subject.certificates
    at = [depth for depth, each in sorted(found.depths.items()) if depth >= first and each.kind is Kind.SADDLE]
    limit = found.continuum is not None and found.continuum.kind is Kind.SADDLE
    return places(at, continuum=limit, every=False) if at or limit else None


def _orders(subject: Subject, measured: MeasuredStudy) -> list[_Order]:
    if len(subject.points) < 2 or measured.minima is None:
        return []
    expected, depths = subject.problem.expected_orders(), [point.depth for point in subject.points]
    # Without a continuum an order takes three depths.
    span = (depths[-2] if subject.continuum is not None or len(depths) < 3 else depths[-3], depths[-1])
    minimisers, span_of_minimisers = _last_order(measured, span)
    rows = {
        "minima": ("minima", span, measured.minima.depths[-1:]),
        "minimisers": ("minimisers (TL²)", span_of_minimisers, minimisers),
        "states": ("states", span, (measured.states or [])[-1:]),
    }
    return [
        _Order(name, words, between, _value(row.order), row.withheld.get("order"), expected.get(name))
        for name, (words, between, last) in rows.items()
        for row in last
    ]


def _last_order(
    measured: MeasuredStudy, span: tuple[int, int]
) -> tuple[Sequence[MinimisersRow | ConsecutiveRow], tuple[int, int]]:
    """Return the row of the minimisers' order on the finest depths, and the depths that it is from.

    Of consecutive depths, which may be too near to each other to compare, the last that has an order.
    """
    if measured.minimisers is not None:
        return measured.minimisers[-1:], span
    rows = measured.consecutive
    for index in range(len(rows) - 1, 0, -1):
        if rows[index].order.get("total") is not None:
            return [rows[index]], (rows[index - 1].depths[0], rows[index].depths[1])
    return rows[-1:], span


def _value(order: float | Mapping[str, float | None] | None) -> float | None:
    return order.get("total") if isinstance(order, Mapping) else order
