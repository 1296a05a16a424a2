"""Clears away what requests and attempts left behind when they were cut off."""

import logging
from typing import Final

import redis

from service.artifacts import ArtifactStore, StorageError
from service.contract import names
from service.jobstore import Unsettled

LOG = logging.getLogger(__name__)

LOST_AFTER_S: Final = 3600.0
"""Time that writing what a job is given may take; a job that is not made by then never is."""


class Leftovers:
    """Objects of jobs that no record names."""

    def __init__(self, client: redis.Redis, artifacts: ArtifactStore) -> None:
        self._unsettled = Unsettled(client)
        self._artifacts = artifacts

    def sweep(self, lost_after_s: float = LOST_AFTER_S) -> int:
        """Delete them, and return how many jobs they were of; a few jobs at once.

        Raises
        ------
        redis.RedisError
            The server cannot be reached.
        """
        swept = 0
        for job_id, fence in self._unsettled.entries(lost_after_s):
            try:
                if fence is None:
                    deleted = self._delete(job_id)
                else:
                    deleted = self._artifacts.delete_prefix(names.checkpoints_prefix(job_id))
                    deleted += self._artifacts.delete_folders(names.results_prefix(job_id), but=str(fence))
            except StorageError as failure:
                LOG.warning("objects that are not needed are still there, to be deleted later: %s", failure)
                break  # the others would fare no better; there is a next time
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
