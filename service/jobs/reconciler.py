"""Mends what a crash or a lost message leaves behind: leases that have run out, jobs without a hint, stray objects."""

import logging
import secrets
import threading
from typing import Final

import redis
from redis.exceptions import LockError

from service.artifacts import ArtifactStore, StorageError
from service.datasets.datasets import Datasets
from service.jobs.beside import name_stores, write_records
from service.jobs.dispatch import Dispatcher
from service.jobs.leftovers import Leftovers
from service.jobstore import JobStore, StoresApartError, keys
from service.scratch import Scratch

LOG = logging.getLogger(__name__)

LOCK_S: Final = 10.0
MOST_HINTS: Final = 100
"""Hints sent in one pass; a longer queue is served over the next passes."""
MOST_STEPS: Final = 100
"""Steps in one pass towards indices that are complete; a store that needs more is served over the next passes."""


class Reconciler:
    """A thread that makes a pass every `interval_s`. Of several such threads, one at a time does."""

    def __init__(
        self,
        store: JobStore,
        dispatcher: Dispatcher,
        datasets: Datasets,
        *,
        objects: ArtifactStore | None = None,
        scratch: Scratch | None = None,
        interval_s: float = 1.0,
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._datasets = datasets
        self._objects = objects
        self._scratch = scratch
        self._leftovers = None if objects is None else Leftovers(store.redis, objects)
        self._interval_s = interval_s
        self._strays = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"reconciler-{secrets.token_hex(2)}", daemon=True)

    def start(self) -> None:
        """Begin with a pass now."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the pass that is being made."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)

    def once(self) -> bool:
        """Make one pass, unless somebody else is making one.

        Raises
        ------
        redis.RedisError
            The server cannot be reached.
        """
        lock = self._store.redis.lock(keys.RECONCILER, timeout=LOCK_S)
        if not lock.acquire(blocking=False):
            # that of a dead one would last for as long as the server's clock was set back
            self._store.redis.expire(keys.RECONCILER, round(LOCK_S), lt=True)
            return False
        try:
            self._name_stores()
            lost = self._store.reconcile()
            self._count_strays()
            if lost.requeued or lost.cancelled:
                LOG.warning("workers were lost: %d jobs requeued, %d cancelled", lost.requeued, lost.cancelled)
            for _ in range(min(lost.queued - self._dispatcher.pending(), MOST_HINTS)):
                if not self._dispatcher.send():
                    break
            for _ in range(MOST_STEPS):
                if self._store.index():
                    break
            if self._objects is not None:
                write_records(self._store, self._objects)
            self._datasets.write_records()
            self._sweep()
        finally:
            try:
                lock.release()
            except LockError:  # it ran out during a slow pass; the pass is idempotent
                LOG.info("a pass took longer than %g s", LOCK_S)
        return True

    def _sweep(self) -> None:
        if swept := self._datasets.sweep():
            LOG.warning("deleted %d objects of data sets that no record refers to", swept)
        if self._leftovers is not None and (swept := self._leftovers.sweep()):
            LOG.warning("deleted what %d jobs left that no record refers to", swept)

    def _count_strays(self) -> None:
        strays = sum(self._store.strays().values())
        if strays > self._strays:
            LOG.error("%d entries of queue and leases are set aside: no record fits them", strays)
        self._strays = strays

    def _name_stores(self) -> None:
        """Give the stores the id that workers wait for: one was away when this process started, or was lost."""
        if self._objects is None or self._store.redis.exists(keys.STORE):
            return
        try:
            name_stores(self._store.redis, self._objects)
        except (StorageError, StoresApartError) as failure:
            LOG.warning("the objects have no id yet, so that no worker takes a job: %s", failure)

    def _run(self) -> None:
        away = False
        while True:
            try:
                if self._scratch is not None:  # each process for its machine, and without Redis as well
                    self._scratch.sweep()
            except Exception:  # whatever it is, jobs that were lost are not to wait for it
                LOG.exception("temporary files could not be swept")
            try:
                self.once()
                away = False
            except redis.RedisError as failure:
                if not away:
                    LOG.warning("the reconciler cannot reach Redis: %s", failure)
                away = True
            except Exception:  # whatever it is, the next pass may do what this one could not
                LOG.exception("a pass of the reconciler failed")
            if self._stopping.wait(self._interval_s):
                return
