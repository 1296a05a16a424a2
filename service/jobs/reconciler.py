"""Mends in Redis what a crash or a lost message leaves behind: leases that have run out, jobs without a hint.

It touches no objects: a store of them that hangs must not keep the jobs of dead workers from others.
"""

import logging
from typing import Final

from service.jobs.dispatch import Dispatcher
from service.jobs.passes import Passes
from service.jobstore import JobStore, keys

LOG = logging.getLogger(__name__)

MOST_HINTS: Final = 100
"""Hints sent in one pass; a longer queue is served over the next passes."""
MOST_STEPS: Final = 100
"""Steps in one pass towards indices that are complete; a store that needs more is served over the next passes."""


class Reconciler(Passes):
    """Requeues, hints, and counts what fits no record."""

    def __init__(self, store: JobStore, dispatcher: Dispatcher, *, interval_s: float = 1.0) -> None:
        super().__init__(store.redis, name="reconciler", lock=keys.RECONCILER, interval_s=interval_s)
        self._store = store
        self._dispatcher = dispatcher
        self._strays = 0

    def work(self) -> None:
        """See `Passes.work`."""
        lost = self._store.reconcile()
        self._count_strays()
        if lost.requeued or lost.cancelled or lost.failed:
            ends = (lost.requeued, lost.cancelled, lost.failed)
            LOG.warning("workers were lost: %d jobs requeued, %d cancelled, %d failed of too many losses", *ends)
        for _ in range(min(lost.queued - self._dispatcher.pending(), MOST_HINTS)):
            if not self._dispatcher.send():
                break
        for _ in range(MOST_STEPS):
            if self._store.index():
                break

    def _count_strays(self) -> None:
        strays = sum(self._store.strays().values())
        if strays > self._strays:
            LOG.error("%d entries of queue and leases are set aside: no record fits them", strays)
        self._strays = strays
