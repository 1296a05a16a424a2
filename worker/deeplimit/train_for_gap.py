"""A study whose depth is not given but sought: the smallest at which E_n* is within a wanted gap of E_∞*."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from numpy.typing import ArrayLike

from worker.deeplimit.continuum import ContinuumOptions
from worker.deeplimit.deepen import deepen
from worker.deeplimit.diagnostics.depth_advice import (
    DepthAdvice,
    ErrorLaw,
    GapCheck,
    advise,
    continuum_minimum,
    gap_law,
    prediction_law,
)
from worker.deeplimit.diagnostics.minima import minima
from worker.deeplimit.diagnostics.report import Diagnostics, diagnose
from worker.deeplimit.diagnostics.subject import Subject
from worker.deeplimit.problem import Problem
from worker.deeplimit.progress import ProgressObserver, StudyProgress, diagnostics_checkpoint
from worker.deeplimit.study import run_study
from worker.deeplimit.train import TrainedStudy
from worker.deeplimit.training import Training

LADDER: Final = (8, 16, 32)
"""Depths that predict the one that is sought."""
MOST_DEPTH: Final = 4096
_UNDECIDED: Final = 1.0
"""A measured gap with a larger error, beside its distance from the wanted one, is neither met nor missed."""


def train_for_gap(
    problem: Problem,
    gap: float,
    ladder: Sequence[int] = LADDER,
    continuum: ContinuumOptions | None = ContinuumOptions(),  # noqa: B008 - frozen, shared safely
    training: Training | None = None,
    *,
    most_depth: int = MOST_DEPTH,
    validation_inputs: ArrayLike | None = None,
    prediction_scale: ArrayLike | None = None,
    observer: ProgressObserver | None = None,
) -> TrainedStudy:
    """Train a ladder of depths, take C₁ from it, and train at the depth that it advises for a wanted gap.

    Parameters
    ----------
    gap
        Wanted |E_n* − E_∞*|, absolute.
    ladder
        Depths to predict from, strictly increasing; four times each random start at the coarsest is cheap there.
    continuum, training, validation_inputs, prediction_scale, observer
        As for `train`.
    most_depth
        The deepest network to train.

    Returns
    -------
    TrainedStudy
        ``diagnostics.depth_advice`` begins with the wanted gap and what training at the advised depth found.

    Raises
    ------
    ValueError
        If the gap is not positive, or depths or shapes do not fit.
    """
    if not gap > 0.0:
        raise ValueError("the wanted gap must be positive")
    training = training or Training()
    deadline = None if training.wall_time_s is None else time.monotonic() + training.wall_time_s
    study = run_study(problem, ladder, continuum, training, _part(observer, 0.0, 0.5))
    inputs = problem.x if validation_inputs is None else problem.lift_inputs(validation_inputs)
    scale = None if prediction_scale is None else problem.tensor(prediction_scale)
    data = "train" if validation_inputs is None else "validation"
    subject = Subject(study=study, inputs=inputs, data=data, prediction_scale=scale)
    law = gap_law(subject, minima(subject))
    depth = None if law is None else law.depth_for(gap)
    if depth is not None:
        deepen(study, min(depth, most_depth), training, deadline=deadline, observer=_part(observer, 0.5, 1.0))
        # The points of a subject are read once: the deeper network needs a new one.
        subject = replace(subject)
    checkpoint = diagnostics_checkpoint(_part(observer, 1.0, 1.0), *study.verdict_branch.last)
    found = diagnose(subject, checkpoint, deadline=deadline)
    found.depth_advice = [_asked(subject, found, gap, law, most_depth), *found.depth_advice]
    return TrainedStudy(study, found)


def _asked(subject: Subject, found: Diagnostics, gap: float, law: ErrorLaw | None, most_depth: int) -> DepthAdvice:
    if law is None:
        return DepthAdvice(gap, None, "", check=GapCheck(None, None, None, "no trained model predicts the gap"))
    advice = advise(gap, law, prediction_law(subject, found.predictions))
    if advice.depth is None:
        return replace(advice, check=GapCheck(None, None, None, "no depth that can be counted meets the gap"))
    return replace(advice, check=_check(subject, found, gap, min(advice.depth, most_depth), advice.depth))


def _check(subject: Subject, found: Diagnostics, gap: float, trained: int, advised: int) -> GapCheck:
    table, point = found.minima, next(p for p in subject.points if p.depth == trained)
    limited = None
    if trained < advised:
        limited = f"depth {advised} is over the limit of {trained}"
    if table is None:
        return GapCheck(trained, None, None, limited)
    row = next(row for row in table.depths if row.depth == trained)
    measured, reason = row.gap, row.withheld.get("gap")
    if subject.continuum is None and reason is None:
        reason = subject.unfit(point)
        limit = continuum_minimum(table, gap_law(subject, table))
        measured = None if limit is None or reason is not None else row.objective - limit
    details = [text for text in (limited, reason) if text]
    met = None
    if measured is not None:
        met = abs(measured) <= gap
        if subject.objective_error(point) > _UNDECIDED * abs(abs(measured) - gap):
            met = None
            details.append("the estimated error of the gap is larger than its distance from the wanted one")
    return GapCheck(trained, measured, met, "; ".join(details) or None)


def _part(observer: ProgressObserver | None, start: float, end: float) -> ProgressObserver | None:
    """Return an observer whose fractions fill only a part of the whole."""
    if observer is None:
        return None
    whole = observer

    def observe(at: StudyProgress) -> None:
        whole(replace(at, fraction=start + (end - start) * at.fraction))

    return observe
