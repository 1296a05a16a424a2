"""What a lost or damaged job store gets back from the objects: jobs that have ended, and data sets."""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from service.artifacts import ArtifactNotFoundError, StorageError
from service.contract import names
from service.datasets.store import DatasetStore, decode
from service.jobstore import JobStore, RecordNotUnderstood, check_ended, check_together
from service.sealed import SealBrokenError, unseal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from service.artifacts import ArtifactStore
    from service.contract.job import ArtifactRef

LOG = logging.getLogger(__name__)

AT_ONCE: Final = 8
"""Records that are read at the same time: a store that is far away takes its time over each."""
RESTORED: Final = "restored"
THERE: Final = "there already"
NO_RECORD: Final = "has no record: it had not ended, or an earlier version kept it in Redis alone"
DAMAGED: Final = "its record is damaged"
LATER: Final = "its record is of a later version, or not of a job that has ended"
ANOTHER: Final = "its record is that of another"
UNREADABLE: Final = "it cannot be read now"
INCOMPLETE: Final = "not all of its objects are there"


@dataclass(frozen=True)
class Rebuilt:
    """What became of each folder: how many of each outcome, and those that were left out, by why."""

    counts: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, outcome: str) -> None:
        """Count one more."""
        self.counts[outcome] += 1
        if outcome not in {RESTORED, THERE}:
            self.left_out.setdefault(outcome, []).append(name)

    @property
    def refused(self) -> int:
        """Records that may be there and were not put back."""
        return sum(len(ids) for why, ids in self.left_out.items() if why != NO_RECORD)


class Rebuilding:
    """Puts back into a job store what the objects say of jobs and data sets. Repeating it changes nothing.

    A record is put back if it is as it was written, can be read by this version, and all objects that it refers to are
    there, of their size; their content is checked when it is read, as always. One that is in the store stays, unless it
    cannot be read there, or is an earlier state of the same job.

    Every method may raise ``redis.RedisError``, and `StorageError` where folders cannot be listed or an id
    cannot be given.
    """

    def __init__(self, store: JobStore, artifacts: ArtifactStore) -> None:
        self._store = store
        self._datasets = DatasetStore(store.redis)
        self._artifacts = artifacts

    def name_store(self) -> None:
        """Give a job store that is new the id of the objects.

        Raises
        ------
        StoresApartError
            It has that of others.
        """
        check_together(self._store.redis, self._artifacts, name=True)

    def jobs(self, each: Callable[[int], None]) -> Rebuilt:
        """Put back jobs that have ended, and call `each` with the number of all of them for each that is done."""
        return self._all(names.JOBS, self._job, each)

    def datasets(self, each: Callable[[int], None]) -> Rebuilt:
        """Put back data sets; otherwise as `jobs`."""
        return self._all(names.DATASETS, self._dataset, each)

    def _all(self, folder: str, one: Callable[[str], str], each: Callable[[int], None]) -> Rebuilt:
        def of_one(name: str) -> str:
            return _outcome(f"{name} in {folder}", lambda: one(name))

        found, rebuilt = self._artifacts.folders(folder), Rebuilt()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for name, outcome in zip(found, pool.map(of_one, found), strict=True):
                rebuilt.add(name, outcome)
                each(len(found))
        return rebuilt

    def _job(self, job_id: str) -> str:
        sizes = self._artifacts.sizes(names.job_prefix(job_id))
        path = names.record_path(job_id)
        if path not in sizes:
            return NO_RECORD
        fields = unseal(self._artifacts.get(path))
        record = check_ended(fields)
        if record.id != job_id:
            return ANOTHER
        if not _are_there(record.artifacts.values(), sizes):
            return INCOMPLETE
        return RESTORED if self._store.endings.restore(fields) else THERE

    def _dataset(self, dataset_id: str) -> str:
        sizes = self._artifacts.sizes(names.dataset_prefix(dataset_id))
        outcome = NO_RECORD
        for path in sorted(path for path in sizes if path.endswith(names.dataset_record_path(""))):
            outcome = _outcome(path, partial(self._upload, dataset_id, path, sizes))
            if outcome in {RESTORED, THERE}:
                break
        return outcome

    def _upload(self, dataset_id: str, path: str, sizes: Mapping[str, int]) -> str:
        fields = unseal(self._artifacts.get(path))
        record = decode(fields)
        if record.id != dataset_id or names.dataset_record_path(record.object.path) != path:
            return ANOTHER
        if not _are_there(filter(None, (record.object, record.preview)), sizes):
            return INCOMPLETE
        return RESTORED if self._datasets.restore(fields) else THERE


def _outcome(what: str, put_back: Callable[[], str]) -> str:
    """Put one record back, and return what became of it."""
    try:
        return put_back()
    except StorageError as failure:
        LOG.warning("%s cannot be read: %s", what, failure)
        return UNREADABLE
    except (SealBrokenError, ArtifactNotFoundError):  # or it was deleted just now
        return DAMAGED
    except RecordNotUnderstood:
        return LATER


def _are_there(references: Iterable[ArtifactRef], sizes: Mapping[str, int]) -> bool:
    return all(sizes.get(reference.path) == reference.bytes for reference in references)
