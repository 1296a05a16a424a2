"""What can be done with jobs: create, read, list, cancel, delete. No HTTP in it."""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import redis
from pydantic import ValidationError

from service.artifacts import ArtifactNotFoundError, StorageError
from service.contract import names
from service.contract.job import ArtifactRef, JobRecord, JobStatus
from service.contract.kinds import KINDS
from service.contract.values.errors import FieldError, SpecInvalidError
from service.contract.values.media_types import SAFETENSORS
from service.jobstore import (
    IdempotencyKeyReused,
    JobActive,
    JobLate,
    JobNotFound,
    JobStore,
    QueueFull,
    RecordNotUnderstood,
    Unsettled,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from service.artifacts import ArtifactStore
    from service.contract.kinds import Kind
    from service.jobs.dispatch import Dispatcher
    from service.jobs.planning.prepared import Prepared
    from service.jobs.plans import Planner
    from service.jobstore import JobQuery, KeptJob, Page

LOG = logging.getLogger(__name__)
_ID = re.compile(r"[a-z0-9-]{8,64}")


@contextmanager
def stored() -> Iterator[None]:
    """Around the reading of what a job left behind: raise `RecordNotUnderstood` where a later version wrote it.

    This version refuses fields that it does not know there, as their meaning may change that of the others.
    """
    try:
        yield
    except ValidationError as failure:
        raise RecordNotUnderstood from failure


def kind_of(record: JobRecord) -> Kind[Any]:
    """Return the kind of a job.

    Raises
    ------
    RecordNotUnderstood
        It is one that only a later version knows.
    """
    if record.kind not in KINDS:
        raise RecordNotUnderstood(record)
    return KINDS[record.kind]


class ResultsNotReadyError(Exception):
    """The job is still to end."""


class ResultsUnavailableError(Exception):
    """The job ended without results."""


class ModelNotFoundError(Exception):
    """The job has no model of this name."""


class Jobs:
    """The jobs of the service.

    Parameters
    ----------
    store, artifacts, dispatcher
        Records, objects, and hints to the workers.
    planner
        Knows what specifications may refer to, and the limits.
    """

    def __init__(self, store: JobStore, artifacts: ArtifactStore, dispatcher: Dispatcher, planner: Planner) -> None:
        self.store = store
        self.artifacts = artifacts
        self.limits = planner.limits
        self._dispatcher = dispatcher
        self._planner = planner
        self._unsettled = Unsettled(store.redis)

    def submit(self, body: bytes, idempotency_key: str | None) -> tuple[KeptJob, bool]:
        """Queue the job that a JSON body specifies. When this returns it is committed.

        Returns
        -------
        tuple[KeptJob, bool]
            The job, and whether it is that of an earlier request with the same key and body.

        Raises
        ------
        BodyRefusedError, SpecInvalidError, IdempotencyKeyReused, QueueFull
            Nothing was queued.
        """
        digest = hashlib.sha256(body).hexdigest()
        if idempotency_key is not None:
            earlier = self.store.replayed(idempotency_key, digest)  # asked first: what it refers to may be gone by now
            if earlier is not None:
                return earlier, True
        return self._create(self.plan(body), idempotency_key, digest)

    def plan(self, body: bytes) -> Prepared:
        """Check, resolve and estimate the job that a JSON body specifies, without queueing it.

        Raises
        ------
        BodyRefusedError, SpecInvalidError
            The body is not JSON, or specifies no job that can be done here.
        """
        return self._planner.prepare(body)

    def hint(self) -> str:
        """Make a hint that there is a job, for the script that commits it."""
        return self._dispatcher.hint()

    def get(self, job_id: str) -> JobRecord:
        """Read a job.

        Raises
        ------
        JobNotFound, RecordNotUnderstood
            There is none, or the id cannot be one; or its record is damaged or a later version's.
        """
        record = self.store.get(job_id) if _ID.fullmatch(job_id) else None
        if record is None:
            raise JobNotFound
        return record

    def kept(self, job_id: str) -> KeptJob:
        """Read a job without a look at its specification; otherwise as `get`."""
        kept = self.store.kept(job_id) if _ID.fullmatch(job_id) else None
        if kept is None:
            raise JobNotFound
        return kept

    def list(self, query: JobQuery) -> Page[JobRecord]:
        """Read a page of jobs, newest first.

        Raises
        ------
        InvalidCursor
            The cursor is not one that a listing gave out.
        """
        return self.store.list(query)

    def cancel(self, job_id: str) -> KeptJob:
        """Cancel a job, at once when it waits, else as soon as its fit stops.

        Raises
        ------
        JobNotFound, JobFinished, RecordNotUnderstood
            There is nothing to cancel.
        """
        self._check_id(job_id)
        return self.store.request_cancel(job_id)

    def delete(self, job_id: str) -> None:
        """Delete a job that has ended, and its objects before its record: where one is left, so is the record.

        Raises
        ------
        JobNotFound, JobActive, RecordNotUnderstood
            Nothing was deleted.
        StorageError
            Not all objects could be deleted. Another call deletes the rest.
        """
        record = self.kept(job_id).record
        if not record.understood:
            raise RecordNotUnderstood(record)
        if not record.done:
            raise JobActive(record)
        self.artifacts.delete(names.record_path(job_id))  # first: half a job is not to be brought back
        self.artifacts.delete_prefix(names.job_prefix(job_id))
        self.store.delete(job_id)

    def artifact(self, job_id: str, key: str) -> bytes:
        """Read an object of a finished job by its key in the record, and check it; raises as `reference`."""
        return self.artifacts.get(self.reference(job_id, key))

    def reference(self, job_id: str, key: str) -> ArtifactRef:
        """Find an object of a finished job by its key in the record.

        Raises
        ------
        JobNotFound, RecordNotUnderstood, ResultsNotReadyError, ResultsUnavailableError, ModelNotFoundError
            There is nothing to read.
        """
        record = self.kept(job_id).record
        if not record.understood:
            raise RecordNotUnderstood(record)
        if not record.done:
            raise ResultsNotReadyError
        if record.status is not JobStatus.SUCCEEDED or names.RESULTS not in record.artifacts:
            raise ResultsUnavailableError
        if key not in record.artifacts:
            raise ModelNotFoundError if "/" in key else ResultsUnavailableError
        return record.artifacts[key]

    def _create(self, plan: Prepared, idempotency_key: str | None, body_sha256: str) -> tuple[KeptJob, bool]:
        job_id = secrets.token_hex(16)
        if plan.given:
            self._unsettled.announce(job_id)
        job = plan.job(job_id, self._give(job_id, plan.given))
        try:
            kept, replayed = self.store.create(
                job, idempotency_key=idempotency_key, body_sha256=body_sha256, hint=self.hint()
            )
        except JobLate:
            self._forget(job_id)
            raise StorageError("what the job was given took too long to write") from None
        except (IdempotencyKeyReused, QueueFull):  # any other failure may have committed the job, which needs its data
            self._forget(job_id)
            raise
        if replayed:
            self._forget(job_id)
        return kept, replayed

    def _give(self, job_id: str, given: Mapping[str, ArtifactRef | bytes]) -> dict[str, ArtifactRef]:
        """Put what a job is given under its own name, so that it outlives what it came from."""
        artifacts = {}
        try:
            for key, source in given.items():
                path = names.data_path(job_id) if key == names.DATA else names.source_path(job_id, key)
                if isinstance(source, ArtifactRef):
                    artifacts[key] = self.artifacts.copy(source, path)
                else:
                    artifacts[key] = self.artifacts.put(path, source, SAFETENSORS)
        except ArtifactNotFoundError:
            self._forget(job_id)
            raise SpecInvalidError((FieldError("", "gone", "refers to what was deleted just now"),)) from None
        except StorageError:
            self._forget(job_id)
            raise
        return artifacts

    def _check_id(self, job_id: str) -> None:
        if not _ID.fullmatch(job_id):
            raise JobNotFound

    def _forget(self, job_id: str) -> None:
        """Delete what was written for a job that is not to be; what cannot be is swept later."""
        try:
            self.artifacts.delete_prefix(names.job_prefix(job_id))
            self._unsettled.settle(job_id)
        except (StorageError, redis.RedisError) as failure:
            LOG.warning("job %s was not made, and its objects are still there: %s", job_id, failure)
