"""Train a study and diagnose it: the one call that a script or a worker makes."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from numpy.typing import ArrayLike

from deeplimit.mathematics.diagnostics.report import Diagnostics, diagnose
from deeplimit.mathematics.diagnostics.resolution import wanted_share_of_errors
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.diagnostics.work import CERTIFICATES, counted_checkpoint, expected_diagnostics
from deeplimit.mathematics.kernels.tableau import RK4
from deeplimit.mathematics.problem.learning_problem import Problem
from deeplimit.mathematics.study.branch_certificates import certify_branch
from deeplimit.mathematics.study.continuum_fit import ContinuumOptions
from deeplimit.mathematics.study.expected_work import of_sharpening_after
from deeplimit.mathematics.study.progress import Meter, ProgressObserver, Stage, begin_part
from deeplimit.mathematics.study.sharpen import Tolerances, sharpen
from deeplimit.mathematics.study.sweep import Study, run_study
from deeplimit.mathematics.study.training import Coarse, Training
from deeplimit.mathematics.watch import OutOfTimeError, until

_MOST_TIMES: Final = 2
"""A branch is minimised on this often."""


@dataclass(frozen=True, repr=False)
class TrainedStudy:
    """The trained models of every branch, and what they say about the theorem."""

    study: Study
    diagnostics: Diagnostics

    def __repr__(self) -> str:
        depths = ", ".join(map(str, sorted(self.study.verdict_branch.points))) or "none"
        return f"<TrainedStudy, depths {depths}: {self.diagnostics.verdict.summary}>"

    def _repr_html_(self) -> str:
        """Return the verdict's summary and the minima of every depth, as a table for notebooks."""
        minima = self.diagnostics.minima
        rows = [] if minima is None else minima.depths
        limit = None if minima is None else minima.continuum
        table = [["n", "E_n", "gap", "order", "n·gap"]]
        table += [[f"{row.depth}", *map(_short, (row.objective, row.gap, row.order, row.slope))] for row in rows]
        table += [] if limit is None else [["∞", _short(limit), "", "", ""]]
        lines = ("".join(f"<td>{cell}</td>" for cell in line) for line in table)
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        return f"<p>{html.escape(self.diagnostics.verdict.summary)}</p><table>{body}</table>"


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def train(
    problem: Problem,
    depths: Sequence[int] = (8, 16, 32, 64),
    continuum: ContinuumOptions | None = ContinuumOptions(),  # noqa: B008 - frozen, shared safely
    training: Training | None = None,
    *,
    validation_inputs: ArrayLike | None = None,
    validation_targets: ArrayLike | None = None,
    prediction_scale: ArrayLike | None = None,
    observer: ProgressObserver | None = None,
    deadline: float | None = None,
) -> TrainedStudy:
    """Train the residual networks of every depth and their continuum limit, and measure the convergence.

    Parameters
    ----------
    problem
        Data, activation, loss and regularisation.
    depths
        Strictly increasing, each ≥ 2; empty for the continuum alone.
    continuum
        How E_∞ is sought; None leaves the continuum out.
    training
        Tolerances, starts and limits.
    validation_inputs
        (S', f) inputs on which predictions are compared; by default the training inputs.
    validation_targets
        Of the validation inputs, as the problem takes targets: the answer is then about accuracy or R² on them.
    prediction_scale
        (m,) factors from scaled targets back to the user's units.
    observer
        Called after every accepted step and throughout the diagnostics; raising from it stops the study and passes the
        exception on.
    deadline
        In seconds of ``time.monotonic``; by default the training's wall time from now.

    Returns
    -------
    TrainedStudy
        A model that did not converge is a result with a status.

    Raises
    ------
    ValueError
        If depths or shapes do not fit.
    """
    training = training or Training()
    deadline = training.deadline() if deadline is None else deadline
    meter = Meter(observer)
    limit = continuum is not None
    meter.expect(Stage.DIAGNOSTICS, expected_diagnostics(problem, depths, continuum=limit))
    if training.sharpen and problem.smooth:
        meter.expect(Stage.SHARPENING, of_sharpening_after(training.gradient_tolerance, depths, continuum=limit))
    study = run_study(problem, depths, continuum, training, meter, deadline=deadline)
    subject = subject_of(study, validation_inputs, prediction_scale, validation_targets)
    subject = sharpened(subject, training, continuum, deadline=deadline, observer=meter)
    checkpoint = diagnostics_checkpoint(meter, study, judged=training.sharpen and problem.smooth)
    diagnostics = diagnose(subject, checkpoint, deadline=deadline)
    study.forget_curvature()
    return TrainedStudy(study, diagnostics)


def subject_of(
    study: Study,
    validation_inputs: ArrayLike | None,
    prediction_scale: ArrayLike | None,
    validation_targets: ArrayLike | None = None,
) -> Subject:
    """Return what is diagnosed of a study, from what `train` takes."""
    problem = study.problem
    return Subject(
        study=study,
        inputs=problem.x if validation_inputs is None else problem.lift_inputs(validation_inputs),
        data="train" if validation_inputs is None else "validation",
        targets=None
        if validation_inputs is None or validation_targets is None
        else problem.lift_targets(validation_targets),
        prediction_scale=None if prediction_scale is None else problem.tensor(prediction_scale),
    )


def diagnostics_checkpoint(meter: Meter, study: Study, *, judged: bool = False) -> Callable[[], None]:
    """Return a checkpoint that counts the diagnostics of a study's verdict branch; ``judged`` as for what it calls."""
    return counted_checkpoint(meter, study.verdict_branch, judged=judged)


def sharpened(
    subject: Subject,
    training: Training,
    continuum: ContinuumOptions | None,
    *,
    deadline: float | None = None,
    observer: ProgressObserver | Meter | None = None,
) -> Subject:
    """Minimise the verdict branch on until its orders are not hidden by its errors, as far as that is to be had.

    Parameters
    ----------
    training, continuum
        What the study was trained with; every model may take its iterations once more, each time.

    Returns
    -------
    Subject
        The same study, with the tolerances that it was minimised to at last.
    """
    branch, problem = subject.study.verdict_branch, subject.problem
    tolerances = Tolerances.asked(training, continuum)
    meter = Meter.of(observer)
    checkpoint = diagnostics_checkpoint(meter, subject.study)
    for _ in range(_MOST_TIMES):
        certificates = certify_branch(branch, checkpoint, deadline=deadline)
        subject = replace(
            subject, certificates=certificates, checkpoint=checkpoint, tolerances=tolerances, deadline=deadline
        )
        sharpens = training.sharpen and training.coarse is Coarse.TOLERANCE and problem.smooth
        try:
            with until(deadline):
                begin_part(checkpoint, CERTIFICATES)
                share = wanted_share_of_errors(subject) if sharpens else 1.0
        except OutOfTimeError:
            break
        sharper = tolerances.times(share, problem)
        meter.expect(Stage.SHARPENING, 0.0)
        if sharper == tolerances or subject.late:
            break
        checkpoint = diagnostics_checkpoint(meter, subject.study)
        refine = math.ceil(share ** (-1.0 / RK4.order))
        sharpen(problem, branch, sharper, training, continuum, refine, deadline=deadline, observer=meter)
        tolerances = sharper
    return replace(subject, tolerances=tolerances)
