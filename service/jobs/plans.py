"""From a body to a job that can be queued, checked against the data sets, the jobs and the devices that there are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy

from service.contract import names
from service.contract.data.sources import TargetKind
from service.contract.kinds import KINDS, parse
from service.contract.values.errors import ErrorCode, FieldError, SpecInvalidError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from service.artifacts import ArtifactStore
    from service.contract.data.dataset import DatasetRecord
    from service.contract.job import JobRecord
    from service.contract.plan import InlineSamples, Plan
    from service.contract.values.limits import Limits
    from service.datasets.datasets import Datasets
    from service.jobstore import JobStore


class Planner:
    """Plans jobs; it is what specifications may refer to (`service.contract.plan.References`)."""

    def __init__(self, store: JobStore, artifacts: ArtifactStore, datasets: Datasets, limits: Limits) -> None:
        self._store = store
        self._artifacts = artifacts
        self._datasets = datasets
        self.limits = limits

    def plan(self, body: object) -> Plan:
        """Check and resolve the specification of a decoded body, of any kind.

        Raises
        ------
        SpecInvalidError
            It breaks the contract, refers to what is not there, or asks for a device that no worker has.
        """
        spec = parse(body, self.limits)
        plan = KINDS[spec.kind].plan(spec, self)
        if plan.cuda_at is not None and not self._has_cuda():
            error = FieldError(plan.cuda_at, ErrorCode.DEVICE_UNAVAILABLE, "no worker has a CUDA device")
            raise SpecInvalidError((error,))
        return plan

    def dataset(self, dataset_id: str) -> DatasetRecord | None:
        """Return what is known of an uploaded data set."""
        return self._datasets.find(dataset_id)

    def job(self, job_id: str) -> JobRecord | None:
        """Return a job's record."""
        return self._store.get(job_id)

    def results(self, record: JobRecord) -> dict[str, Any]:
        """Return the results of a job."""
        results: dict[str, Any] = json.loads(self._artifacts.get(record.artifacts[names.RESULTS]))
        return results

    def _has_cuda(self) -> bool:
        return any(device.startswith("cuda") for worker in self._store.workers() for device in worker.devices)


def encode(samples: InlineSamples) -> bytes:
    """Write inline samples as a safetensors file.

    It has ``inputs`` (S, features) float64, and ``targets``, if any, (S,) int64 for classes, else (S, m) float64.
    """
    inputs, targets = samples.inputs, samples.targets
    arrays: dict[str, NDArray[np.generic]] = {"inputs": np.frombuffer(inputs.values).reshape(inputs.shape)}
    if targets is not None:
        values = np.frombuffer(targets.values).reshape(targets.shape)
        if samples.target_kind is TargetKind.CLASSES:
            arrays["targets"] = values.astype(np.int64)
        else:
            arrays["targets"] = values[:, None] if values.ndim == 1 else values
    return safetensors.numpy.save(arrays)
