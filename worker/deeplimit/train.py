"""Train a study and diagnose it: the one call that a script or a worker makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from worker.deeplimit.continuum import ContinuumOptions
from worker.deeplimit.diagnostics.report import Diagnostics, diagnose
from worker.deeplimit.diagnostics.subject import Subject
from worker.deeplimit.problem import Problem
from worker.deeplimit.progress import TRAINED, ProgressObserver, StudyProgress
from worker.deeplimit.study import Study, Training, run_study


@dataclass(frozen=True)
class TrainedStudy:
    """The trained models of every branch, and what they say about the theorem."""

    study: Study
    diagnostics: Diagnostics


def train(
    problem: Problem,
    depths: Sequence[int] = (8, 16, 32, 64),
    continuum: ContinuumOptions | None = ContinuumOptions(),  # noqa: B008 - frozen, shared safely
    training: Training | None = None,
    *,
    validation_inputs: ArrayLike | None = None,
    prediction_scale: ArrayLike | None = None,
    observer: ProgressObserver | None = None,
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
    prediction_scale
        (m,) factors from scaled targets back to the user's units.
    observer
        Called after every accepted step; raising from it stops the study and passes the exception on.

    Returns
    -------
    TrainedStudy
        A model that did not converge is a result with a status.

    Raises
    ------
    ValueError
        If depths or shapes do not fit.
    """
    study = run_study(problem, depths, continuum, training or Training(), observer)
    inputs = problem.x if validation_inputs is None else problem.lift_inputs(validation_inputs)
    subject = Subject(
        study=study,
        inputs=inputs,
        data="train" if validation_inputs is None else "validation",
        prediction_scale=None if prediction_scale is None else problem.tensor(prediction_scale),
    )
    return TrainedStudy(study, diagnose(subject, None if observer is None else lambda: observer(_diagnosing(study))))


def _diagnosing(study: Study) -> StudyProgress:
    """Return the progress of a study whose models are all trained."""
    branch = study.verdict_branch
    model = "continuum" if branch.continuum is not None else f"discrete-{branch.latest.depth}"
    solution = branch.continuum.solution if branch.continuum is not None else branch.latest.solution
    return StudyProgress("diagnostics", model, solution.iterations, solution.objective, solution.gradient_norm, TRAINED)
