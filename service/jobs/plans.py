"""From a body to a job that can be queued: the specification resolved, and the objects that the job is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import safetensors.numpy

from service.contract import names
from service.contract.data.sources import DatasetData, InlineData, TargetKind
from service.contract.diagnose.request import DiagnoseSpec
from service.contract.diagnose.resolve import resolve_diagnose
from service.contract.evaluate.request import DatasetEvaluationData, EvaluateSpec, InlineEvaluationData
from service.contract.evaluate.resolve import CONTINUUM, TrainedJob, resolve_evaluate
from service.contract.job import ArtifactRef, JobStatus
from service.contract.kinds import AnyResolvedSpec, parse
from service.contract.request import Device
from service.contract.train.request import Loss, TrainSpec
from service.contract.train.resolve import resolve
from service.contract.train.resolved import ResolvedTrainSpec
from service.contract.values.errors import ErrorCode, FieldError, SpecInvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from service.artifacts import ArtifactStore
    from service.contract.data.dataset import DatasetRecord
    from service.contract.estimate import Estimate
    from service.contract.job import JobRecord
    from service.contract.values.arrays import Table
    from service.contract.values.limits import Limits
    from service.datasets.datasets import Datasets
    from service.jobstore import JobStore

Given = ArtifactRef | Callable[[], bytes]
"""An object that a job is given: one that exists, or the content of one that does not yet."""

_PARAMETERS: Final = "parameters/"


@dataclass(frozen=True, slots=True)
class Plan:
    """A specification that holds up, ready to be queued.

    Parameters
    ----------
    spec
        With every default filled in.
    estimate
        What it costs.
    given
        Objects that the job is to have, by their keys in its record.
    """

    spec: AnyResolvedSpec
    estimate: Estimate
    given: Mapping[str, Given]


class Planner:
    """Checks specifications against the limits, the uploaded data sets, the trained jobs and the devices.

    Parameters
    ----------
    store, artifacts, datasets
        What specifications refer to.
    limits
        The published limits.
    """

    def __init__(self, store: JobStore, artifacts: ArtifactStore, datasets: Datasets, limits: Limits) -> None:
        self._store = store
        self._artifacts = artifacts
        self._datasets = datasets
        self._limits = limits

    def plan(self, body: object) -> Plan:
        """Check and resolve a specification of any kind.

        Parameters
        ----------
        body
            Decoded JSON.

        Returns
        -------
        Plan
            Ready to be queued.

        Raises
        ------
        SpecInvalidError
            It breaks the contract, refers to what is not there, or asks for a device that no worker has.
        """
        spec = parse(body, self._limits)
        if isinstance(spec, DiagnoseSpec):
            return self._diagnose(spec)
        if isinstance(spec, TrainSpec):
            plan, device, pointer = self._train(spec), spec.training.device, "/training/device"
        else:
            plan, device, pointer = self._evaluate(spec), spec.device, "/device"
        if device is Device.CUDA and not self._has_cuda():
            error = FieldError(pointer, ErrorCode.DEVICE_UNAVAILABLE, "no worker has a CUDA device")
            raise SpecInvalidError((error,))
        return plan

    def _train(self, spec: TrainSpec) -> Plan:
        data = spec.data
        dataset = self._datasets.find(data.id) if isinstance(data, DatasetData) else None
        found = resolve(spec, self._limits, dataset)
        given: dict[str, Given] = {}
        if isinstance(data, InlineData):
            given[names.DATA] = lambda: encode(data.inputs, data.targets, found.targets)
        elif dataset is not None:
            given[names.DATA] = dataset.object
        return Plan(found.spec, found.estimate, given)

    def _evaluate(self, spec: EvaluateSpec) -> Plan:
        record = self._trained(spec.job_id)
        trained = ResolvedTrainSpec.model_validate(record.spec)
        results = json.loads(self._artifacts.get(record.artifacts[names.RESULTS]))
        arrays = [model["parameters"]["arrays"] for model in results["models"] if model.get("parameters")]
        models = tuple(key.removeprefix(_PARAMETERS) for key in record.artifacts if key.startswith(_PARAMETERS))
        outputs = arrays[0]["W"]["shape"][0] if arrays else 1
        data = spec.data
        dataset = self._datasets.find(data.id) if isinstance(data, DatasetEvaluationData) else None
        resolved, cost = resolve_evaluate(spec, TrainedJob(trained, models, outputs), dataset, self._limits)
        needed = dict.fromkeys([*resolved.models, *([CONTINUUM] if resolved.depths else [])])
        given: dict[str, Given] = {
            names.trained_key(model): record.artifacts[names.parameters_key(model)] for model in needed
        }
        if isinstance(data, InlineEvaluationData):
            kind = TargetKind.CLASSES if trained.objective.loss is Loss.CROSS_ENTROPY else TargetKind.NUMBERS
            given[names.DATA] = lambda: encode(data.inputs, data.targets, kind)
        elif dataset is not None:
            given[names.DATA] = dataset.object
        elif data is None and names.DATA in record.artifacts:
            given[names.DATA] = record.artifacts[names.DATA]
        return Plan(resolved, cost, given)

    def _trained(self, job_id: str) -> JobRecord:
        record = self._store.get(job_id)
        if record is None:
            problem = ("job_not_found", "there is no such job")
        elif record.kind != "train":
            problem = ("wrong_kind", "is not a train job")
        elif not record.done:
            problem = (ErrorCode.RESULTS_NOT_READY, "has not ended yet")
        elif record.status is not JobStatus.SUCCEEDED or names.RESULTS not in record.artifacts:
            problem = (ErrorCode.RESULTS_UNAVAILABLE, "ended without results")
        else:
            return record
        raise SpecInvalidError((FieldError("/job_id", *problem),))

    def _diagnose(self, spec: DiagnoseSpec) -> Plan:
        asked = dict.fromkeys(network.dataset_id for network in spec.networks)
        found = {dataset_id: self._datasets.find(dataset_id) for dataset_id in asked}
        datasets: dict[str, DatasetRecord] = {name: record for name, record in found.items() if record is not None}
        resolved, cost = resolve_diagnose(spec, datasets, self._limits)
        given: dict[str, Given] = {
            names.network_key(index): datasets[network.dataset_id].object
            for index, network in enumerate(resolved.networks)
        }
        return Plan(resolved, cost, given)

    def _has_cuda(self) -> bool:
        return any(device.startswith("cuda") for worker in self._store.workers() for device in worker.devices)


def encode(inputs: Table, targets: Table | None, kind: TargetKind) -> bytes:
    """Write inline data as a safetensors file.

    Parameters
    ----------
    inputs, targets
        From the body.
    kind
        What the loss takes.

    Returns
    -------
    bytes
        ``inputs`` (S, features) float64; ``targets`` (S,) int64 for classes, else (S, m) float64; none without any.
    """
    arrays: dict[str, NDArray[np.generic]] = {"inputs": np.frombuffer(inputs.values).reshape(inputs.shape)}
    if targets is not None:
        values = np.frombuffer(targets.values).reshape(targets.shape)
        if kind is TargetKind.CLASSES:
            arrays["targets"] = values.astype(np.int64)
        else:
            arrays["targets"] = values[:, None] if values.ndim == 1 else values
    return safetensors.numpy.save(arrays)
