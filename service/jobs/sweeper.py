"""Mends what touches objects, as the reconciler does what touches Redis alone."""

import logging

from service.artifacts import ArtifactStore, StorageError
from service.datasets.datasets import Datasets
from service.jobs.beside import name_stores, write_records
from service.jobs.leftovers import Leftovers
from service.jobs.passes import Passes
from service.jobstore import JobStore, StoresApartError, keys
from service.scratch import Scratch

LOG = logging.getLogger(__name__)


class Sweeper(Passes):
    """Writes records beside objects, and deletes objects and temporary files that belong to nobody any more."""

    def __init__(
        self, store: JobStore, objects: ArtifactStore, datasets: Datasets, scratch: Scratch, *, interval_s: float = 1.0
    ) -> None:
        super().__init__(store.redis, name="sweeper", lock=keys.SWEEPER, interval_s=interval_s)
        self._store = store
        self._objects = objects
        self._datasets = datasets
        self._scratch = scratch
        self._leftovers = Leftovers(store.redis, objects)

    def work_alone(self) -> None:
        """Delete temporary files on this machine."""
        self._scratch.sweep()

    def work(self) -> None:
        """See `Passes.work`."""
        self._name_stores()
        write_records(self._store, self._objects)
        self._datasets.write_records()
        if swept := self._datasets.sweep():
            LOG.warning("deleted %d objects of data sets that no record refers to", swept)
        if swept := self._leftovers.sweep():
            LOG.warning("deleted what %d jobs left that no record refers to", swept)

    def _name_stores(self) -> None:
        """Give the stores the id that workers wait for: one was away when this process started, or was lost."""
        if self._store.redis.exists(keys.STORE):
            return
        try:
            name_stores(self._store.redis, self._objects)
        except (StorageError, StoresApartError) as failure:
            LOG.warning("the objects have no id yet, so that no worker takes a job: %s", failure)
