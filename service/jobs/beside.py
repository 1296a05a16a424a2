"""Records of jobs that have ended, beside their objects, so that losing the job store loses no results."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from service.artifacts import StorageError
from service.contract import names
from service.contract.values.media_types import JSON
from service.jobstore import RecordNotUnderstood, check_ended, check_together
from service.sealed import seal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import redis

    from service.artifacts import ArtifactStore
    from service.jobstore import JobStore

LOG = logging.getLogger(__name__)

MOST: Final = 100
"""Records that one call writes."""
IN_A_ROW: Final = 3
"""Failures of the store of objects, one after another, after which a pass leaves the rest to the next one."""


def name_stores(client: redis.Redis, objects: ArtifactStore) -> None:
    """Have job store and objects hold one id, and say so where a job store is new and its objects are not.

    Raises as `check_together`.
    """
    if check_together(client, objects, name=True):
        LOG.warning(
            "the job store is new, or was lost, and the objects in %s are not: it knows none of their jobs and data"
            " sets. `deeplimit rebuild` brings back the jobs that have ended, and data sets",
            objects.location,
        )


def write_records(store: JobStore, artifacts: ArtifactStore) -> None:
    """Write the records of jobs that have ended since the last call.

    The script that ends a job notes that its record is to be written, and that which deletes one that the record must
    not be there: a crash at any point leaves the note. An object that was written while its job was being deleted is
    deleted by the next call. One that cannot be written now comes after all others, so that it keeps none of them
    waiting. A record that this version cannot read is written as it is, for the version that can, but not in place of
    another: that may be the one from before it was damaged.
    """
    failures = 0
    for job_id, since in store.endings.unwritten(MOST):
        path = names.record_path(job_id)
        try:
            fields = store.endings.fields(job_id)
            if fields is None:
                artifacts.delete(path)
            elif _is_understood(fields) or path not in artifacts.sizes(names.job_prefix(job_id)):
                artifacts.put(path, seal(fields), JSON)
        except RecordNotUnderstood as failure:
            LOG.error("job %s has no record, so that none is kept: %s", job_id, failure.__cause__)  # noqa: TRY400 - the cause says it
        except StorageError as failure:
            LOG.warning("the record of job %s is written later: %s", job_id, failure)
            store.endings.postpone(job_id)
            failures += 1
            if failures == IN_A_ROW:
                return
            continue
        failures = 0
        store.endings.written(job_id, since)


def _is_understood(fields: Mapping[str, str]) -> bool:
    try:
        check_ended(fields)
    except RecordNotUnderstood:
        return False
    return True
