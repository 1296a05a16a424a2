"""A study whose depth is not given but sought: the smallest for a wanted gap or a wanted prediction error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from numpy.typing import ArrayLike

from worker.deeplimit.diagnostics.advice.depth_advice import (
    DepthAdvice,
    DepthCheck,
    Quantity,
    Wanted,
    advise,
    continuum_minimum,
    gap_law,
    prediction_law,
    uncertainty,
)
from worker.deeplimit.diagnostics.advice.error_law import ErrorLaw
from worker.deeplimit.diagnostics.measure.minima import measure_minima
from worker.deeplimit.diagnostics.measure.orders import Observation
from worker.deeplimit.diagnostics.measure.states import prediction_errors
from worker.deeplimit.diagnostics.report import Diagnostics, diagnose
from worker.deeplimit.diagnostics.subject import Subject
from worker.deeplimit.problem.learning_problem import Problem
from worker.deeplimit.study.branch_certificates import certify_branch
from worker.deeplimit.study.branches import BranchPoint
from worker.deeplimit.study.continuum_fit import ContinuumOptions
from worker.deeplimit.study.deepen import add_depth
from worker.deeplimit.study.progress import ProgressObserver, StudyProgress, diagnostics_checkpoint
from worker.deeplimit.study.sweep import run_study
from worker.deeplimit.study.training import Training
from worker.deeplimit.trained_study import TrainedStudy, subject_of

LADDER: Final = (8, 16, 32)
"""Depths that predict the one that is sought."""
DEEPEST_TRAINED: Final = 4096
"""The deepest network that is trained unless another limit is given."""
_UNDECIDED: Final = 1.0
"""A measured error that is known less well than this share of its distance from the wanted one decides nothing."""


def train_for_error(
    problem: Problem,
    wanted: Wanted,
    ladder: Sequence[int] = LADDER,
    continuum: ContinuumOptions | None = ContinuumOptions(),  # noqa: B008 - frozen, shared safely
    training: Training | None = None,
    *,
    most_depth: int = DEEPEST_TRAINED,
    validation_inputs: ArrayLike | None = None,
    prediction_scale: ArrayLike | None = None,
    observer: ProgressObserver | None = None,
) -> TrainedStudy:
    """Train a ladder of depths, predict from it the depth for a wanted gap or prediction error, and train there.

    Parameters
    ----------
    wanted
        What the sought network is to achieve: |E_n* − E_∞*|, absolute; or the largest deviation of its predictions from
        the continuum's, over the validation inputs or else the training inputs, in the user's units.
    ladder
        Depths to predict from, strictly increasing. The random starts are trained at the first, which should be coarse;
        the last two give the second term of the prediction.
    continuum, training, validation_inputs, prediction_scale, observer
        As for `train`.
    most_depth
        The deepest network to train.

    Returns
    -------
    TrainedStudy
        ``diagnostics.depth_advice`` begins with what was wanted and what training at the advised depth found.

    Raises
    ------
    ValueError
        If a prediction error is wanted without a continuum to be near to, or depths or shapes do not fit.
    """
    if wanted.quantity is Quantity.PREDICTION_ERROR and continuum is None:
        raise ValueError("a prediction error is a deviation from a continuum model, which is not trained")
    training = training or Training()
    deadline = training.deadline()
    study = run_study(problem, ladder, continuum, training, _part(observer, 0.0, 0.5))
    checkpoint = diagnostics_checkpoint(_part(observer, 0.0, 0.5), *study.verdict_branch.last)
    certificates = certify_branch(study.verdict_branch, checkpoint, deadline=deadline)
    subject = replace(subject_of(study, validation_inputs, prediction_scale), certificates=certificates)
    law = _law(subject, wanted.quantity)
    depth = None if law is None else law.depth_for(wanted.error)
    if depth is not None:
        add_depth(study, min(depth, most_depth), training, deadline=deadline, observer=_part(observer, 0.5, 1.0))
        # The points of a subject are read once: the deeper network needs a new one.
        subject = replace(subject)
    checkpoint = diagnostics_checkpoint(_part(observer, 1.0, 1.0), *study.verdict_branch.last)
    diagnostics = diagnose(subject, checkpoint, deadline=deadline)
    subject = replace(subject, certificates=diagnostics.certificates)
    advice = [_asked(subject, diagnostics, wanted, law, most_depth), *diagnostics.depth_advice]
    return TrainedStudy(study, replace(diagnostics, depth_advice=advice))


def _law(subject: Subject, quantity: Quantity) -> ErrorLaw | None:
    """Return how the wanted quantity falls with depth, as far as the ladder tells."""
    if quantity is Quantity.GAP:
        return gap_law(subject, measure_minima(subject))
    if subject.continuum is None:
        return None
    return prediction_law(subject, prediction_errors(subject))


def _asked(
    subject: Subject, diagnostics: Diagnostics, wanted: Wanted, law: ErrorLaw | None, most_depth: int
) -> DepthAdvice:
    """Return the advice for what was wanted, by the ladder alone, with its check."""
    by_gap = wanted.quantity is Quantity.GAP
    advice = advise(wanted, law, prediction_law(subject, diagnostics.predictions) if by_gap else law)
    words = wanted.quantity.words
    if law is None:
        reason = subject.unfit(subject.points[-1])
        detail = f"no trained model predicts the {words}"
        return replace(advice, check=DepthCheck(detail=detail if reason is None else f"{detail}: {reason}"))
    if advice.depth is None:
        return replace(advice, check=DepthCheck(detail=f"no depth that can be counted meets the {words}"))
    trained = min(advice.depth, most_depth)
    return replace(advice, check=_check(subject, diagnostics, wanted, trained, advice.depth))


def _check(subject: Subject, diagnostics: Diagnostics, wanted: Wanted, trained: int, advised: int) -> DepthCheck:
    point = next(point for point in subject.points if point.depth == trained)
    measured = {
        Quantity.GAP: _gap(subject, diagnostics, point),
        Quantity.PREDICTION_ERROR: _prediction_error(subject, diagnostics, point),
    }
    asked = measured[wanted.quantity]
    details = [f"depth {advised} is over the limit of {trained}"] if trained < advised else []
    if asked.reason is not None:
        details.append(asked.reason)
    met = None
    if asked.value is not None:
        size = abs(asked.value)
        met = size <= wanted.error
        if asked.error > _UNDECIDED * abs(size - wanted.error):
            met = None
            words = wanted.quantity.words
            details.append(
                f"the estimated error of the {words} is larger than its distance from the wanted one:"
                " smaller tolerances may tell"
            )
    again = _again(subject, diagnostics, wanted)
    # The law is of the finest depths: a prediction at or below what was measured to miss is none.
    if met is False and not details and again is not None and again > trained:
        details.append(f"with the depth that was trained now, depth {again} is predicted")
    return DepthCheck(
        depth=trained,
        gap=measured[Quantity.GAP].value,
        prediction_error=measured[Quantity.PREDICTION_ERROR].value,
        met=met,
        detail="; ".join(details) or None,
    )


def _again(subject: Subject, diagnostics: Diagnostics, wanted: Wanted) -> int | None:
    """Return the depth that is predicted by what training at the advised one diagnostics."""
    if wanted.quantity is Quantity.GAP:
        law = gap_law(subject, diagnostics.minima)
    else:
        law = prediction_law(subject, diagnostics.predictions)
    return None if law is None else law.depth_for(wanted.error)


def _gap(subject: Subject, diagnostics: Diagnostics, point: BranchPoint) -> Observation:
    """Return E_n* − E_∞* at a depth; without a continuum its limit is extrapolated."""
    error, table = subject.objective_error(point), diagnostics.minima
    if table is None:
        return Observation(point.depth, None, error)
    row, reason = next(row for row in table.depths if row.depth == point.depth), subject.unfit(point)
    # A gap near 0 is withheld from the table, where it is to have digits; here it is only to be below a number.
    limit = continuum_minimum(table, gap_law(subject, table))
    value = None if limit is None or reason is not None else row.objective - limit
    return Observation(point.depth, value, error, reason)


def _prediction_error(subject: Subject, diagnostics: Diagnostics, point: BranchPoint) -> Observation:
    """Return the largest deviation of predictions from the continuum's at a depth; there is none without one."""
    row = next((row for row in diagnostics.predictions or [] if row.depth == point.depth), None)
    if row is None:
        return Observation(point.depth, None, 0.0)
    reason = subject.unfit(point)
    return Observation(point.depth, row.sup_error if reason is None else None, uncertainty(row), reason)


def _part(observer: ProgressObserver | None, start: float, end: float) -> ProgressObserver | None:
    """Return an observer whose fractions fill only a part of the whole."""
    if observer is None:
        return None
    whole = observer

    def observe(at: StudyProgress) -> None:
        whole(replace(at, fraction=start + (end - start) * at.fraction))

    return observe
