"""From a body to a job that can be queued, checked against the data sets, the jobs and the devices that there are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from service.contract import names
from service.contract.values.errors import ErrorCode, FieldError, SpecInvalidError
from service.jobs.planning.child import LARGE, prepare_large
from service.jobs.planning.prepared import prepare

if TYPE_CHECKING:
    from service.artifacts import ArtifactStore
    from service.contract.data.dataset import DatasetRecord
    from service.contract.job import JobRecord
    from service.contract.values.limits import Limits
    from service.datasets.datasets import Datasets
    from service.jobs.planning.prepared import Prepared
    from service.jobstore import JobStore


class Planner:
    """Plans jobs; it is what specifications may refer to (`service.contract.plan.References`)."""

    def __init__(self, store: JobStore, artifacts: ArtifactStore, datasets: Datasets, limits: Limits) -> None:
        self._store = store
        self._artifacts = artifacts
        self._datasets = datasets
        self.limits = limits

    def prepare(self, body: bytes) -> Prepared:
        """Check, resolve and estimate the job that a JSON body specifies.

        Raises
        ------
        BodyRefusedError, SpecInvalidError
            The body is not JSON, breaks the contract, refers to what is not there, or asks for a device that no worker
            has.
        StorageError
            No worker is listed that has the device, and none would be, as the objects cannot be stored now.
        """
        prepared = (prepare if len(body) < LARGE else prepare_large)(body, self)
        if prepared.cuda_at is not None and not self._has_cuda():
            self._artifacts.probe()  # workers that cannot store what they make are not listed
            error = FieldError(prepared.cuda_at, ErrorCode.DEVICE_UNAVAILABLE, "no worker has a CUDA device")
            raise SpecInvalidError((error,))
        return prepared

    def dataset(self, dataset_id: str) -> DatasetRecord | None:
        """Return what is known of an uploaded data set."""
        return self._datasets.find(dataset_id)

    def job(self, job_id: str) -> JobRecord | None:
        """Return a job's record, if there is one."""
        return self._store.get(job_id)

    def results(self, record: JobRecord) -> dict[str, Any]:
        """Return the results of a job."""
        results: dict[str, Any] = json.loads(self._artifacts.get(record.artifacts[names.RESULTS]))
        return results

    def _has_cuda(self) -> bool:
        return any(device.startswith("cuda") for worker in self._store.workers() for device in worker.devices)
