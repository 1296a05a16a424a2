"""One attempt at a job: train, diagnose, write the artifacts."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from deeplimit.mathematics import train
from deeplimit.mathematics.depth_search import train_for_error
from deeplimit.mathematics.study.threads import suited_threads
from deeplimit.mathematics.watch import MEASURED_S, watched
from service.contract.estimate import Sizes
from service.contract.job import Progress
from service.contract.names import LOSSES, RESULTS, parameters_key
from service.contract.results import to_json
from service.contract.train import results as contract
from service.contract.train.data_names import DataNames
from service.contract.train.estimate import deepest_affordable
from service.contract.train.resolved import ResolvedTrainSpec
from service.contract.values.limits import LIMITS
from service.contract.values.media_types import JSON
from worker.execution.journal import JobJournal, goes_on_frugal, holds_for
from worker.execution.plots import StudyPlots, prepare_to_draw
from worker.execution.problems import continuum_of, kernel_note, prepare_problem, training_of, wanted_of
from worker.execution.provenance import provenance_of
from worker.execution.train_diagnostics import diagnostics_of
from worker.execution.train_results import trained_models
from worker.executor import Outcome, Stopped, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deeplimit.mathematics import TrainedStudy
    from deeplimit.mathematics.study.progress import ProgressObserver, StudyProgress
    from service.contract.job import ArtifactRef
    from worker.execution.problems import PreparedProblem
    from worker.execution.train_results import TrainedModel
    from worker.executor import JobInput, Report, ShouldStop


TOLD_FROM: Final = 0.05
"""Fraction of the work that has to be done before the time that is left is estimated from it."""
NOTHING_EVALUATED: Final = "The limit of {:g} s came before any model was evaluated once: raise limits.wall_time_s."
NOTHING_USABLE: Final = "The objective is not finite at any start; scale the data or the start."
OF_PLOTS: Final = 0.05
"""Share of the work that plots are, where they are drawn."""


def execute(job: JobInput, report: Report, should_stop: ShouldStop) -> Outcome:
    """Train what the job asks for and write its results: a `worker.executor.Executor`."""
    started = time.monotonic() if job.started is None else job.started
    job = replace(job, frugal=goes_on_frugal(job))
    spec = ResolvedTrainSpec.model_validate(job.spec)
    of_study = 1.0 - OF_PLOTS if spec.plots else 1.0
    prepare_to_draw(spec)

    def check() -> None:
        if should_stop():
            raise Stopped

    remaining = Remaining(started)

    def observe(at: StudyProgress) -> None:
        check()
        fraction = of_study * at.fraction
        report(
            Progress(
                phase=at.phase,
                model=at.model,
                fraction=fraction,
                part=at.part or None,
                eta_s=remaining.seconds(fraction, time.monotonic(), journal.recalled),
                objective=at.objective,
                gradient_norm=at.gradient_norm,
            )
        )

    def plotting(done: int, of: int) -> None:
        check()
        report(Progress(phase="plots", part="drawing", fraction=1.0 - OF_PLOTS * (1.0 - done / of)))

    # What is recalled of earlier attempts takes none of the time.
    deadline = started if job.finish_only else started + spec.limits.wall_time_s
    prepared = prepare_problem(job, spec)
    with suited_threads(prepared.problem) as threads, watched(check):
        journal = JobJournal(job, holds_for(job, prepared.problem, threads))
        with journal.kept():  # to the end, so that whatever breaks it off loses no model
            trained = _trained(spec, prepared, observe, deadline)
            measured_by = max(deadline, time.monotonic()) + MEASURED_S
            models = trained_models(prepared, trained.study.verdict_branch, measured_by)
            if not any(model.evaluated for model in models):
                raise UserError("wall_time_exceeded", NOTHING_EVALUATED.format(spec.limits.wall_time_s))
            if not any(model.usable for model in models):
                raise UserError("nothing_usable", NOTHING_USABLE)
            artifacts = _written(job, spec, prepared, trained, models, started, threads)
            plots = StudyPlots(job, spec, tick=plotting, check=check, deadline=deadline)
            artifacts |= plots.write(trained, prepared)
    return Outcome(artifacts)


def _written(
    job: JobInput,
    spec: ResolvedTrainSpec,
    prepared: PreparedProblem,
    trained: TrainedStudy,
    models: Sequence[TrainedModel],
    started: float,
    threads: int,
) -> dict[str, ArtifactRef]:
    """Write parameters, results and losses."""
    artifacts: dict[str, ArtifactRef] = {}
    entries = []
    for model in models:
        artifacts[parameters_key(model.name)], entry = model.write_parameters(job)
        entries.append(entry)
    names = DataNames.of(spec)
    results = contract.ResultsFile(
        data=contract.StudyData(
            samples=contract.StudySamples(train=prepared.problem.samples, validation=prepared.held_out),
            features=prepared.problem.input_dim,
            inputs=names.inputs,
            targets=names.targets,
            classes=names.classes,
        ),
        models=entries,
        diagnostics=diagnostics_of(trained),
        provenance=provenance_of(
            job,
            seed=spec.training.seed,
            seconds=time.monotonic() - started,
            device=prepared.problem.device,
            dtype=spec.training.dtype,
            threads=threads,
            data_sha256=prepared.data_sha256,
            kernel=prepared.problem.kernel_name,
            kernel_note=kernel_note(spec),
        ),
    )
    losses = contract.Losses(job_id=job.job_id, models=[model.losses() for model in models])
    artifacts[RESULTS] = job.write(RESULTS, to_json(results), JSON)
    artifacts[LOSSES] = job.write(LOSSES, to_json(losses), JSON)
    return artifacts


class Remaining:
    """Tells the seconds that are left, by those that the fraction has risen in since nothing was recalled any more."""

    def __init__(self, started: float) -> None:
        self._since, self._from, self._recalled = started, 0.0, 0

    def seconds(self, fraction: float, now: float, recalled: int) -> float | None:
        """Return the estimate, or None until enough was done to tell.

        What was set up in the first moments is no measure of what is left.
        """
        if recalled != self._recalled:
            self._since, self._from, self._recalled = now, fraction, recalled
        risen = fraction - self._from
        return (now - self._since) * (1.0 - fraction) / risen if risen >= TOLD_FROM else None


def _trained(
    spec: ResolvedTrainSpec, prepared: PreparedProblem, observe: ProgressObserver, deadline: float
) -> TrainedStudy:
    """Train the depths that are asked for, or seek the one for a wanted gap or prediction error."""
    problem, scaling = prepared.problem, prepared.standardisation
    options: dict[str, Any] = {
        "validation_inputs": None if prepared.validation is None else prepared.validation[0],
        "validation_targets": None if prepared.validation is None else prepared.validation[1],
        "prediction_scale": None if scaling is None else scaling.target_scale,
        "observer": observe,
        "deadline": deadline,
    }
    continuum, training, wanted = continuum_of(spec), training_of(spec), wanted_of(spec)
    if wanted is None:
        return train(problem, spec.depths, continuum, training, **options)
    sizes = Sizes(problem.samples + prepared.held_out, problem.output_dim)  # as the dry run counts them
    most_depth = deepest_affordable(spec, sizes, LIMITS).depth
    return train_for_error(problem, wanted, spec.depths, continuum, training, most_depth=most_depth, **options)
