"""A study whose depth is not given but sought: the smallest for a wanted gap or a wanted prediction error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from numpy.typing import ArrayLike

from deeplimit.mathematics.diagnostics.advice.depth_advice import Bracket, advise, predict
from deeplimit.mathematics.diagnostics.advice.error_law import LEAST_DEPTH
from deeplimit.mathematics.diagnostics.advice.measured_errors import (
    MeasuredErrors,
    Size,
    measured_gaps,
    measured_predictions,
)
from deeplimit.mathematics.diagnostics.advice.wanted import DepthAdvice, DepthCheck, Quantity, Wanted
from deeplimit.mathematics.diagnostics.measure.minima import measure_minima
from deeplimit.mathematics.diagnostics.measure.states import prediction_errors
from deeplimit.mathematics.diagnostics.measured import MeasuredStudy
from deeplimit.mathematics.diagnostics.report import diagnose
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.diagnostics.work import CERTIFICATES, expected_diagnostics
from deeplimit.mathematics.problem.learning_problem import Problem
from deeplimit.mathematics.study.branch_certificates import certify_branch
from deeplimit.mathematics.study.continuum_fit import ContinuumOptions
from deeplimit.mathematics.study.deepen import add_depth
from deeplimit.mathematics.study.expected_work import of_certificate
from deeplimit.mathematics.study.progress import Meter, ProgressObserver, Stage, begin_part
from deeplimit.mathematics.study.sweep import run_study
from deeplimit.mathematics.study.training import Training
from deeplimit.mathematics.trained_study import TrainedStudy, diagnostics_checkpoint, sharpened, subject_of
from deeplimit.mathematics.watch import OutOfTimeError, passed, until

LADDER: Final = (8, 16, 32)
"""Depths that predict the one that is sought."""
DEEPEST_TRAINED: Final = 4096
"""The deepest network that is trained unless another limit is given."""
LAYERS_IN_ALL: Final = 2
"""Layers that are trained on the way and at the end, all together, beside the deepest that may be."""
_MOST_ADDED: Final = 16
_SEARCHED: Final = 2.0
"""Layers that a search is expected to train, beside those of its ladder."""
_FINEST_TOLERANCE: Final = 1e-12
"""Of the continuum's minimum: rounding hides what is below."""
_DECISIVE: Final = 1.2
"""Errors of a measured number that are taken off what is wanted for a depth that is sure to be decided."""


