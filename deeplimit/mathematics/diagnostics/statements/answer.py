"""Which depth to use, what it buys, and whether that was trained.

Where an error was asked for, it is the depth for it. Else it is the least trained depth from which on every network
does as well on the data as the limit, or as far as the samples can tell, and its optimum is within 1 % of the limit's.
Where a study says nothing that is to be believed, there is no depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from deeplimit.mathematics.diagnostics.advice.depth_advice import Bracket
from deeplimit.mathematics.diagnostics.advice.measured_errors import measured_gaps
from deeplimit.mathematics.diagnostics.measure.performance import SLIGHT
from deeplimit.mathematics.diagnostics.statements.finding import Finding, Level
from deeplimit.mathematics.diagnostics.statements.undecided import late, out_of_time
from deeplimit.mathematics.diagnostics.statements.wording import plain_number
from deeplimit.mathematics.diagnostics.subject import Subject

if TYPE_CHECKING:
    from deeplimit.mathematics.diagnostics.advice.wanted import DepthAdvice
    from deeplimit.mathematics.diagnostics.measure.performance import Performance
    from deeplimit.mathematics.diagnostics.measured import MeasuredStudy
    from deeplimit.mathematics.diagnostics.statements.summary import Outcome

NEAR: Final = 1e-2
"""An optimum this near the limit's, relative to it, is near."""
_METRICS: Final = {"accuracy": "Accuracy", "r2": "R²"}
_DATA: Final = {"train": "training data", "validation": "validation data"}


class Confidence(StrEnum):
    """How an answer is known."""

    CONFIRMED = "confirmed"
    MEASURED = "measured"
    PREDICTED = "predicted"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Answer:
    """Which depth to use.

    Attributes
    ----------
    depth
        None where nothing that is to be believed gives one.
    metric, data
        ``accuracy`` or ``r2`` on ``validation`` data, else on ``train`` data; ``objective``, of training, where neither
        is defined.
    at_depth, in_the_limit
        The metric's values; None where that was not trained.
    confidence
        ``confirmed``: the wanted error was met at this depth when it was trained; ``measured``, at trained depths;
        ``predicted``, and not trained; ``undecided``.
    change
        Which field to change, and to what, for a depth or for one that is known better; or None.
    """

    depth: int | None
    metric: str
    data: str
    at_depth: float | None
    in_the_limit: float | None
    confidence: Confidence
    change: str | None = None


@dataclass(frozen=True)
class _Choice:
    """A depth, how it is known, why it is chosen in words, and what to change."""

    depth: int | None
    confidence: Confidence
    words: str
    change: str | None = None


def answer_of(
    subject: Subject,
    measured: MeasuredStudy,
    outcome: Outcome,
    advice: Sequence[DepthAdvice],
    asked: DepthAdvice | None,
) -> tuple[Answer, list[Finding]]:
    """Return the answer, and the main findings that say it.

    Parameters
    ----------
    advice
        For the standard gaps, that of `NEAR` among them.
    asked
        For an error that the study was asked for.
    """
    near = _Nearness.of(subject, measured, advice)
    if not outcome.trusted:
        choice = _Choice(None, Confidence.UNDECIDED, outcome.doubt or "", outcome.change)
    elif late(subject, measured):
        ended = out_of_time(subject.study)
        choice = _Choice(None, Confidence.UNDECIDED, ended.reason, ended.change)
    elif asked is not None:
        choice = _for_error(asked, outcome)
    else:
        choice = _for_list(subject, measured.performance, near, outcome)
    if choice.change is None and outcome.converges is None:
        choice = replace(choice, change=outcome.change)
    answer = _valued(subject, measured.performance, choice)
    text = f"Use depth {choice.depth}: {choice.words}." if choice.depth else f"No depth is advised: {choice.words}."
    known = {Confidence.UNDECIDED: None, Confidence.PREDICTED: None}.get(choice.confidence, True)
    lead = Finding("use_depth", text, known, Level.MAIN, choice.change)
    told = [_performance(measured.performance), near.finding] if outcome.trusted else []
    return answer, [lead, *(each for each in told if each is not None)]


def _for_error(asked: DepthAdvice, outcome: Outcome) -> _Choice:
    """Return the depth for the error that was asked for, and whether training there confirmed it."""
    check, by_gap = asked.check, asked.gap is not None
    error = plain_number(asked.gap if asked.gap is not None else asked.wanted_prediction_error or 0.0)
    wanted = f"the optimum within {error} of the limit's" if by_gap else f"predictions within {error} of the limit's"
    if check is not None and check.met and check.depth == asked.depth:
        return _Choice(asked.depth, Confidence.CONFIRMED, f"for {wanted} (trained and confirmed)")
    larger = f"Ask for a larger {'gap' if by_gap else 'prediction_error'} in discrete.depths"
    more = f"{larger}, or raise limits.wall_time_s."
    if check is not None and check.met is False and check.depth is not None:
        missed = f", and depth {check.depth}, the deepest that was trained, is not enough"
    else:
        missed = f", and depth {check.depth} was trained and is enough" if check is not None and check.met else ""
    if asked.depth is not None and outcome.converges:
        return _Choice(asked.depth, Confidence.PREDICTED, f"for {wanted} (predicted, not trained{missed})", more)
    sharper = outcome.change or f"Lower training.gradient_tolerance and continuum.tolerance. {more}"
    return _Choice(None, Confidence.UNDECIDED, f"none is known for {wanted}{missed}", sharper)


