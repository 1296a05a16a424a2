"""What one worker process keeps: its connection, its warm trainer, how it takes a job, and when it gives up."""

import logging
import math
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final

import redis

from service.artifacts import ArtifactStore, StorageError
from service.config import Settings
from service.contract.job import JobStatus, Loss, Revision, WorkerInfo
from service.jobstore import (
    Claim,
    JobStore,
    JobStoreError,
    RevisionFeed,
    StoresApartError,
    StoresUnnamedError,
    Unsettled,
    check_together,
    connect,
    worker_prefix,
)
from worker.supervision import Attempt, End
from worker.trainer_process import Announced, Died, Event, Said, StopAsked, TrainerProcess

LOG = logging.getLogger(__name__)

BEAT_S: Final = 5.0
SILENT_S: Final = 20.0
PROBE_PAUSE_S: Final = 0.5
LONGEST_PROBE_PAUSE_S: Final = 15.0
"""Between two looks at whether objects can be used again; the pause doubles from the one to the other."""
START_PAUSES_S: Final = (1.0, 2.0)
"""Before each further attempt to start a trainer; when the last fails too, the worker gives up."""


class Station:
    """The state of one worker process. Everything but its two daemon threads runs in the main thread.

    Parameters
    ----------
    settings, redis_url
        How it works, and for whom.
    give_up
        Called when no trainer can be started: has the whole worker end, with a status that says so.
    """

    def __init__(self, settings: Settings, redis_url: str, give_up: Callable[[], None]) -> None:
        self.stopping = False
        self._settings = settings
        self._give_up = give_up
        self._store = JobStore(
            connect(redis_url),
            lease_s=settings.lease_s,
            max_crashes=settings.max_crashes,
            max_outages=settings.max_outages,
        )
        self._name = settings.worker_name
        self._id = worker_prefix(self._name, os.getpid()) + secrets.token_hex(3)
        self._together = False
        self._artifacts = ArtifactStore.of(settings)
        self._unready = False
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._feed = RevisionFeed(self._store.redis, self._announced)
        self._trainer: TrainerProcess | None = None
        self._ready: TrainerProcess | None = None
        self._info: WorkerInfo | None = None
        self._beat_now = threading.Event()

    def open(self) -> None:
        """Start to warm up a trainer, and listen for cancelled jobs.

        What was called like this one before has died, and what it held is free.
        """
        if self._name is not None:
            try:
                self._store.release(f"{self._name}/")
            except redis.RedisError as failure:
                LOG.warning("Redis cannot be reached, leases before this one run out by themselves: %s", failure)
        self._trainer = TrainerProcess(self._settings.executor, self._tell)
        self._feed.start()
        self._feed.listen(math.inf)
        threading.Thread(target=self._beat, name="beat", daemon=True).start()

    def ask_to_stop(self) -> None:
        """Stop the job that runs, if any, and take no other. May be called in a signal handler."""
        self.stopping = True
        self._events.put(StopAsked())
        self._beat_now.set()

    def take(self) -> None:
        """Do the job that has waited longest, if one waits; another one too where it had to be given up."""
        try:
            while not self.stopping and self._take_one() in {End.GIVEN_UP, End.UNSTORED}:
                pass
        except redis.RedisError as failure:
            LOG.warning("Redis cannot be reached, another hint will come: %s", failure)

    def _take_one(self) -> End | None:
        """Do one job; None where none waits, or where none can be done now."""
        if not self._is_together():
            return None
        trainer = self._warm_trainer()
        if trainer is None:
            return None
        claim = self._store.claim(self._id)
        if claim is None:
            return None
        LOG.info("job %s: attempt %d, trainer %d", claim.record.id, claim.record.attempt, trainer.pid)
        trainer.jobs += 1
        try:
            attempt = Attempt(claim, trainer, self._events, self._store, self._settings)
            end = attempt.run()
        except BaseException as failure:
            trainer.signal(signal.SIGKILL)  # nobody watches it any more
            if isinstance(failure, Exception) and not isinstance(failure, redis.RedisError):
                self._count_crash(claim, failure)
            raise
        LOG.info("job %s: %s", claim.record.id, end.name.lower())
        if attempt.superseded:  # the job may have ended, and been cleared up after, before the last of it was written
            Unsettled(self._store.redis).announce(claim.record.id)
        if end is End.UNSTORED:
            self._await_storage(lambda: self._artifacts.probe(attempt.unstored))
        if end is End.BROKEN or trainer.jobs >= self._settings.jobs_per_trainer or not trainer.alive:
            self._replace_trainer()
        return end

    def _count_crash(self, claim: Claim, failure: Exception) -> None:
        """Give a job up over which this worker failed itself: with its lease to run out, it would be tried for ever."""
        with suppress(JobStoreError):  # it is somebody else's by now
            reason = f"its worker failed with {type(failure).__name__}"
            self._store.requeue(claim.record.id, claim.fence, Loss.CRASH, reason)

    def _is_together(self) -> bool:
        """Whether job store and objects belong together, so that what this worker writes will be found."""
        if not self._together:
            try:
                self._together = self._await_storage(self._check_together)
            except StoresApartError as apart:
                LOG.critical("no job is taken, and the worker gives up: %s", apart)
                self.ask_to_stop()
                self._give_up()
        return self._together and not self.stopping

    def _check_together(self) -> None:
        check_together(self._store.redis, self._artifacts, name=False)

    def _await_storage(self, use: Callable[[], None]) -> bool:
        """Use the objects as soon as they can be used, which is said; no live worker is this one meanwhile."""
        pause = PROBE_PAUSE_S
        while not self.stopping:
            try:
                use()
            except (StorageError, StoresUnnamedError) as failure:
                LOG.error("objects cannot be used; no job is taken until they can: %s", failure)  # noqa: TRY400 - said often
                self._be_ready(ready=False)
                self._rest(pause)
                pause = min(2 * pause, LONGEST_PROBE_PAUSE_S)
            else:
                if self._unready:
                    LOG.warning("objects can be used")
                    self._be_ready(ready=True)
                return True
        return False

    def _be_ready(self, *, ready: bool) -> None:
        self._unready = not ready
        self._beat_now.set()

    def _replace_trainer(self) -> None:
        if self._trainer is not None:
            self._trainer.dismiss()
        self._trainer = self._ready = None
        if not self.stopping:
            self._trainer = TrainerProcess(self._settings.executor, self._tell)

    def _warm_trainer(self) -> TrainerProcess | None:
        """Wait for the trainer. No job is claimed before: one that cannot start must not use up attempts.

        One that dies before it is ready is replaced, after a pause that grows, and the worker gives up in the end: what
        keeps a trainer from starting is wrong on this machine, so the jobs wait for another worker or a mended one.
        """
        for pause in (*START_PAUSES_S, None):
            if self._trainer is None or not self._trainer.alive:
                self._replace_trainer()
            ready = self._wait_ready()
            if ready is not None or self.stopping:
                return ready
            if pause is not None:
                self._rest(pause)
        LOG.critical(
            "no trainer can be started: %d in a row ended before they were ready; the worker gives up. What they wrote"
            " above says why; they were to run %s",
            len(START_PAUSES_S) + 1,
            self._settings.executor,
        )
        self.ask_to_stop()
        self._give_up()
        return None

    def _wait_ready(self) -> TrainerProcess | None:
        """Wait until the trainer is ready and nothing is left to hear; None where it dies or the worker is to stop."""
        while self._trainer is not self._ready or not self._events.empty():
            try:
                event = self._events.get(timeout=self._patience())
            except Empty:
                self._lose_patience()
                continue
            self._hear(event)
            if self._trainer is None or isinstance(event, StopAsked):
                return None
        return self._ready

    def _patience(self) -> float | None:
        """Seconds that the trainer still has to become ready in; None where it was told to end."""
        if self._trainer is None or not self._trainer.alive:
            return None
        return max(0.0, self._trainer.since + self._settings.start_s - time.monotonic())

    def _lose_patience(self) -> None:
        if self._trainer is not None:
            LOG.error("trainer %d hangs: it did not start in %g s", self._trainer.pid, self._settings.start_s)
            self._trainer.signal(signal.SIGKILL)

    def _hear(self, event: Event) -> None:
        """Heed what a trainer says, or its death, while no job runs."""
        if isinstance(event, Said) and event.message["type"] == "ready" and event.trainer is self._trainer:
            self._ready = event.trainer
        elif isinstance(event, Died) and event.trainer is self._trainer:
            LOG.error("trainer %d died with status %d while no job ran", event.trainer.pid, event.returncode)
            event.trainer.dismiss()
            self._trainer = self._ready = None

    def _rest(self, seconds: float) -> None:
        """Wait, unless the worker is to stop."""
        until = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < until:
            try:
                self._hear(self._events.get(timeout=max(0.0, until - time.monotonic())))
            except Empty:
                return

    def _tell(self, event: Event) -> None:
        """Hear a trainer, in its thread."""
        if isinstance(event, Said) and event.message["type"] == "ready":
            self._introduce(event)
        self._events.put(event)

    def _introduce(self, event: Said) -> None:
        self._info = WorkerInfo(
            id=self._id,
            hostname=socket.gethostname(),
            pid=os.getpid(),
            devices=tuple(event.message["devices"]),
            torch=event.message["torch"],
        )
        self._beat_now.set()

    def _announced(self, revision: Revision | None) -> None:
        if revision is None or revision.status is JobStatus.CANCELLING:
            self._events.put(Announced(revision))

    def _beat(self) -> None:
        """Keep this worker registered from when its trainer has said what it can do until it is told to stop."""
        while True:
            self._beat_now.wait(BEAT_S)
            self._beat_now.clear()
            if self._info is None:
                if self.stopping:
                    return
                continue
            try:
                if self.stopping or self._unready:
                    self._store.unregister_worker(self._id)
                else:
                    self._store.register_worker(self._info, SILENT_S)
                if self.stopping:
                    return
            except redis.RedisError as failure:
                LOG.warning("Redis cannot be reached: %s", failure)
