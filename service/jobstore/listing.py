"""Listings of jobs, newest first, from the sorted sets that the scripts keep: one for every choice of filters."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import redis

from service.contract.job import JobRecord, JobStatus
from service.jobstore import keys, records
from service.jobstore.pages import Page, newest_first, page_of

_FAMILIES: Final = {
    (False, False, False): keys.JOBS,
    (True, False, False): keys.JOBS_BY_STATUS,
    (False, True, False): keys.JOBS_BY_KIND,
    (False, False, True): keys.JOBS_BY_EXTERNAL_ID,
    (True, True, False): keys.JOBS_BY_STATUS_AND_KIND,
    (True, False, True): keys.JOBS_BY_STATUS_AND_EXTERNAL_ID,
    (False, True, True): keys.JOBS_BY_KIND_AND_EXTERNAL_ID,
    (True, True, True): keys.JOBS_BY_ALL_THREE,
}
"""What the key of a set begins with, by whether a status, a kind and an external id are asked for."""
COMPLETE: Final = "-inf"
"""What is kept of the sets for several filters where every job is in them."""


@dataclass(frozen=True, kw_only=True)
class JobQuery:
    """Which jobs a page lists: at most `limit`, those that fit every filter that is not None, older than the cursor."""

    limit: int
    cursor: str | None = None
    status: JobStatus | None = None
    kind: str | None = None
    external_id: str | None = None
    created_after: datetime | None = None

    @property
    def index(self) -> str:
        """Key of the sorted set of the jobs that fit."""
        return self._key(self.status, self.kind, self.external_id)

    @property
    def narrowest_index(self) -> str:
        """Key of the set for one filter that holds the fewest jobs, all that fit among them."""
        if self.external_id is not None:
            return self._key(None, None, self.external_id)
        return self._key(self.status, None if self.status is not None else self.kind, None)

    def fits(self, record: JobRecord) -> bool:
        """Whether a job belongs on the list: it may have changed since the set was read."""
        filters = ((self.status, record.status), (self.kind, record.kind), (self.external_id, record.external_id))
        return all(asked in (None, has) for asked, has in filters)

    @staticmethod
    def _key(*filters: str | None) -> str:
        status, kind, external_id = (asked is not None for asked in filters)
        return _FAMILIES[status, kind, external_id] + ":".join(asked for asked in filters if asked is not None)


def list_jobs(client: redis.Redis, query: JobQuery) -> Page[JobRecord]:
    """See :meth:`service.jobstore.JobStore.list`."""
    index = query.index
    if index != query.narrowest_index and client.get(keys.INDEXED) != COMPLETE:  # while an older store is being indexed
        index = query.narrowest_index
    listed = newest_first(
        client,
        index,
        keys.JOB,
        records.LISTED,
        cursor=query.cursor,
        after=query.created_after,
        chunk=query.limit + 1,
    )
    read = (None if fields is None else records.decode_if_understood(fields) for fields in listed)
    return page_of((record for record in read if record is None or query.fits(record)), query.limit)
