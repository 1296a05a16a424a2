"""From an evaluate specification to a job that can be queued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from service.contract import names
from service.contract.evaluate.request import DatasetEvaluationData, InlineEvaluationData
from service.contract.evaluate.resolve import TrainedJob, inline_targets, resolve_evaluate
from service.contract.job import JobStatus
from service.contract.model_name import CONTINUUM
from service.contract.plan import InlineSamples, Plan
from service.contract.request import Device
from service.contract.train.resolved import ResolvedTrainSpec
from service.contract.values.errors import ErrorCode, FieldError, SpecInvalidError

if TYPE_CHECKING:
    from service.contract.evaluate.request import EvaluateSpec
    from service.contract.job import JobRecord
    from service.contract.plan import Given, References


_NOT_UNDERSTOOD: Final = FieldError(
    "/job_id", ErrorCode.RECORD_NOT_UNDERSTOOD, "is a job of a later version of the service, or its record is damaged"
)


def plan_evaluate(spec: EvaluateSpec, references: References) -> Plan:
    """Look up the trained job and the data set that are named, and resolve.

    Raises
    ------
    SpecInvalidError
        There is no such job or it has no models, or as `resolve_evaluate`.
    """
    record = _with_results(references.job(spec.job_id))
    trained = _specification(record)
    fits = references.results(record)["models"]
    outputs = next((fit["parameters"]["arrays"]["W"]["shape"][0] for fit in fits if fit.get("parameters")), 1)
    models = names.models_with_parameters(record.artifacts)
    data = spec.data
    dataset = references.dataset(data.id) if isinstance(data, DatasetEvaluationData) else None
    job = TrainedJob(trained, models, outputs)
    resolved, estimate = resolve_evaluate(spec, job, dataset, references.limits)
    needed = dict.fromkeys([*resolved.models, *([CONTINUUM] if resolved.depths else [])])
    given: dict[str, Given] = {
        names.trained_key(model): record.artifacts[names.parameters_key(model)] for model in needed
    }
    if names.FIXED in record.artifacts:
        given[names.FIXED] = record.artifacts[names.FIXED]
    if isinstance(data, InlineEvaluationData):
        targets = None if data.targets is None else inline_targets(data.targets, job)
        given[names.DATA] = InlineSamples(data.inputs, targets, trained.objective.loss.target_kind)
    elif dataset is not None:
        given[names.DATA] = dataset.object
    elif data is None and names.DATA in record.artifacts:
        given[names.DATA] = record.artifacts[names.DATA]
    return Plan(resolved, estimate, given, "/device" if spec.device is Device.CUDA else None)


def _specification(record: JobRecord) -> ResolvedTrainSpec:
    try:
        return ResolvedTrainSpec.model_validate(record.spec)
    except ValidationError as error:
        raise SpecInvalidError((_NOT_UNDERSTOOD,)) from error


def _with_results(record: JobRecord | None) -> JobRecord:
    if record is None:
        problem = ("job_not_found", "there is no such job")
    elif not record.understood:
        raise SpecInvalidError((_NOT_UNDERSTOOD,))
    elif record.kind != "train":
        problem = ("wrong_kind", "is not a train job")
    elif not record.done:
        problem = (ErrorCode.RESULTS_NOT_READY, "has not ended yet")
    elif record.status is not JobStatus.SUCCEEDED or names.RESULTS not in record.artifacts:
        problem = (ErrorCode.RESULTS_UNAVAILABLE, "ended without results")
    else:
        return record
    raise SpecInvalidError((FieldError("/job_id", *problem),))