def train_for_error(
    problem: Problem,
    wanted: Wanted,
    ladder: Sequence[int] = LADDER,
    continuum: ContinuumOptions | None = ContinuumOptions(),  # noqa: B008 - frozen, shared safely
    training: Training | None = None,
    *,
    most_depth: int = DEEPEST_TRAINED,
    validation_inputs: ArrayLike | None = None,
    validation_targets: ArrayLike | None = None,
    prediction_scale: ArrayLike | None = None,
    observer: ProgressObserver | None = None,
    deadline: float | None = None,
) -> TrainedStudy:
    """Train a ladder of depths, predict from it the depth for a wanted gap or prediction error, and train there.

    A ladder that does not tell is made deeper, or coarser where its first depth is enough; what was trained is then
    part of it. The search ends when a trained depth is the one that is predicted, or at a limit.

    Parameters
    ----------
    wanted
        What the sought network is to achieve: |E_n* − E_∞*|, absolute; or the largest deviation of its predictions from
        the continuum's, over the validation inputs or else the training inputs, in the user's units.
    ladder
        Depths to predict from, strictly increasing. The random starts are trained at the first, which should be coarse.
    continuum, training, validation_inputs, validation_targets, prediction_scale, observer, deadline
        As for `train`.
    most_depth
        The deepest network to train. Those on the way are together at most as deep again.

    Returns
    -------
    TrainedStudy
        ``diagnostics.depth_advice`` begins with the advice for what was wanted, by all that was trained, and with what
        training at the advised depth found.

    Raises
    ------
    ValueError
        If a prediction error is wanted without a continuum to be near to, or depths or shapes do not fit.
    """
    if wanted.quantity is Quantity.PREDICTION_ERROR and continuum is None:
        raise ValueError("a prediction error is a deviation from a continuum model, which is not trained")
    training = training or Training()
    deadline = training.deadline() if deadline is None else deadline
    if wanted.quantity is Quantity.PREDICTION_ERROR and continuum is not None:
        continuum = _for_predictions(continuum, problem)
    meter = Meter(observer)
    meter.expect(Stage.SEARCH, of_certificate(_SEARCHED * sum(ladder)))
    meter.expect(Stage.DIAGNOSTICS, expected_diagnostics(problem, ladder, continuum=continuum is not None))
    study = run_study(problem, ladder, continuum, training, meter, deadline=deadline)
    subject = subject_of(study, validation_inputs, prediction_scale, validation_targets)
    added: list[int] = []
    stopped: str | None = None
    while True:
        checkpoint = diagnostics_checkpoint(meter, study)
        certificates = certify_branch(study.verdict_branch, checkpoint, deadline=deadline)
        # The points of a subject are read once: a network that was added needs a new one.
        subject = replace(subject, certificates=certificates, checkpoint=checkpoint, deadline=deadline)
        try:
            with until(deadline):
                begin_part(checkpoint, CERTIFICATES)
                depth = _next_depth(wanted, _measured(subject, wanted.quantity), study.depths)
        except OutOfTimeError:
            stopped = "the time limit came before a depth was found"
            break
        if depth is not None:
            depth, stopped = _affordable(depth, added, most_depth, deadline)
        if depth is None or depth in study.depths:
            break
        added.append(depth)
        meter.expect(Stage.SEARCH, 0.0)
        add_depth(study, depth, training, deadline=deadline, observer=meter)
    meter.expect(Stage.SEARCH, 0.0)
    subject = sharpened(subject, training, continuum, deadline=deadline, observer=meter)

    def asked(subject: Subject, measured: MeasuredStudy) -> DepthAdvice:
        return _asked(subject, measured, wanted, stopped)

    checkpoint = diagnostics_checkpoint(meter, study, judged=training.sharpen and problem.smooth)
    diagnostics = diagnose(subject, checkpoint, deadline=deadline, advise_asked=asked)
    study.forget_curvature()
    return TrainedStudy(study, diagnostics)


def _for_predictions(continuum: ContinuumOptions, problem: Problem) -> ContinuumOptions:
    """Return options by which predictions are known as well as minima would be, where polynomials make that cheap.

    A minimum is stationary: parameters that are off by δ move it by δ², and predictions by δ.
    """
    if not problem.smooth or continuum.basis == "piecewise_linear":
        return continuum
    finest = max(continuum.tolerance**2, _FINEST_TOLERANCE)
    return replace(continuum, tolerance=min(continuum.tolerance, finest))


def _measured(subject: Subject, quantity: Quantity) -> MeasuredErrors:
    """Return the wanted quantity at every depth that was trained so far."""
    if quantity is Quantity.GAP:
        return measured_gaps(subject, measure_minima(subject))
    return measured_predictions(subject, prediction_errors(subject))


