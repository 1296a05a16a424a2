"""Listings of jobs, newest first, from the sorted sets that the scripts keep."""

from dataclasses import dataclass
from datetime import datetime

import redis

from service.contract.job import JobRecord, JobStatus
from service.jobstore import keys, records
from service.jobstore.pages import Page, newest_first, page_of


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
    def narrowest_index(self) -> str:
        """Key of the sorted set that holds the fewest jobs, all that fit among them."""
        if self.external_id is not None:
            return keys.JOBS_BY_EXTERNAL_ID + self.external_id
        if self.status is not None:
            return keys.JOBS_BY_STATUS + self.status
        return keys.JOBS if self.kind is None else keys.JOBS_BY_KIND + self.kind

    def fits(self, record: JobRecord) -> bool:
        """Whether a job of the index belongs on the list."""
        filters = ((self.status, record.status), (self.kind, record.kind), (self.external_id, record.external_id))
        return all(asked in (None, has) for asked, has in filters)


def list_jobs(client: redis.Redis, query: JobQuery) -> Page[JobRecord]:
    """See :meth:`service.jobstore.JobStore.list`."""
    listed = newest_first(
        client, query.narrowest_index, keys.JOB, records.LISTED, cursor=query.cursor, after=query.created_after
    )
    return page_of(filter(query.fits, map(records.decode, listed)), query.limit)
