"""Jobs that have ended, a store of objects in which something goes wrong, and a job store that is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from service.artifacts import ArtifactNotFoundError, ArtifactStore, StorageError
from service.contract import names
from service.contract.job import JobRecord, JobStatus
from service.jobs.rebuild import Rebuilding, Rebuilt
from service.sealed import unseal
from tests.support.job_records import submit

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.artifacts import Pieces
    from service.contract.job import ArtifactRef
    from service.jobstore import JobStore


class Objects(ArtifactStore):
    """A store of objects that can be made to fail, and in which something happens while an object is written."""

    full = False
    unreadable: str | None = None
    meanwhile: Callable[[], object] | None = None

    def get(self, source: ArtifactRef | str) -> bytes:
        if source == self.unreadable:
            raise StorageError("unreadable")
        return super().get(source)

    def put(self, path: str, data: bytes | Pieces, media_type: str) -> ArtifactRef:
        if self.full:
            raise StorageError("full")
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().put(path, data, media_type)


def end(store: JobStore, objects: ArtifactStore, status: JobStatus = JobStatus.SUCCEEDED, **fields: Any) -> JobRecord:
    """Have a job end."""
    job = submit(store, **fields)
    if status is JobStatus.CANCELLED:
        return store.request_cancel(job.id).record
    claim = store.claim("worker")
    assert claim is not None
    path = names.results_path(job.id, claim.fence)
    results = {names.RESULTS: objects.put(path, json.dumps({"of": job.id}).encode(), "application/json")}
    return store.finish(job.id, claim.fence, status, artifacts=results if status is JobStatus.SUCCEEDED else None)


def record_of(objects: ArtifactStore, job_id: str) -> dict[str, str] | None:
    try:
        return unseal(objects.get(names.record_path(job_id)))
    except ArtifactNotFoundError:
        return None


def rebuilt(store: JobStore, objects: ArtifactStore) -> Rebuilt:
    rebuilding = Rebuilding(store, objects)
    rebuilding.name_store()
    return rebuilding.jobs(lambda _: None)


def lose(store: JobStore) -> None:
    store.redis.flushall()
