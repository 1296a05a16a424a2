"""Clears away what requests and attempts left behind when they were cut off."""

import logging
from collections import Counter
from typing import Final

import redis

from service.artifacts import ArtifactStore, StorageError
from service.contract import names
from service.jobs.beside import IN_A_ROW
from service.jobstore import Unsettled

LOG = logging.getLogger(__name__)

LOST_AFTER_S: Final = 3600.0
"""Time that writing what a job is given may take; a job that is not made by then never is."""


class Leftovers:
    """Objects of jobs that no record names."""

    def __init__(self, client: redis.Redis, artifacts: ArtifactStore) -> None:
        self._unsettled = Unsettled(client)
        self._artifacts = artifacts
        self._failures: Counter[str] = Counter()

    def sweep(self, lost_after_s: float = LOST_AFTER_S) -> int:
        """Delete them, and return how many jobs they were of; a few jobs at once.

        Jobs whose objects could not be deleted before come last, beside as many others as ever. Their place in the job
        store stays: a time of 0 there says that the job is never made.

        Raises
        ------
        redis.RedisError
            The server cannot be reached.
        """
        swept = in_a_row = 0
        entries = self._unsettled.entries(lost_after_s, beside=len(self._failures))
        self._failures = Counter({job_id: self._failures[job_id] for job_id, _ in entries if job_id in self._failures})
        for job_id, fence in sorted(entries, key=lambda entry: self._failures[entry[0]]):
            try:
                if fence is None:
                    deleted = self._delete(job_id)
                else:
                    deleted = self._artifacts.delete_prefix(names.checkpoints_prefix(job_id))
                    deleted += self._artifacts.delete_folders(names.results_prefix(job_id), but=str(fence))
            except StorageError as failure:
                LOG.warning("objects of job %s that are not needed are deleted later: %s", job_id, failure)
                self._failures[job_id] += 1
                in_a_row += 1
                if in_a_row == IN_A_ROW:
                    break  # the others would fare no better; there is a next time
                continue
            in_a_row = 0
            del self._failures[job_id]
            self._unsettled.settle(job_id)
            swept += deleted > 0
        return swept

    def _delete(self, job_id: str) -> int:
        """Delete the objects of a job that was never made, and return how many; not those of one that is lost."""
        prefix = names.job_prefix(job_id)
        if names.record_path(job_id) in self._artifacts.sizes(prefix):  # a deleted one has none: it goes first
            LOG.error("the job store has lost job %s, which has ended: `deeplimit rebuild` brings it back", job_id)
            return 0
        return self._artifacts.delete_prefix(prefix)
