"""One attempt at an evaluation: rebuild the models, run them on the data, write the artifacts."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.numpy import save as save_safetensors

from service.contract.evaluate import results as contract
from service.contract.evaluate.request import STATE_STEPS, OutputKind
from service.contract.evaluate.resolved import ResolvedEvaluateSpec
from service.contract.names import RESULTS, output_key, results_path
from service.contract.results import Metrics, Provenance, to_json
from service.contract.train.resolved import spec_sha256
from worker.deeplimit.evaluation.robustness import Noise, robustness
from worker.deeplimit.evaluation.sampled import sample, sampling_errors
from worker.deeplimit.evaluation.solvers import REFERENCE_TOLERANCE, solver_consistency
from worker.execution.evaluation_data import given_of, stored_model
from worker.execution.threads import suited_threads
from worker.execution.ticker import Ticker
from worker.executor import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from service.contract.job import ArtifactRef, Progress
    from worker.deeplimit.evaluation.fitted import Fitted
    from worker.deeplimit.evaluation.sampled import SampledRow
    from worker.execution.evaluation_data import Given
    from worker.executor import JobInput

    Arrays = dict[str, npt.NDArray[np.generic]]

EVEN = 0.5
"""Probability of the class +1 above which it is predicted."""
_CONTINUUM = "continuum"


def execute(job: JobInput, report: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Outcome:
    """Evaluate what the job asks for and write its results; as `worker.execution.kinds.execute`."""
    spec = ResolvedEvaluateSpec.model_validate(job.spec)
    names = [*spec.models, *([_CONTINUUM] if spec.depths and _CONTINUUM not in spec.models else [])]
    stored = {name: stored_model(job, name) for name in names}
    given = given_of(job, spec, next(iter(stored.values())))
    fitted = {name: model.fitted(given.problem) for name, model in stored.items()}
    sampled = [sample(fitted[_CONTINUUM], depth) for depth in sorted(spec.depths)]
    models = [*(fitted[name] for name in spec.models), *sampled]
    draws = len(spec.noise.levels) * spec.noise.repeats if OutputKind.ROBUSTNESS in spec.outputs else 0
    ticker = Ticker(len(models) * (3 + draws) + 1, "evaluation", report, should_stop, spec.limits.wall_time_s)
    work = _Work(job, spec, given, ticker)
    found: dict[str, Any] = {}
    with suited_threads(given.problem):
        entries = [work.evaluate(model) for model in models]
        if sampled:
            rows = sampling_errors(fitted[_CONTINUUM], sampled, given.problem.x, given.scale)
            found["sampled"] = contract.Sampled(depths=_sampled_rows(rows))
    ticker.tick()
    results = contract.EvaluationResultsFile(
        evaluated_job_id=spec.job_id,
        data=contract.EvaluatedData(
            source=spec.data.source, samples=given.problem.samples, targets=given.targets is not None
        ),
        evaluations=entries,
        provenance=Provenance(
            spec_sha256=spec_sha256(job.spec),
            seed=spec.noise.seed,
            torch=torch.__version__,
            device=str(given.problem.device),
            dtype="float64",
            version=version("deeplimit"),
            wall_time_s=ticker.elapsed,
        ),
        **found,
    )
    path = results_path(job.job_id, job.fence)
    work.artifacts[RESULTS] = job.artifacts.put(path, to_json(results), "application/json")
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
        found: dict[str, Any] = {}
        if OutputKind.METRICS in asked and given.targets is not None:
            found["metrics"] = Metrics(
                terminal_loss=float(loss.total(z, given.targets)) / len(x), **loss.metrics(z, given.targets)
            )
        self._ticker.tick()
        if OutputKind.PREDICTIONS in asked:
            found["predictions"] = self._keep("predictions", model.name, self._predictions(loss.predict(z)))
        if OutputKind.STATES in asked:
            t, states = model.states(x, STATE_STEPS)
            found["states"] = self._keep("states", model.name, {"t": _array(t), "states": _array(states)})
        self._ticker.tick()
        if OutputKind.SOLVERS in asked:
            found["solvers"] = self._solvers(model)
        self._ticker.tick()
        if OutputKind.ROBUSTNESS in asked:
            found["robustness"] = self._robustness(model)
        is_sampled = model.name.startswith("sampled-")
        return contract.EvaluatedModel(
            model=model.name,
            kind=_CONTINUUM if model.depth is None else ("sampled" if is_sampled else "discrete"),
            depth=model.depth,
            steps=steps,
            integration_error=error if steps else None,
            **{"metrics": None, **found},
        )

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
        stored = self._job.artifacts.put(path, content, "application/vnd.safetensors")
        self.artifacts[key] = stored
        shapes = {
            name: contract.OutputArray.model_validate({"shape": list(array.shape), "dtype": str(array.dtype)})
            for name, array in arrays.items()
        }
        return contract.OutputArrays(arrays=shapes, sha256=stored.sha256)

    def _solvers(self, model: Fitted) -> contract.SolverConsistency:
        asked = self._spec.solvers
        found = solver_consistency(model, asked.steps, asked.tolerance, self._given.scale)
        return contract.SolverConsistency(
            samples=found.samples,
            spread=found.spread,
            tolerance=found.tolerance,
            own=contract.OwnSolver(solver=found.own_solver, steps=found.own_steps),
            reference=contract.SolverReference(
                solver="dop853",
                tolerance=REFERENCE_TOLERANCE,
                evaluations=found.reference_evaluations,
                prediction_change=found.reference_change,
            ),
            table=[contract.SolverRow(**asdict(row)) for row in found.rows],
            consistent=found.consistent,
        )

    def _robustness(self, model: Fitted) -> contract.Robustness:
        asked, given = self._spec.noise, self._given
        rows = robustness(
            model,
            Noise(asked.levels, asked.repeats, asked.seed),
            given.unit,
            scale=given.scale,
            targets=given.targets,
            tick=self._ticker.tick,
        )
        levels = [
            contract.NoiseRow(
                noise=row.noise,
                rms_change=row.rms_change,
                sup_change=row.sup_change,
                changed_labels=row.changed_labels,
                metrics=_metrics(row.metrics),
                deviations=_metrics(row.deviations),
            )
            for row in rows
        ]
        return contract.Robustness(seed=asked.seed, repeats=asked.repeats, levels=levels)


def _sampled_rows(rows: Sequence[SampledRow]) -> list[contract.SampledRow]:
    return [
        contract.SampledRow(
            depth=row.depth,
            states=contract.SampledErrors(sup_error=row.states, order=row.order["states"]),
            predictions=contract.SampledErrors(sup_error=row.predictions, order=row.order["predictions"]),
            withheld=row.withheld,
        )
        for row in rows
    ]


def _metrics(values: Mapping[str, float]) -> Metrics | None:
    return Metrics.model_validate(values) if values else None


def _array(tensor: torch.Tensor) -> npt.NDArray[np.float64]:
    return np.asarray(tensor.detach().cpu().numpy(), np.float64)