def _next_depth(wanted: Wanted, measured: MeasuredErrors, trained: Sequence[int]) -> int | None:
    """Return the depth whose training would tell most of the one that is sought, or None when none would."""
    bracket = Bracket.of(measured.sizes(), wanted.error)
    if measured.order is None or not measured.rows or bracket.ceiling == bracket.floor:
        return None
    if bracket.coarsest and bracket.ceiling is not None:
        candidates: list[int | None] = [max(bracket.ceiling // 2, LEAST_DEPTH)]
    else:
        candidates = _candidates(wanted, measured, bracket)
    return next((depth for depth in candidates if depth is not None and depth not in trained), None)


def _candidates(wanted: Wanted, measured: MeasuredErrors, bracket: Bracket) -> list[int | None]:
    """Return depths that would tell more, the best first: what is predicted, and what is sure to decide."""
    predicted, sizes = predict(wanted, measured, bracket), measured.sizes()
    if predicted is not None and predicted.doubt is None and predicted.range.depth == bracket.ceiling:
        return []
    between = None if bracket.ceiling is None else (bracket.floor + bracket.ceiling) // 2
    if predicted is None:
        hopeless = bool(sizes) and sizes[-1].error >= wanted.error
        return [None if hopeless else between or 2 * measured.rows[-1].depth]
    # Where the errors of the numbers leave the depth itself undecided, a deeper one shows that it can be met.
    deciding = None
    left = wanted.error - _DECISIVE * max((size.error for size in sizes[-1:]), default=0.0)
    if bracket.ceiling is None and left > 0.0:
        deciding = predicted.law.depths_for(left, bracket.floor)
    found = None if deciding is None else deciding.depth
    return [predicted.range.depth, found] if predicted.doubt is None else [predicted.remedy, found, between]


def _affordable(
    depth: int, added: Sequence[int], most_depth: int, deadline: float | None
) -> tuple[int | None, str | None]:
    """Return the depth to train in place of the one that is sought, None for none, and what limits it."""
    if passed(deadline):
        return None, f"the time limit came before depth {depth}"
    if len(added) >= _MOST_ADDED or sum(added) + min(depth, most_depth) > LAYERS_IN_ALL * most_depth:
        return None, f"the search ended before depth {depth}: as many layers were trained for it as may be"
    if depth > most_depth:
        return most_depth, f"depth {depth} is over the limit of {most_depth}"
    return depth, None


def _asked(subject: Subject, diagnostics: MeasuredStudy, wanted: Wanted, stopped: str | None) -> DepthAdvice:
    """Return the advice for what was wanted, with what was measured at its depth or else the deepest."""
    measured = {
        Quantity.GAP: measured_gaps(subject, diagnostics.minima),
        Quantity.PREDICTION_ERROR: measured_predictions(subject, diagnostics.predictions),
    }
    asked = measured[wanted.quantity]
    advice = advise(wanted, asked, measured[Quantity.PREDICTION_ERROR])
    if asked.order is None or not asked.rows:
        return replace(advice, check=DepthCheck(detail=advice.withheld["depth"]))
    sizes = asked.sizes()
    depth = _checked_depth(advice, Bracket.of(sizes, wanted.error), sizes, wanted, subject.points[-1].depth)
    gaps = {row.depth: row.values[0] for row in measured[Quantity.GAP].rows}
    limit = measured[Quantity.GAP].limit()
    predictions = {size.depth: size.value for size in measured[Quantity.PREDICTION_ERROR].sizes()}
    size = next((size for size in sizes if size.depth == depth), None)
    met = None if size is None else size.meets(wanted.error)
    reasons = [stopped, subject.unfit(next(point for point in subject.points if point.depth == depth))]
    if size is not None and met is None:
        reasons.append(
            f"the estimated error {size.error:.1e} of the {wanted.quantity.words} is larger than its distance from the"
            " wanted one: smaller tolerances may tell"
        )
    elif advice.depth is None and stopped is None:
        reasons.append(advice.withheld["depth"])
    return replace(
        advice,
        check=DepthCheck(
            depth=depth,
            gap=None if limit is None or depth not in gaps else float(gaps[depth] - limit[0]),
            prediction_error=predictions.get(depth),
            met=met,
            detail="; ".join(reason for reason in reasons if reason is not None) or None,
        ),
    )


def _checked_depth(advice: DepthAdvice, bracket: Bracket, sizes: Sequence[Size], wanted: Wanted, deepest: int) -> int:
    """Return the trained depth that checks the advice: its own where that decides, one that meets, or the last."""
    own = next((size for size in sizes if size.depth == advice.depth), None)
    if own is not None and (own.meets(wanted.error) is not None or bracket.ceiling is None):
        return own.depth
    return bracket.ceiling or deepest
