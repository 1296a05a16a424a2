"""Why to believe what a study says, or not, in plain words: starts, checks of the optima and of the limit, theory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deeplimit.mathematics.diagnostics.statements.finding import Finding, Level
from deeplimit.mathematics.diagnostics.statements.optimality import agreement
from deeplimit.mathematics.diagnostics.statements.undecided import unfinished
from deeplimit.mathematics.diagnostics.statements.wording import places
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.minimise.certificate import Certificate, Kind

if TYPE_CHECKING:
    from deeplimit.mathematics.diagnostics.measured import MeasuredStudy


def reasons_to_believe(
    subject: Subject, measured: MeasuredStudy, *, covered: bool, summarised: str | None
) -> list[Finding]:
    """Return what supports the study and what does not.

    Parameters
    ----------
    covered
        Whether the theorem is about it.
    summarised
        The reason that the summary gives, which is not said again.
    """
    found = [_starts(subject), _optima(measured), _limit(subject, measured)]
    for each in unfinished(subject):
        if each.reason != summarised:
            text = f"{each.reason[0].upper()}{each.reason[1:]}."
            found.append(Finding("unfinished", text, holds=False, level=Level.MAIN, advice=each.change))
    if not covered:
        text = "No theory covers this specification as it is: what is said here was measured, and is not guaranteed."
        found.append(Finding("not_covered", text, holds=False, level=Level.MAIN))
    return [each for each in found if each is not None]


def _starts(subject: Subject) -> Finding:
    study = subject.study
    led = f"{study.verdict_starts} of {study.starts} random starts led to this optimum"
    if study.starts == 1:
        led = "One random start led to this optimum"
    if not study.verdict_starts:
        led = f"None of {study.starts} random starts led to this optimum: it was found from a higher one"
    if not study.lowest_found:
        return Finding("starts", f"{led}, and a better one is unlikely.", holds=True, level=Level.MAIN)
    advice = f"Raise training.starts above {study.starts}, or set it to auto."
    return Finding("starts", f"{led}; a better one is not excluded.", level=Level.MAIN, advice=advice)


def _optima(measured: MeasuredStudy) -> Finding | None:
    """Say whether small changes of the weights were shown to improve on no model."""
    known = measured.certificates
    every: list[tuple[int | None, Certificate]] = [
        *sorted(known.depths.items()),
        (None, known.continuum or Certificate()),
    ]
    if known.continuum is None:
        every.pop()
    if not every:
        return None
    if any(each.kind is Kind.SADDLE for _, each in every):
        return None  # It is said to be unfinished.
    open_ = [depth for depth, each in every if each.kind is not Kind.STRICT_MINIMUM]
    if not open_:
        text = "Every optimum was checked: no small change of the weights improves on it."
        return Finding("optima_checked", text, holds=True, level=Level.MAIN)
    text = f"It was not shown {_where(open_)} that no small change of the weights improves on the optimum."
    return Finding("optima_checked", text, level=Level.MAIN)


def _where(depths: list[int | None]) -> str:
    numbers = [depth for depth in depths if depth is not None]
    return places(numbers, continuum=None in depths, every=False).replace("in the continuum", "in the limit")


def _limit(subject: Subject, measured: MeasuredStudy) -> Finding | None:
    compared = agreement(subject, measured)
    if compared is None:
        return None
    same = "the same limit" if compared.agrees else "another limit"
    text = f"An independent method, which shares nothing with training but the problem, gives {same}."
    advice = None if compared.agrees else "Lower training.gradient_tolerance and continuum.tolerance."
    return Finding("limit_checked", text, compared.agrees, Level.MAIN, advice)
