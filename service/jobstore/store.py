"""The job store: each method one script, or one read."""

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import redis
import redis.asyncio
from redis.exceptions import NoScriptError

from service.contract.job import ArtifactRef, JobError, JobRecord, JobStatus, Loss, NewJob, Progress, WorkerInfo
from service.contract.names import QUEUE
from service.jobstore import keys, records
from service.jobstore.calls import Calls, refuse
from service.jobstore.connection import ANSWER_S, connect
from service.jobstore.endings import Endings
from service.jobstore.errors import RecordNotUnderstood, StaleFence
from service.jobstore.listing import JobQuery, list_jobs
from service.jobstore.pages import Page
from service.jobstore.records import KeptJob
from service.jobstore.times import GRAVE_MS, seconds_to_microseconds
from service.jobstore.workers import WorkerRegistry

LOG = logging.getLogger(__name__)

PROGRESS_INTERVAL_S: Final = 0.5
PLACES: Final = ("queue", "deferred", "leases")
"""The indices that are worked through, as ``common.lua`` names them."""
INDEX_BATCH: Final = 200
READY_S: Final = 60


@dataclass(frozen=True)
class Claim:
    """A job that a worker holds, and the number that proves it."""

    record: JobRecord
    fence: int
    checkpoints: Sequence[ArtifactRef] = ()
    """What earlier attempts have left, the newest first."""


class LeaseState(StrEnum):
    """What a worker learns when it speaks of the job it holds."""

    HELD = "held"
    CANCEL_REQUESTED = "cancel_requested"
    LOST = "lost"


@dataclass(frozen=True)
class ReconcileReport:
    """What one pass found: leases that had run out, by how their jobs went on, and the jobs that can be claimed."""

    requeued: int
    cancelled: int
    failed: int
    queued: int


