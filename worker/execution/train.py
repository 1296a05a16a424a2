"""One attempt at a job: train, diagnose, write the artifacts."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING

import torch

from service.contract.estimate import Sizes
from service.contract.job import Progress
from service.contract.names import LOSSES, RESULTS, parameters_key, results_path
from service.contract.results import Provenance, to_json
from service.contract.train import results as contract
from service.contract.train.estimate import deepest_affordable
from service.contract.train.resolved import ResolvedTrainSpec, spec_sha256
from service.contract.values.limits import LIMITS
from worker.deeplimit import train
from worker.deeplimit.depth_search import train_for_error
from worker.execution.problems import continuum_of, learning_of, training_of, wanted_of
from worker.execution.threads import suited_threads
from worker.execution.train_diagnostics import diagnostics_of
from worker.execution.train_results import models_of
from worker.executor import JobInput, Outcome, Stopped, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.contract.job import ArtifactRef
    from worker.deeplimit import TrainedStudy
    from worker.deeplimit.study.progress import ProgressObserver, StudyProgress
    from worker.execution.problems import Learning

_JSON = "application/json"
_SAFETENSORS = "application/vnd.safetensors"


def execute(job: JobInput, report: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Outcome:
    """Train what the job asks for and write its results.

    Parameters
    ----------
    job
        The attempt.
    report
        Takes progress after every iteration.
    should_stop
        Asked after every iteration.

    Raises
    ------
    UserError
        If the job cannot be done as specified, or nothing usable came out.
    Stopped
        If ``should_stop`` said so.
    """
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
        stored = job.artifacts.put(results_path(job.job_id, job.fence, key), model.parameters_file(), _SAFETENSORS)
        artifacts[key] = stored
        entries.append(model.result(stored))
    results = contract.ResultsFile(
        models=entries,
        diagnostics=diagnostics_of(trained),
        provenance=Provenance(
            spec_sha256=spec_sha256(job.spec),
            seed=spec.training.seed,
            torch=torch.__version__,
            device=str(learning.problem.device),
            dtype=spec.training.dtype.value,
            version=version("deeplimit"),
            wall_time_s=time.monotonic() - started,
        ),
    )
    losses = contract.Losses(job_id=job.job_id, models=[model.losses() for model in models])
    for key, body in ((RESULTS, results), (LOSSES, losses)):
        artifacts[key] = job.artifacts.put(results_path(job.job_id, job.fence, key), to_json(body), _JSON)
    return Outcome(artifacts)


def _trained(spec: ResolvedTrainSpec, learning: Learning, observe: ProgressObserver) -> TrainedStudy:
    """Train the depths that are asked for, or seek the one for a wanted gap or prediction error."""
    scaling = learning.standardisation
    validation_inputs = None if learning.validation is None else learning.validation[0]
    prediction_scale = None if scaling is None else scaling.target_scale
    wanted = wanted_of(spec)
    if wanted is not None:
        problem = learning.problem
        sizes = Sizes(problem.samples + learning.held_out, problem.output_dim)  # as the dry run counts them
        return train_for_error(
            problem,
            wanted,
            spec.depths,
            continuum_of(spec),
            training_of(spec),
            most_depth=deepest_affordable(spec, sizes, LIMITS).depth,
            validation_inputs=validation_inputs,
            prediction_scale=prediction_scale,
            observer=observe,
        )
    return train(
        learning.problem,
        spec.depths,
        continuum_of(spec),
        training_of(spec),
        validation_inputs=validation_inputs,
        prediction_scale=prediction_scale,
        observer=observe,
    )
