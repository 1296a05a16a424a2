"""One attempt at an evaluation: rebuild the models, run them on the data, write the artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deeplimit.mathematics.evaluation.metrics import EVEN, NO_TARGETS, metrics_of
from deeplimit.mathematics.evaluation.robustness import Noise, noise_curve
from deeplimit.mathematics.evaluation.sampled import sample, sampling_errors
from deeplimit.mathematics.evaluation.solvers import solver_consistency
from deeplimit.mathematics.study.threads import suited_threads
from deeplimit.mathematics.watch import watched
from service.contract.evaluate import results as contract
from service.contract.evaluate.request import STATE_STEPS, OutputKind
from service.contract.evaluate.resolved import ResolvedEvaluateSpec
from service.contract.model_name import CONTINUUM, ModelName
from service.contract.names import RESULTS, output_key
from service.contract.results import to_json
from service.contract.train.data_names import DataNames
from service.contract.values.media_types import JSON
from worker.execution.arrays import write_arrays
from worker.execution.evaluation_data import load_evaluation_data, read_model
from worker.execution.provenance import provenance_of
from worker.execution.ticker import Ticker
from worker.executor import Outcome

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

    from deeplimit.mathematics.evaluation.fitted import Fitted
    from service.contract.job import ArtifactRef
    from worker.execution.arrays import Arrays
    from worker.execution.evaluation_data import EvaluationData
    from worker.executor import JobInput, Report, ShouldStop


OF_A_FLOW: Final = ("steps", "integration_error")
NO_FLOW: Final = "a network is its own layers, which leave no error"


def execute(job: JobInput, report: Report, should_stop: ShouldStop) -> Outcome:
    """Evaluate what the job asks for and write its results: a `worker.executor.Executor`."""
    spec = ResolvedEvaluateSpec.model_validate(job.spec)
    wanted = dict.fromkeys([*spec.models, *([CONTINUUM] if spec.depths else [])])
    stored = [read_model(job, name) for name in wanted]
    data = load_evaluation_data(job, spec, stored[0])
    fitted = {model.name: model.fitted(data.problem) for model in stored}
    sampled = [sample(fitted[CONTINUUM], depth) for depth in sorted(spec.depths)]
    models = [*(fitted[name] for name in spec.models), *sampled]
    draws = len(spec.noise.levels) * spec.noise.repeats if OutputKind.ROBUSTNESS in spec.outputs else 0
    pieces, limit_s = len(models) * (3 + draws) + 1, spec.limits.wall_time_s
    ticker = Ticker(pieces, "evaluation", report, should_stop, limit_s, job.started)
    evaluator = ModelEvaluator(job, spec, data, ticker)
    more: dict[str, Any] = {}
    with suited_threads(data.problem) as threads, watched(ticker.check):
        entries = [evaluator.evaluate(model) for model in models]
        if sampled:
            rows = sampling_errors(fitted[CONTINUUM], sampled, data.problem.x, data.scale)
            more["sampled"] = contract.Sampled.model_validate({"depths": rows}, from_attributes=True)
    ticker.tick()
    names = DataNames.of(spec.trained)
    results = contract.EvaluationResultsFile(
        evaluated_job_id=spec.job_id,
        data=contract.EvaluatedData(
            source=spec.data.source,
            samples=data.problem.samples,
            targets=data.targets is not None,
            inputs=names.inputs,
            classes=names.classes,
        ),
        evaluations=entries,
        provenance=provenance_of(
            job,
            seed=spec.noise.seed,
            seconds=ticker.elapsed,
            device=data.problem.device,
            threads=threads,
            data_sha256=data.sha256,
        ),
        **more,
    )
    return Outcome({**evaluator.artifacts, RESULTS: job.write(RESULTS, to_json(results), JSON)})


class ModelEvaluator:
    """Evaluates one model after the other on the same data; ``artifacts`` are the arrays it has written."""

    def __init__(self, job: JobInput, spec: ResolvedEvaluateSpec, data: EvaluationData, ticker: Ticker) -> None:
        self._job = job
        self._spec = spec
        self._data = data
        self._ticker = ticker
        self.artifacts: dict[str, ArtifactRef] = {}

    def evaluate(self, model: Fitted) -> contract.EvaluatedModel:
        """Return what is asked for of one model, and write its arrays."""
        data, asked = self._data, self._spec.outputs
        x, loss = data.problem.x, data.problem.loss
        self._ticker.model = model.name
        z = model.output(x)
        steps, error = model.resolved
        parts: dict[str, Any] = {"metrics": None}
        withheld = {"depth": "the continuum has no layers"} if steps else dict.fromkeys(OF_A_FLOW, NO_FLOW)
        if OutputKind.METRICS not in asked:
            withheld["metrics"] = "outputs do not name metrics"
        elif data.targets is None:
            withheld["metrics"] = NO_TARGETS
        else:
            parts["metrics"] = metrics_of(loss, z, data.targets)
        self._ticker.tick()
        if OutputKind.PREDICTIONS in asked:
            parts["predictions"] = self._written("predictions", model.name, self._predictions(loss.predict(z)))
        if OutputKind.STATES in asked:
            t, states = model.states(x, STATE_STEPS)
            parts["states"] = self._written("states", model.name, {"t": _array(t), "states": _array(states)})
        self._ticker.tick()
        if OutputKind.SOLVERS in asked:
            solvers = self._spec.solvers
            parts["solvers"] = solver_consistency(model, solvers.steps, solvers.tolerance, data.scale, data.targets)
        self._ticker.tick()
        if OutputKind.ROBUSTNESS in asked:
            parts["robustness"] = self._robustness(model)
        described = {
            "model": model.name,
            "kind": ModelName.parse(model.name).kind,
            "depth": model.depth,
            "steps": steps,
            "integration_error": error if steps else None,
            "withheld": withheld,
        }
        return contract.EvaluatedModel.model_validate(described | parts, from_attributes=True)

    def _predictions(self, h: torch.Tensor) -> Arrays:
        loss, scaling = self._data.problem.loss.name, self._data.standardisation
        values = _array(h)
        if loss == "squared_error":
            return {"predictions": values if scaling is None else scaling.restore_targets(values)}
        if loss == "logistic":
            return {"predictions": values, "labels": np.where(values[:, 0] > EVEN, 1, -1).astype(np.int64)}
        return {"predictions": values, "labels": values.argmax(axis=1).astype(np.int64)}

    def _written(self, output: str, model: str, arrays: Arrays) -> dict[str, Any]:
        key = output_key(output, model)
        self.artifacts[key], summary = write_arrays(self._job, key, arrays, {"model": model})
        return summary

    def _robustness(self, model: Fitted) -> dict[str, Any]:
        asked, data = self._spec.noise, self._data
        noise = Noise(asked.levels, asked.repeats, asked.seed)
        levels = noise_curve(model, noise, data.unit, scale=data.scale, targets=data.targets, tick=self._ticker.tick)
        return {"seed": asked.seed, "repeats": asked.repeats, "levels": levels}


def _array(tensor: torch.Tensor) -> npt.NDArray[np.float64]:
    return np.asarray(tensor.detach().cpu().numpy(), np.float64)