def _for_list(subject: Subject, performance: Performance | None, near: _Nearness, outcome: Outcome) -> _Choice:
    """Return the least depth that is as good as the limit."""
    if not subject.points:
        return _Choice(None, Confidence.UNDECIDED, "no network was trained", outcome.change)
    finest = subject.points[-1].depth
    deeper = outcome.change or f"Add depths {2 * finest} and {4 * finest} to discrete.depths."
    since, what = 0, "an optimum within 1 % of the limit's"
    if performance is not None:
        metric = _lower(_METRICS[performance.metric])
        whose = "the limit's" if performance.limit is not None else f"depth {finest}'s"
        if performance.same_from is not None:
            since, what = performance.same_from, f"{whose} {metric} and {what}"
        elif performance.not_told_from is not None:
            since = performance.not_told_from
            what = f"{what} and an {metric} that {performance.samples} samples do not tell from {whose}"
        else:
            return _Choice(None, Confidence.UNDECIDED, f"{metric} still changes at depth {finest}", deeper)
    if near.measured is not None:
        depth = max(near.measured, since)
        return _Choice(depth, Confidence.MEASURED, f"the least trained depth with {what}")
    if near.predicted is not None and outcome.converges:
        depth = max(near.predicted, since)
        add = f"Add depth {depth} to discrete.depths, which trains it."
        return _Choice(depth, Confidence.PREDICTED, f"predicted to have {what}, and not trained", add)
    return _Choice(
        None, Confidence.UNDECIDED, "no trained depth is known to be within 1 % of the limit's optimum", deeper
    )


@dataclass(frozen=True)
class _Nearness:
    """From which trained depth on the optimum is near the limit's, or from which it is predicted to be."""

    measured: int | None
    predicted: int | None

    @classmethod
    def of(cls, subject: Subject, measured: MeasuredStudy, advice: Sequence[DepthAdvice]) -> _Nearness:
        """Return what the trained depths tell, and what the advice tells where they do not."""
        standard = next((each for each in advice if each.relative == NEAR), None)
        if standard is None or standard.gap is None:
            return cls(None, None)
        found = Bracket.of(measured_gaps(subject, measured.minima).sizes(), standard.gap).ceiling
        return cls(found, standard.depth)

    @property
    def finding(self) -> Finding | None:
        """What is said of it."""
        if self.measured is not None:
            text = f"The optimum is within 1 % of the limit's from depth {self.measured} on."
            return Finding("optimum", text, holds=True, level=Level.MAIN)
        if self.predicted is not None:
            text = (
                "At no trained depth is the optimum known to be within 1 % of the limit's; it is predicted to be from"
                f" depth {self.predicted} on."
            )
            return Finding("optimum", text, holds=False, level=Level.MAIN)
        return None


def _performance(found: Performance | None) -> Finding | None:
    """Say from which depth on accuracy or R² is the same, and on what."""
    if found is None or not found.rows:
        return None
    where = _DATA[found.data] + ("" if found.data == "validation" else " (none were held out)")
    name, reference = f"{_METRICS[found.metric]} on {where}", _digits(found.reference)
    limit = "in the limit" if found.limit is not None else f"at depth {found.rows[-1].depth}"
    since, untold, last = found.same_from, found.not_told_from, found.rows[-1]
    if since is not None:
        values = {_digits(row.value) for row in found.rows if row.depth >= since}
        text = f"{name} is the same, {reference}, from depth {since} on."
        if values != {reference}:
            text = f"{name} is within {SLIGHT:g} of {reference}, what it is {limit}, from depth {since} on."
        return Finding("performance", text, holds=True, level=Level.MAIN)
    if untold is not None:
        text = (
            f"{found.samples} samples do not tell whether {_lower(name)} changes from depth {untold} on: it is"
            f" {_digits(last.value)} at depth {last.depth}, {reference} {limit}."
        )
        return Finding("performance", text, holds=None, level=Level.MAIN)
    text = f"{name} still changes with depth: it is {_digits(last.value)} at depth {last.depth}, {reference} {limit}."
    return Finding("performance", text, holds=False, level=Level.MAIN)


def _valued(subject: Subject, found: Performance | None, choice: _Choice) -> Answer:
    """Return the answer with what the metric is at the depth and in the limit."""
    answer = Answer(choice.depth, "objective", "train", None, None, choice.confidence, choice.change)
    if found is not None:
        at = found.at(choice.depth)
        return replace(answer, metric=found.metric, data=found.data, at_depth=at, in_the_limit=found.limit)
    objectives = {point.depth: point.solution.objective for point in subject.points}
    limit = None if subject.continuum is None else subject.continuum.solution.objective
    return replace(answer, at_depth=objectives.get(choice.depth or 0), in_the_limit=limit)


def _digits(value: float) -> str:
    """Return a share to four decimals, without the zeros behind it."""
    return f"{round(value, 4) + 0.0:.4f}".rstrip("0").rstrip(".")


def _lower(words: str) -> str:
    return words if words.startswith("R²") else words[0].lower() + words[1:]
