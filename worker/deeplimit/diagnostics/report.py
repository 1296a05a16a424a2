"""All diagnostics of one study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from worker.deeplimit.diagnostics.assumptions import Assumption, assumptions
from worker.deeplimit.diagnostics.bracket import ExcessRow, lift_excess, recovery_excess
from worker.deeplimit.diagnostics.minima import Minima, minima
from worker.deeplimit.diagnostics.minimisers import MinimisersRow, against_continuum, consecutive
from worker.deeplimit.diagnostics.states import SupErrorRow, prediction_errors, state_errors
from worker.deeplimit.diagnostics.subject import Subject
from worker.deeplimit.diagnostics.verdict import Verdict, verdict


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


def diagnose(subject: Subject, checkpoint: Callable[[], None] | None = None) -> Diagnostics:
    """Compute every diagnostic of the verdict branch.

    ``checkpoint`` is called between diagnostics; raising from it stops them.
    """
    pause = checkpoint or (lambda: None)
    pause()
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
    )
    fit = subject.continuum
    if fit is not None and found.minimisers is not None:
        pause()
        found.states = state_errors(subject, fit, found.minimisers)
        pause()
        found.predictions = prediction_errors(subject, fit, found.minimisers)
        pause()
        found.recovery = recovery_excess(subject, fit)
        pause()
        found.lift = lift_excess(subject, fit)
    found.verdict = verdict(subject, found)
    return found
