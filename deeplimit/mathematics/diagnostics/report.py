"""All diagnostics of one study, in stages: measurements, the class of the sequence, advice, the verdict in words."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Final, TypeVar

from deeplimit.mathematics.diagnostics.advice.depth_advice import advise_standard_gaps
from deeplimit.mathematics.diagnostics.advice.wanted import DepthAdvice
from deeplimit.mathematics.diagnostics.measured import OUT_OF_TIME, MeasuredStudy, measure
from deeplimit.mathematics.diagnostics.sequence.classification import Classification
from deeplimit.mathematics.diagnostics.sequence.study_class import classify_study
from deeplimit.mathematics.diagnostics.statements.verdict import Verdict, reach_verdict
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.diagnostics.work import ADVICE, CERTIFICATES, CLASSIFICATION, VERDICT
from deeplimit.mathematics.study.branch_certificates import certify_branch
from deeplimit.mathematics.study.progress import begin_part
from deeplimit.mathematics.watch import GRACE, OutOfTimeError, until

_ADVISED_BY: Final = frozenset({"minima", "predictions"})
"""What depths are advised by."""
_Part = TypeVar("_Part")


@dataclass(frozen=True, kw_only=True)
class Diagnostics(MeasuredStudy):
    """What was measured, and what follows from it; without depths there is no class and no advice."""

    classification: Classification | None
    depth_advice: list[DepthAdvice]
    verdict: Verdict


def diagnose(
    subject: Subject,
    checkpoint: Callable[[], None] | None = None,
    *,
    deadline: float | None = None,
    advise_asked: Callable[[Subject, MeasuredStudy], DepthAdvice] | None = None,
) -> Diagnostics:
    """Compute every diagnostic of the verdict branch.

    Parameters
    ----------
    checkpoint
        Called between diagnostics and inside the long ones; what it raises is passed on.
    deadline
        In seconds of ``time.monotonic``: what is long and optional, certificates, Newton steps, the independent check
        and what compares all pairs of layers to classify, is withheld from then on, and everything `GRACE` later, or at
        once where there was not even the time to evaluate every model.
    advise_asked
        Gives the advice for an error that the study was asked for, which comes first and is what the answer is about.
    """
    tick = checkpoint or (lambda: None)
    begin_part(tick, CERTIFICATES)
    certificates = certify_branch(subject.study.verdict_branch, tick, deadline=deadline)
    subject = replace(subject, certificates=certificates, checkpoint=tick, deadline=deadline)
    with until(None if deadline is None else deadline + (GRACE if _evaluated(subject) else 0.0)):
        measured = measure(subject, MeasuredStudy)
        stages = _Stages(tick, dict(measured.withheld))
        classification = stages.made(CLASSIFICATION, lambda: _class_of(subject, measured))
        if stages.withheld.keys() & _ADVISED_BY:
            stages.withheld[ADVICE] = OUT_OF_TIME
        advice = stages.made(ADVICE, lambda: _advice(subject, measured, advise_asked))
        asked, standard = advice or (None, [])

        def verdict() -> Verdict:
            known = replace(measured, withheld=stages.withheld)
            return reach_verdict(subject, known, classification, standard, asked)

        with suppress(OutOfTimeError):
            begin_part(tick, VERDICT)
        try:
            reached = verdict()
        except OutOfTimeError:
            # It would have measured what decides; where something is withheld it does not.
            stages.withheld[VERDICT] = OUT_OF_TIME
            reached = verdict()
    parts = {part.name: getattr(measured, part.name) for part in fields(measured)}
    return Diagnostics(
        **parts | {"withheld": stages.withheld},
        classification=classification,
        depth_advice=standard if asked is None else [asked, *standard],
        verdict=reached,
    )


class _Stages:
    """The stages after the measurements; ``withheld`` holds the parts that there was no time for."""

    def __init__(self, checkpoint: Callable[[], None], withheld: dict[str, str]) -> None:
        self._checkpoint, self.withheld = checkpoint, withheld

    def made(self, part: str, make: Callable[[], _Part]) -> _Part | None:
        """Return what is made, or None where it is withheld."""
        try:
            begin_part(self._checkpoint, part)
            return None if part in self.withheld else make()
        except OutOfTimeError:
            self.withheld[part] = OUT_OF_TIME
            return None


def _evaluated(subject: Subject) -> bool:
    """Whether every model was evaluated."""
    limit = subject.continuum
    evaluated = all(point.solution.evaluated for point in subject.points)
    return evaluated and (limit is None or limit.solution.evaluated)


def _class_of(subject: Subject, measured: MeasuredStudy) -> Classification | None:
    return classify_study(subject, measured) if subject.points else None


def _advice(
    subject: Subject,
    measured: MeasuredStudy,
    advise_asked: Callable[[Subject, MeasuredStudy], DepthAdvice] | None,
) -> tuple[DepthAdvice | None, list[DepthAdvice]]:
    """Return the advice for what was asked, if anything was, and for the standard gaps."""
    standard = advise_standard_gaps(subject, measured.minima, measured.predictions) if subject.points else []
    return None if advise_asked is None else advise_asked(subject, measured), standard