class JobStore:
    """Job records, the queue, leases and live workers in one Redis server.

    Every method may raise ``redis.RedisError`` where the server cannot be reached or refuses a write, and one that
    returns a job ``RecordNotUnderstood`` where its record is damaged or a later version's.

    Parameters
    ----------
    redis
        Client made by :func:`service.jobstore.connect`.
    lease_s
        Time after which a claim that was not renewed counts as lost.
    max_crashes
        Crashes of its trainer of which a job fails with ``worker_lost``.
    max_outages
        Outages in a row, without progress, of which it does.
    max_queued
        Jobs that may wait.
    """

    def __init__(
        self,
        redis: redis.Redis,
        *,
        lease_s: float = 30.0,
        max_crashes: int = 3,
        max_outages: int = 25,
        max_queued: int = 10_000,
    ) -> None:
        self.redis = redis
        self.lease_s = lease_s
        self.max_crashes = max_crashes
        self.max_outages = max_outages
        self._outages = (max_outages, records.encode_lost(f"{max_outages} {records.OUTAGES}"))
        self.max_queued = max_queued
        self._scripts = Calls(redis)
        self.endings = Endings(redis, self._scripts)
        self._workers = WorkerRegistry(redis)

    # clients -------------------------------------------------------------------------------------------------------

    def create(
        self, job: NewJob, *, idempotency_key: str | None, body_sha256: str, hint: str = ""
    ) -> tuple[KeptJob, bool]:
        """Commit a job and its place in the queue, and with them a hint to the workers, as their queue holds it.

        Returns
        -------
        tuple
            The job, and whether it is that of an earlier call with the same idempotency key. Then its id is not
            ``job.id``, and objects written under that are the caller's to delete.

        Raises
        ------
        IdempotencyKeyReused
            The key was used with another body.
        QueueFull
            As many jobs wait as may.
        JobLate
            The job was given objects, and is not announced.
        """
        args = self._creation(
            job, "" if idempotency_key is None else records.digest(idempotency_key), body_sha256, hint
        )
        return _created(job, self._scripts["create"](args=args))

    async def create_in_loop(self, client: redis.asyncio.Redis, job: NewJob, *, body_sha256: str, hint: str) -> KeptJob:
        """Commit a job by a client of an event loop; otherwise as `create`, without an idempotency key."""
        script, args = self._scripts["create"], self._creation(job, "", body_sha256, hint)
        try:
            async with asyncio.timeout(ANSWER_S):
                try:
                    reply = await client.evalsha(script.sha, 0, *args)
                except NoScriptError:
                    reply = await client.evalsha(str(await client.script_load(str(script.script))), 0, *args)
        except TimeoutError:
            raise redis.TimeoutError("the server does not answer") from None
        return _created(job, reply)[0]

    def _creation(self, job: NewJob, key: str, body_sha256: str, hint: str) -> list[str | int]:
        return [
            job.id,
            job.kind,
            job.external_id or "",
            key,
            body_sha256,
            self.max_queued,
            QUEUE,
            hint,
            "announced" if job.artifacts else "",
            *records.to_flat(records.fields_of(job)),
        ]

    def replayed(self, idempotency_key: str, body_sha256: str) -> KeptJob | None:
        """Job of an earlier call with this key, so that a repeated request need not write its data again.

        Raises
        ------
        IdempotencyKeyReused
            The key was used with another body.
        """
        _, fields = self._scripts.change("replayed", records.digest(idempotency_key), body_sha256)
        return records.kept(fields) if fields else None

    def kept(self, job_id: str) -> KeptJob | None:
        """Read one job without a look at its specification."""
        fields = self._scripts.fields(job_id)
        return records.kept(fields) if fields else None

    def get(self, job_id: str) -> JobRecord | None:
        """Read one job."""
        fields = self._scripts.fields(job_id)
        return records.whole(fields) if fields else None

    def list(self, query: JobQuery) -> Page[JobRecord]:
        """Read a page of jobs, newest first, without their specifications.

        Raises
        ------
        InvalidCursor
            The query's cursor is not the ``next_cursor`` of a page.
        """
        return list_jobs(self.redis, query)

    def request_cancel(self, job_id: str) -> KeptJob:
        """Cancel a waiting job, or ask for a running one to be stopped. Repeating it changes nothing.

        Raises
        ------
        JobNotFound, JobFinished, RecordNotUnderstood
            There is no such job, it succeeded or failed, or this version must not change it.
        """
        self.kept(job_id)  # one that cannot be read is not changed
        return records.kept(self._scripts.change("cancel", job_id)[1])

    def delete(self, job_id: str) -> JobRecord:
        """Forget a job that has ended; its objects are the caller's to delete.

        Raises
        ------
        JobNotFound, JobActive, RecordNotUnderstood
            There is no such job, it has not ended, or this version must not change it.
        """
        return self._changed("delete", job_id, secrets.token_hex(8), GRAVE_MS)

    # workers -------------------------------------------------------------------------------------------------------

    def claim(self, worker_id: str) -> Claim | None:
        """Take the job that has waited longest, with a lease on it; None where none waits.

        One whose record cannot be read is set aside, and the next is taken.
        """
        while True:
            operation = secrets.token_hex(8)
            _, fields = self._scripts.change("claim", worker_id, operation, seconds_to_microseconds(self.lease_s))
            try:
                if not fields:
                    return None
                return Claim(records.whole(fields), int(fields["fence"]), records.checkpoints(fields))
            except RecordNotUnderstood as failure:
                job_id = self._scripts["set_aside"](args=[operation])
                LOG.error("job %s is set aside: its record cannot be read: %s", job_id, failure.__cause__)  # noqa: TRY400 - the cause says it

    def renew(self, job_id: str, fence: int) -> LeaseState:
        """Lengthen the lease."""
        return LeaseState(self._scripts["renew"](args=[job_id, fence, seconds_to_microseconds(self.lease_s)]))

    def report_progress(self, job_id: str, fence: int, progress: Progress) -> LeaseState:
        """Record progress, at most twice a second: what comes sooner is dropped.

        A fraction that is less than one recorded before in this attempt is raised to it.
        """
        return LeaseState(
            self._scripts["progress"](
                args=[
                    job_id,
                    fence,
                    records.encode(progress),
                    repr(progress.fraction),
                    seconds_to_microseconds(PROGRESS_INTERVAL_S),
                ]
            )
        )

    def keep_checkpoints(self, job_id: str, fence: int, checkpoints: Sequence[ArtifactRef]) -> LeaseState:
        """Record what another attempt can go on from, the newest first, in place of what was recorded before."""
        kept = records.encode_checkpoints(checkpoints)
        return LeaseState(self._scripts["checkpoint"](args=[job_id, fence, kept]))

    def requeue(self, job_id: str, fence: int, loss: Loss, reason: str) -> JobRecord:
        """End an attempt that gave no result.

        The job waits again; it is cancelled where that was asked for, and fails with ``worker_lost`` where this was one
        loss too many.

        Parameters
        ----------
        job_id, fence
            The claim.
        loss
            What counts.
        reason
            What happened, for the error of a job that fails of it.

        Raises
        ------
        StaleFence
            The claim is not the latest.
        """
        crashes = (self.max_crashes, records.encode_lost(f"{self.max_crashes} crashes; in the last, {reason}"))
        fails = {Loss.OUTAGE: self._outages, Loss.OVERRUN: records.overrun(reason)}
        return self._changed("requeue", job_id, fence, loss, *fails.get(loss, crashes))

    def finish(
        self,
        job_id: str,
        fence: int,
        status: JobStatus,
        *,
        error: JobError | None = None,
        artifacts: Mapping[str, ArtifactRef] | None = None,
    ) -> JobRecord:
        """End a job. The artifacts join those it has.

        Raises
        ------
        StaleFence
            The claim is not the latest, or the job has ended in another way.
        IllegalTransition
            A running job does not end like that.
        """
        fields: dict[str, str] = {}
        if error is not None:
            fields["error"] = records.encode(error)
        if artifacts:
            current = self.get(job_id)
            if current is None:
                raise StaleFence
            fields["artifacts"] = records.encode_artifacts({**current.artifacts, **artifacts})
        return self._changed("finish", job_id, fence, status, *records.to_flat(fields))

    def register_worker(self, worker: WorkerInfo, ttl_s: float) -> None:
        """Say that a worker lives, for `ttl_s` seconds."""
        self._workers.register(worker, ttl_s)

    def unregister_worker(self, worker_id: str) -> None:
        """Say that a worker has stopped."""
        self._workers.unregister(worker_id)

    def workers(self) -> Sequence[WorkerInfo]:
        """Live workers, by id."""
        return self._workers.live()

    def release(self, holder: str) -> int:
        """Give up the jobs of workers that are known to be dead, each as an outage; return how many they held.

        Parameters
        ----------
        holder
            What the ids of these workers begin with.
        """
        self._workers.release(holder)
        return int(self._scripts["release"](args=[holder, *self._outages]))

    # housekeeping --------------------------------------------------------------------------------------------------

    def reconcile(self) -> ReconcileReport:
        """Give up every claim whose lease has run out, and queue the jobs whose time has come."""
        lease = seconds_to_microseconds(self.lease_s)
        return ReconcileReport(*self._scripts["reconcile"](args=[lease, *self._outages]))

    def index(self) -> bool:
        """Take one step towards sets that list jobs by several filters; a short one, as nobody else is served in it.

        Returns
        -------
        bool
            Whether they hold every job now. A store of an earlier version has none at first, and a worker of an earlier
            version does not keep them.
        """
        _, done = self._scripts["index"](args=[INDEX_BATCH, *JobStatus])
        return bool(done)

    def strays(self) -> dict[str, int]:
        """Count the entries that were set aside because no record fits them, by where they were."""
        pipeline = self.redis.pipeline(transaction=False)
        for place in PLACES:
            pipeline.zcard(keys.STRAYS + place)
        return dict(zip(PLACES, pipeline.execute(), strict=True))

    def queued(self) -> int:
        """Count the jobs that wait, in the queue or for their time."""
        pipeline = self.redis.pipeline(transaction=False)
        pipeline.zcard(keys.QUEUED)
        pipeline.zcard(keys.DEFERRED)
        return sum(pipeline.execute())

    def counts(self) -> dict[JobStatus, int]:
        """Count the jobs by status."""
        pipeline = self.redis.pipeline(transaction=False)
        for status in JobStatus:
            pipeline.zcard(keys.JOBS_BY_STATUS + status)
        return dict(zip(JobStatus, pipeline.execute(), strict=True))

    def ready(self) -> None:
        """Write, so that a server which only answers reads is found out.

        Raises
        ------
        redis.RedisError
            The server cannot be reached or refuses to write.
        """
        self.redis.set(keys.READY, "1", ex=READY_S)

    def _changed(self, script: str, *args: str | int) -> JobRecord:
        return records.decode(self._scripts.change(script, *args)[1])


def _created(job: NewJob, reply: Sequence[Any]) -> tuple[KeptJob, bool]:
    code, *found = reply
    refuse(code)
    if code == "new":
        return records.created(job, found[0]), False
    return records.kept(records.from_flat(found[0])), code == "replayed"


def release(redis_url: str, holder: str, max_outages: int) -> None:
    """Free at once what the workers held whose ids begin like this: they are dead. It is no error if that fails."""
    with connect(redis_url) as client:
        try:
            released = JobStore(client, max_outages=max_outages).release(holder)
        except redis.RedisError as failure:
            LOG.warning("Redis cannot be reached, leases run out by themselves: %s", failure)
        else:
            if released:
                LOG.warning("%d jobs of a dead worker wait again", released)
