"""All diagnostics of one study, in stages: measurements, the class of the sequence, advice, the verdict in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from deeplimit.mathematics.diagnostics.advice.depth_advice import advise_standard_gaps
from deeplimit.mathematics.diagnostics.advice.wanted import DepthAdvice
from deeplimit.mathematics.diagnostics.measured import MeasuredStudy, measure
from deeplimit.mathematics.diagnostics.sequence.classification import Classification
from deeplimit.mathematics.diagnostics.sequence.study_class import classify_study
from deeplimit.mathematics.diagnostics.statements.verdict import Verdict, reach_verdict
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.diagnostics.work import ADVICE, CERTIFICATES, CLASSIFICATION, VERDICT
from deeplimit.mathematics.study.branch_certificates import certify_branch
from deeplimit.mathematics.study.progress import begin_part


@dataclass(frozen=True)
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
        In seconds of ``time.monotonic``: what is long and optional, certificates, the independent check and what
        compares all pairs of layers to classify, is withheld from then on.
    advise_asked
        Gives the advice for an error that the study was asked for, which comes first and is what the answer is about.
    """
    tick = checkpoint or (lambda: None)
    begin_part(tick, CERTIFICATES)
    certificates = certify_branch(subject.study.verdict_branch, tick, deadline=deadline)
    subject = replace(subject, certificates=certificates, checkpoint=tick, deadline=deadline)
    measured = measure(subject, MeasuredStudy)
    begin_part(tick, CLASSIFICATION)
    classification = classify_study(subject, measured) if subject.points else None
    begin_part(tick, ADVICE)
    advice = advise_standard_gaps(subject, measured.minima, measured.predictions) if subject.points else []
    asked = None if advise_asked is None else advise_asked(subject, measured)
    begin_part(tick, VERDICT)
    return Diagnostics(
        **{part.name: getattr(measured, part.name) for part in fields(measured)},
        classification=classification,
        depth_advice=advice if asked is None else [asked, *advice],
        verdict=reach_verdict(subject, measured, classification, advice, asked),
    )
