"""One attempt at an evaluation: rebuild the models, run them on the data, write the artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save as save_safetensors

from service.contract.evaluate import results as contract
from service.contract.evaluate.request import STATE_STEPS, OutputKind
from service.contract.evaluate.resolved import ResolvedEvaluateSpec
from service.contract.model_name import CONTINUUM, ModelName
from service.contract.names import RESULTS, output_key, results_path
from service.contract.results import to_json
from service.contract.values.media_types import JSON, SAFETENSORS
from worker.deeplimit.evaluation.robustness import Noise, noise_curve
from worker.deeplimit.evaluation.sampled import sample, sampling_errors
from worker.deeplimit.evaluation.solvers import solver_consistency
from worker.execution.evaluation_data import given_of, stored_model
from worker.execution.provenance import provenance_of
from worker.execution.threads import suited_threads
from worker.execution.ticker import Ticker
from worker.executor import Outcome

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

    from service.contract.job import ArtifactRef
    from worker.deeplimit.evaluation.fitted import Fitted
    from worker.execution.evaluation_data import Given
    from worker.executor import JobInput, Report, ShouldStop

    Arrays = dict[str, npt.NDArray[np.generic]]

EVEN = 0.5
"""Probability of the class +1 above which it is predicted."""


def execute(job: JobInput, report: Report, should_stop: ShouldStop) -> Outcome:
    """Evaluate what the job asks for and write its results: a `worker.executor.Executor`."""
    spec = ResolvedEvaluateSpec.model_validate(job.spec)
    names = [*spec.models, *([CONTINUUM] if spec.depths and CONTINUUM not in spec.models else [])]
    stored = {name: stored_model(job, name) for name in names}
    given = given_of(job, spec, next(iter(stored.values())))
    fitted = {name: model.fitted(given.problem) for name, model in stored.items()}
    sampled = [sample(fitted[CONTINUUM], depth) for depth in sorted(spec.depths)]
    models = [*(fitted[name] for name in spec.models), *sampled]
    draws = len(spec.noise.levels) * spec.noise.repeats if OutputKind.ROBUSTNESS in spec.outputs else 0
    ticker = Ticker(len(models) * (3 + draws) + 1, "evaluation", report, should_stop, spec.limits.wall_time_s)
    work = _Work(job, spec, given, ticker)
    more: dict[str, Any] = {}
    with suited_threads(given.problem):
        entries = [work.evaluate(model) for model in models]
        if sampled:
            rows = sampling_errors(fitted[CONTINUUM], sampled, given.problem.x, given.scale)
            more["sampled"] = contract.Sampled.model_validate({"depths": rows}, from_attributes=True)
    ticker.tick()
    results = contract.EvaluationResultsFile(
        evaluated_job_id=spec.job_id,
        data=contract.EvaluatedData(
            source=spec.data.source, samples=given.problem.samples, targets=given.targets is not None
        ),
        evaluations=entries,
        provenance=provenance_of(job, seed=spec.noise.seed, seconds=ticker.elapsed, device=given.problem.device),
        **more,
    )
    path = results_path(job.job_id, job.fence)
    work.artifacts[RESULTS] = job.artifacts.put(path, to_json(results), JSON)
    return Outcome(work.artifacts)


class _Work:
    """Evaluates one model after the other."""

    def __init__(self, job: JobInput, spec: ResolvedEvaluateSpec, given: Given, ticker: Ticker) -> None:
        self._job = job
        self._spec = spec
        self._given = given
        self._ticker = ticker
        self.artifacts: dict[str, ArtifactRef] = {}

    def evaluate(self, model: Fitted) -> contract.EvaluatedModel:
        """Return what is asked for of one model, and write its arrays."""
        given, asked = self._given, self._spec.outputs
        x, loss = given.problem.x, given.problem.loss
        self._ticker.model = model.name
        z = model.output(x)
        steps, error = model.resolved
        parts: dict[str, Any] = {"metrics": None}
        if OutputKind.METRICS in asked and given.targets is not None:
            loss_mean = float(loss.total(z, given.targets)) / len(x)
            parts["metrics"] = {"terminal_loss": loss_mean, **loss.metrics(z, given.targets)}
        self._ticker.tick()
        if OutputKind.PREDICTIONS in asked:
            parts["predictions"] = self._keep("predictions", model.name, self._predictions(loss.predict(z)))
        if OutputKind.STATES in asked:
            t, states = model.states(x, STATE_STEPS)
            parts["states"] = self._keep("states", model.name, {"t": _array(t), "states": _array(states)})
        self._ticker.tick()
        if OutputKind.SOLVERS in asked:
            parts["solvers"] = solver_consistency(
                model, self._spec.solvers.steps, self._spec.solvers.tolerance, given.scale
            )
        self._ticker.tick()
        if OutputKind.ROBUSTNESS in asked:
            parts["robustness"] = self._robustness(model)
        described = {
            "model": model.name,
            "kind": ModelName.parse(model.name).kind,
            "depth": model.depth,
            "steps": steps,
            "integration_error": error if steps else None,
        }
        return contract.EvaluatedModel.model_validate(described | parts, from_attributes=True)

    def _predictions(self, h: torch.Tensor) -> Arrays:
        loss, scaling = self._given.problem.loss.name, self._given.standardisation
        values = _array(h)
        if loss == "squared_error":
            return {"predictions": values if scaling is None else scaling.restore_targets(values)}
        if loss == "logistic":
            return {"predictions": values, "labels": np.where(values[:, 0] > EVEN, 1, -1).astype(np.int64)}
        return {"predictions": values, "labels": values.argmax(axis=1).astype(np.int64)}

    def _keep(self, output: str, model: str, arrays: Arrays) -> contract.OutputArrays:
        key = output_key(output, model)
        path = results_path(self._job.job_id, self._job.fence, key)
        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        content = save_safetensors(contiguous, metadata={"model": model})
        stored = self.artifacts[key] = self._job.artifacts.put(path, content, SAFETENSORS)
        shapes = {
            name: contract.OutputArray.model_validate({"shape": list(array.shape), "dtype": str(array.dtype)})
            for name, array in arrays.items()
        }
        return contract.OutputArrays(arrays=shapes, sha256=stored.sha256)

    def _robustness(self, model: Fitted) -> dict[str, Any]:
        asked, given = self._spec.noise, self._given
        noise = Noise(asked.levels, asked.repeats, asked.seed)
        levels = noise_curve(model, noise, given.unit, scale=given.scale, targets=given.targets, tick=self._ticker.tick)
        return {"seed": asked.seed, "repeats": asked.repeats, "levels": levels}


def _array(tensor: torch.Tensor) -> npt.NDArray[np.float64]:
    return np.asarray(tensor.detach().cpu().numpy(), np.float64)
