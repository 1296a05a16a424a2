"""One attempt at a job, from the claim to its end, as the supervisor of the trainer sees it."""

import logging
import math
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

import redis
from pydantic import TypeAdapter

from service.config import Settings
from service.contract.job import ArtifactRef, JobError, JobStatus, Loss, Progress
from service.jobstore import Claim, JobStore, JobStoreError, LeaseState, StaleFence
from worker.reporting import LatestProgress
from worker.trainer_process import Announced, Died, Event, Said, StopAsked, TrainerProcess

LOG = logging.getLogger(__name__)

RETRY_S: Final = 0.5
SILENCES: Final = 2
"""Parts of the time that a trainer may be silent for."""
AWAY: Final = (redis.ConnectionError, redis.TimeoutError, redis.OutOfMemoryError, redis.ReadOnlyError)
"""Errors of a server that may come back; another one is not mended by asking again."""

_ARTIFACTS: Final = TypeAdapter(dict[str, ArtifactRef])
_CHECKPOINTS: Final = TypeAdapter(list[ArtifactRef])
T = TypeVar("T")


class Reason(Enum):
    """Why the supervisor makes a trainer stop."""

    CANCELLED = auto()
    LEASE_LOST = auto()
    WALL_TIME = auto()
    STOPPING = auto()
    HUNG = auto()


class End(Enum):
    """How an attempt ended."""

    FINISHED = auto()
    GIVEN_UP = auto()  # the job may wait again
    UNSTORED = auto()  # likewise, and what it reads and writes cannot be reached
    BROKEN = auto()  # the job has ended, and the trainer met something that should not happen


