"""One attempt at a job: train, diagnose, write the artifacts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from service.contract.estimate import Sizes
from service.contract.job import Progress
from service.contract.names import LOSSES, RESULTS, parameters_key, results_path
from service.contract.results import to_json
from service.contract.train import results as contract
from service.contract.train.estimate import deepest_affordable
from service.contract.train.resolved import ResolvedTrainSpec
from service.contract.values.limits import LIMITS
from service.contract.values.media_types import JSON, SAFETENSORS
from worker.deeplimit import train
from worker.deeplimit.depth_search import train_for_error
from worker.execution.problems import continuum_of, learning_of, training_of, wanted_of
from worker.execution.provenance import provenance_of
from worker.execution.threads import suited_threads
from worker.execution.train_diagnostics import diagnostics_of
from worker.execution.train_results import models_of
from worker.executor import Outcome, Stopped, UserError

if TYPE_CHECKING:
    from service.contract.job import ArtifactRef
    from worker.deeplimit import TrainedStudy
    from worker.deeplimit.study.progress import ProgressObserver, StudyProgress
    from worker.execution.problems import Learning
    from worker.executor import JobInput, Report, ShouldStop


def execute(job: JobInput, report: Report, should_stop: ShouldStop) -> Outcome:
    """Train what the job asks for and write its results: a `worker.executor.Executor`."""
    started = time.monotonic()
    spec = ResolvedTrainSpec.model_validate(job.spec)

    def observe(at: StudyProgress) -> None:
        if should_stop():
            raise Stopped
        elapsed = time.monotonic() - started
        report(
            Progress(
                phase=at.phase,
                model=at.model,
                fraction=at.fraction,
                eta_s=elapsed * (1.0 - at.fraction) / at.fraction,
                objective=at.objective,
                gradient_norm=at.gradient_norm,
            )
        )

    learning = learning_of(job, spec)
    with suited_threads(learning.problem):
        trained = _trained(spec, learning, observe)
        models = models_of(learning, trained.study.verdict_branch)
    if not any(model.usable for model in models):
        raise UserError("nothing_usable", "The objective is not finite at any start; scale the data or the start.")
    artifacts: dict[str, ArtifactRef] = {}
    entries = []
    for model in models:
        key = parameters_key(model.name)
        stored = job.artifacts.put(results_path(job.job_id, job.fence, key), model.parameters_file(), SAFETENSORS)
        artifacts[key] = stored
        entries.append(model.result(stored))
    results = contract.ResultsFile(
        models=entries,
        diagnostics=diagnostics_of(trained),
        provenance=provenance_of(
            job,
            seed=spec.training.seed,
            seconds=time.monotonic() - started,
            device=learning.problem.device,
            dtype=spec.training.dtype,
        ),
    )
    losses = contract.Losses(job_id=job.job_id, models=[model.losses() for model in models])
    for key, body in ((RESULTS, results), (LOSSES, losses)):
        artifacts[key] = job.artifacts.put(results_path(job.job_id, job.fence, key), to_json(body), JSON)
    return Outcome(artifacts)


def _trained(spec: ResolvedTrainSpec, learning: Learning, observe: ProgressObserver) -> TrainedStudy:
    """Train the depths that are asked for, or seek the one for a wanted gap or prediction error."""
    problem, scaling = learning.problem, learning.standardisation
    options: dict[str, Any] = {
        "validation_inputs": None if learning.validation is None else learning.validation[0],
        "prediction_scale": None if scaling is None else scaling.target_scale,
        "observer": observe,
    }
    continuum, training, wanted = continuum_of(spec), training_of(spec), wanted_of(spec)
    if wanted is None:
        return train(problem, spec.depths, continuum, training, **options)
    sizes = Sizes(problem.samples + learning.held_out, problem.output_dim)  # as the dry run counts them
    most_depth = deepest_affordable(spec, sizes, LIMITS).depth
    return train_for_error(problem, wanted, spec.depths, continuum, training, most_depth=most_depth, **options)
