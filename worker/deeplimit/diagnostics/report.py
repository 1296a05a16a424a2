"""All diagnostics of one study."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from worker.deeplimit.diagnostics.advice.depth_advice import DepthAdvice, depth_advice
from worker.deeplimit.diagnostics.measure.assumptions import Assumption, assumptions
from worker.deeplimit.diagnostics.measure.bracket import ExcessRow, lift_excess, recovery_excess
from worker.deeplimit.diagnostics.measure.compactness import CompactnessRow, compactness
from worker.deeplimit.diagnostics.measure.euler_lagrange import EulerLagrange, euler_lagrange
from worker.deeplimit.diagnostics.measure.independent_check import IndependentCheck, independent_check
from worker.deeplimit.diagnostics.measure.minima import Minima, minima
from worker.deeplimit.diagnostics.measure.minimisers import MinimisersRow, against_continuum, consecutive
from worker.deeplimit.diagnostics.measure.regularity import RegularityRow, regularity
from worker.deeplimit.diagnostics.measure.states import SupErrorRow, prediction_errors, state_errors
from worker.deeplimit.diagnostics.sequence.classification import Classification
from worker.deeplimit.diagnostics.sequence.trained_sequence import classify_study
from worker.deeplimit.diagnostics.statements.verdict import Verdict, verdict
from worker.deeplimit.diagnostics.subject import Subject
from worker.deeplimit.study.branch_certificates import Certificates, certify_branch

_CHECK_SECONDS: Final = 20.0
"""Most time for the boundary-value problem."""


@dataclass
class Diagnostics:
    """What needs a continuum is None without one; what needs depths is None or empty without them."""

    data: str
    assumptions: list[Assumption]
    minima: Minima | None
    minimisers: list[MinimisersRow] | None
    consecutive: list[MinimisersRow]
    states: list[SupErrorRow] | None
    predictions: list[SupErrorRow] | None
    recovery: list[ExcessRow] | None
    lift: list[ExcessRow] | None
    verdict: Verdict
    classification: Classification | None = None
    depth_advice: list[DepthAdvice] = field(default_factory=list)
    certificates: Certificates = field(default_factory=Certificates)
    euler_lagrange: EulerLagrange | None = None
    regularity: list[RegularityRow] = field(default_factory=list)
    compactness: list[CompactnessRow] = field(default_factory=list)
    independent_check: IndependentCheck | None = None


def diagnose(
    subject: Subject, checkpoint: Callable[[], None] | None = None, *, deadline: float | None = None
) -> Diagnostics:
    """Compute every diagnostic of the verdict branch.

    Parameters
    ----------
    checkpoint
        Called between diagnostics and inside the long ones; what it raises is passed on.
    deadline
        In seconds of ``time.monotonic``: what is long and optional, certificates, the independent check and what
        compares all pairs of layers to classify, is withheld from then on.
    """
    tick = checkpoint or (lambda: None)
    problem, fit = subject.problem, subject.continuum
    certificates = certify_branch(subject.study.verdict_branch, tick, deadline=deadline)
    subject = replace(subject, certificates=certificates, checkpoint=tick)
    tick()
    found = Diagnostics(
        data=subject.data,
        assumptions=assumptions(subject.problem),
        minima=minima(subject) if subject.points else None,
        minimisers=against_continuum(subject) if subject.points else None,
        consecutive=consecutive(subject),
        states=None,
        predictions=None,
        recovery=None,
        lift=None,
        verdict=Verdict(None, []),
        certificates=certificates,
    )
    tick()
    if fit is not None and found.minimisers is not None:
        tick()
        found.states = state_errors(subject, fit, found.minimisers)
        tick()
        found.predictions = prediction_errors(subject, fit, found.minimisers)
        tick()
        found.recovery = recovery_excess(subject, fit)
        tick()
        found.lift = lift_excess(subject, fit)
        tick()
    for point in subject.points:
        found.regularity.append(regularity(problem, point))
        found.compactness.append(compactness(problem, point, tick))
        tick()
    if fit is not None:
        found.euler_lagrange = euler_lagrange(problem, fit)
        tick()
        left = _CHECK_SECONDS if deadline is None else min(_CHECK_SECONDS, deadline - time.monotonic())
        found.independent_check = independent_check(problem, fit, tick, seconds=left)
    if subject.points:
        found.classification = classify_study(subject, found, deadline=deadline)
        found.depth_advice = depth_advice(subject, found.minima, found.predictions)
    found.verdict = verdict(subject, found)
    return found