class Attempt:
    """Supervises one claim: feeds the trainer, renews the lease, records progress and the end.

    Attributes
    ----------
    unstored
        Bytes that the attempt needed room for and did not find.
    superseded
        Whether the job is another attempt's, so that no record will name what this one wrote.
    """

    def __init__(
        self,
        claim: Claim,
        trainer: TrainerProcess,
        events: SimpleQueue[Event],
        store: JobStore,
        settings: Settings,
    ) -> None:
        self._job_id = claim.record.id
        self._fence = claim.fence
        self._record = claim.record
        self._trainer = trainer
        self._events = events
        self._store = store
        self._settings = settings
        self.unstored = 0
        self.superseded = False
        self._reason: Reason | None = None
        self._latest = LatestProgress()
        self._checkpoints: Sequence[ArtifactRef] | None = None
        given = self._record.crashes + 1 < settings.max_crashes or self._record.overruns > 0
        self._given = claim.checkpoints if given else []
        self._wall_time_s = _wall_time_s(self._record.spec)
        self._finish_only = self._record.overruns > 0
        self._keeps = bool(self._given)
        now = time.monotonic()
        self._renew_at = now + settings.renew_s
        self._wall_at = now + (0.0 if self._finish_only else self._wall_time_s) + settings.wall_time_grace_s
        self._terminate_at = math.inf
        self._kill_at = math.inf
        self._heard()

    def run(self) -> End:
        """Have the job trained, and record how it ended."""
        self._trainer.say(
            {
                "type": "run",
                "job_id": self._job_id,
                "fence": self._fence,
                "spec": self._record.spec,
                "spec_sha256": self._record.spec_sha256,
                "given": {key: ref.model_dump(mode="json") for key, ref in self._record.artifacts.items()},
                "checkpoints": [ref.model_dump(mode="json") for ref in self._given],
                "finish_only": self._finish_only,
            }
        )
        while True:
            event = self._next_event()
            if isinstance(event, Said) and event.trainer is self._trainer:
                self._heard()
                if event.message["type"] == "progress":
                    self._latest.put(_progress(event.message))
                elif event.message["type"] == "checkpoint":
                    self._checkpoints = _CHECKPOINTS.validate_python(event.message["checkpoints"])
                    self._keeps = True
                    self._commit()
                elif event.message["type"] != "tick":
                    return self._ended(event.message)
            elif isinstance(event, Died) and event.trainer is self._trainer:
                return self._died(event)
            elif isinstance(event, Announced):
                self._hear(event)
            elif isinstance(event, StopAsked):
                self._stop(Reason.STOPPING)
            self._keep_time()

    def _next_event(self) -> Event | None:
        due = min(self._renew_at, self._wall_at, self._terminate_at, self._kill_at, self._listen_at, self._latest.due)
        try:
            return self._events.get(timeout=max(0.0, due - time.monotonic()))
        except Empty:
            return None

    def _keep_time(self) -> None:
        now = time.monotonic()
        progress = self._latest.take(now)
        if progress is not None and self._reason is None:
            self._speak(lambda: self._store.report_progress(self._job_id, self._fence, progress))
        if now >= self._renew_at:
            self._renew_at = now + self._settings.renew_s
            self._speak(lambda: self._store.renew(self._job_id, self._fence))
            self._commit()
        if now >= self._wall_at:
            self._wall_at = math.inf
            self._stop(Reason.WALL_TIME)
        if now >= self._listen_at:
            self._listen()
        if now >= self._terminate_at:
            self._terminate_at = math.inf
            self._kill_at = now + self._settings.kill_grace_s
            self._trainer.signal(signal.SIGTERM)
        if now >= self._kill_at:
            self._kill_at = math.inf
            self._trainer.signal(signal.SIGKILL)

    def _commit(self) -> None:
        """Have the record name the newest checkpoints; where Redis is away, with the next renewal of the lease."""
        if (refs := self._checkpoints) is None:
            return

        def told() -> LeaseState:
            state = self._store.keep_checkpoints(self._job_id, self._fence, refs)
            self._checkpoints = None
            return state

        self._speak(told)

    def _heard(self) -> None:
        """Note that the trainer lives."""
        self._silences = 0
        self._listen_at = time.monotonic() + self._settings.tick_s / SILENCES

    def _listen(self) -> None:
        """Have a trainer killed that is silent for long; in parts, as this process may have slept itself."""
        self._silences += 1
        self._listen_at = time.monotonic() + self._settings.tick_s / SILENCES
        if self._silences >= SILENCES:
            self._listen_at = math.inf
            LOG.error("job %s: its trainer hangs: silent for %g s", self._job_id, self._settings.tick_s)
            self._stop(Reason.HUNG)

    def _hear(self, event: Announced) -> None:
        revision = event.revision
        if revision is None or (revision.job_id == self._job_id and revision.status is JobStatus.CANCELLING):
            self._speak(lambda: self._store.renew(self._job_id, self._fence))

    def _speak(self, call: Callable[[], LeaseState]) -> None:
        """Tell the store something, and heed what it answers."""
        try:
            state = call()
        except redis.RedisError as failure:
            LOG.warning("job %s: Redis cannot be reached, training goes on: %s", self._job_id, failure)
            self._renew_at = min(self._renew_at, time.monotonic() + RETRY_S)
            return
        if state is LeaseState.LOST:
            self._stop(Reason.LEASE_LOST)
        elif state is LeaseState.CANCEL_REQUESTED:
            self._stop(Reason.CANCELLED)

    def _stop(self, reason: Reason) -> None:
        """Make the trainer stop: gently where the job is cancelled, or it may keep what it knows; otherwise at once."""
        if self._reason is reason or (self._reason is Reason.WALL_TIME and reason is Reason.STOPPING):
            return  # it has been told to leave already, and is over its time whoever stops it
        LOG.info("job %s: stopping its trainer: %s", self._job_id, reason.name.lower())
        if self._reason is not Reason.CANCELLED or reason is Reason.LEASE_LOST:  # a wish to cancel is to be kept
            self._reason = reason
        if reason is Reason.CANCELLED:
            self._trainer.say({"type": "cancel"})
            self._terminate_at = time.monotonic() + self._settings.cancel_grace_s
        elif reason in {Reason.STOPPING, Reason.WALL_TIME} and self._reason is reason:
            self._trainer.say({"type": "leave"})
            self._kill_at = time.monotonic() + self._settings.leave_grace_s
        else:
            self._trainer.signal(signal.SIGKILL)

    def _ended(self, message: Mapping[str, Any]) -> End:
        """Record what the trainer says of the end. Its word counts even where it was being stopped just then."""
        match message["type"]:
            case "done":
                artifacts = _ARTIFACTS.validate_python(message["artifacts"])
                return self._finish(JobStatus.SUCCEEDED, artifacts=artifacts)
            case "failed":
                error = JobError(
                    code=message["code"],
                    detail=message["detail"],
                    origin=message["origin"],
                    retryable=message["code"] == "out_of_memory",
                )
                end = self._finish(JobStatus.FAILED, error=error)
                return end if error.origin == "user" else End.BROKEN
            case "stopped" if self._reason is Reason.CANCELLED:
                return self._finish(JobStatus.CANCELLED)
            case "stopped" if self._reason in {Reason.STOPPING, Reason.WALL_TIME}:
                self._commit()
                return self._left()
            case "unstored":
                self.unstored = message["bytes"]
                self._give_up(Loss.UNSTORED, "its results could not be stored")
                return End.UNSTORED
            case "not_understood":
                LOG.warning("job %s is left to workers of another version: %s", self._job_id, message["reason"])
                loss, reason = Loss.NOT_UNDERSTOOD, "its worker could not read its specification"
            case other:
                LOG.error("job %s: the trainer said %s unasked", self._job_id, other)
                self._trainer.signal(signal.SIGKILL)
                loss, reason = Loss.CRASH, "its trainer stopped unasked"
        return self._give_up(loss, reason)

    def _died(self, death: Died) -> End:
        match self._reason:
            case Reason.CANCELLED:
                return self._finish(JobStatus.CANCELLED)
            case Reason.LEASE_LOST:
                self.superseded = True
                return End.GIVEN_UP
            case Reason.STOPPING | Reason.WALL_TIME:
                return self._left()
            case Reason.HUNG:
                reason = f"its trainer process hung and was killed after {self._settings.tick_s:g} s"
                return self._give_up(Loss.CRASH, f"{reason}{_quoted(death)}")
            case None:
                status = death.returncode
                how = f"signal {-status}" if status < 0 else f"exit status {status}"
                LOG.warning("job %s: its trainer died of %s", self._job_id, how)
                return self._give_up(Loss.CRASH, f"its trainer process died of {how}{_quoted(death)}")

    def _left(self) -> End:
        """Record that the trainer was told to leave the job to another attempt.

        One that was far over its time is to finish what is kept; where nothing is, or this was that one, the job fails.
        """
        if self._reason is Reason.STOPPING:
            return self._give_up(Loss.RETURNED, "its worker was stopped")
        detail = f"The job ran longer than its limit of {self._wall_time_s:g} s and was ended."
        if self._keeps:
            return self._give_up(Loss.OVERRUN, detail)
        return self._finish(JobStatus.FAILED, error=JobError.out_of_time(detail))

    def _finish(
        self, status: JobStatus, *, error: JobError | None = None, artifacts: Mapping[str, ArtifactRef] | None = None
    ) -> End:
        self._insist(lambda: self._store.finish(self._job_id, self._fence, status, error=error, artifacts=artifacts))
        return End.FINISHED

    def _give_up(self, loss: Loss, reason: str) -> End:
        self._insist(lambda: self._store.requeue(self._job_id, self._fence, loss, reason))
        return End.GIVEN_UP

    def _insist(self, call: Callable[[], T]) -> None:
        """Have the store record the end, however long Redis is away; the lease decides whether it is heard in time."""
        while True:
            try:
                call()
            except redis.RedisError as failure:
                if not _may_come_back(failure):
                    raise
                LOG.warning("job %s: Redis cannot be reached to record its end: %s", self._job_id, failure)
            except JobStoreError as refusal:
                LOG.warning("job %s: its end came too late: %s", self._job_id, type(refusal).__name__)
                self.superseded = isinstance(refusal, StaleFence)
                return
            else:
                return
            try:
                event = self._events.get(timeout=RETRY_S)
            except Empty:
                continue
            if isinstance(event, StopAsked):
                return  # the lease runs out, and somebody else does the job


def _wall_time_s(spec: Mapping[str, Any]) -> float:
    """Return the limit of a job; none where this version cannot read it, which is for the trainer to say."""
    limits = spec.get("limits")
    limit = limits.get("wall_time_s") if isinstance(limits, Mapping) else None
    return float(limit) if isinstance(limit, int | float) and limit > 0 else math.inf


def _quoted(death: Died) -> str:
    return f"; it wrote last:\n{death.last_words}\n" if death.last_words else ""


def _may_come_back(failure: redis.RedisError) -> bool:
    """Whether asking again may help: the server is away or takes no writes, perhaps because its own disk is full."""
    return isinstance(failure, AWAY) or str(failure).startswith("MISCONF")


def _progress(message: Mapping[str, Any]) -> Progress:
    return Progress.model_validate({name: value for name, value in message.items() if name != "type"})
