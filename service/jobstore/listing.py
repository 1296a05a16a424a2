"""Pages of jobs, newest first, from the sorted sets that the scripts keep."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import redis

from service.contract.job import JobRecord, JobStatus
from service.jobstore import records
from service.jobstore.errors import InvalidCursor

ROOT: Final = "deeplimit:jobs"
CHUNK: Final = 100


@dataclass(frozen=True)
class Page:
    """Part of a listing, and where the next part starts: None where there is none."""

    items: list[JobRecord]
    next_cursor: str | None


class Listing:
    """Reads the indices. A cursor is the time of creation of the last job given, which is unique."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def page(
        self,
        *,
        limit: int,
        cursor: str | None,
        status: JobStatus | None,
        kind: str | None,
        external_id: str | None,
        created_after: datetime | None,
    ) -> Page:
        """See :meth:`service.jobstore.JobStore.list`."""
        index = _narrowest(status, kind, external_id)
        highest = "+inf" if cursor is None else f"({_position(cursor)}"
        lowest = "-inf" if created_after is None else f"({records.to_microseconds(created_after)}"
        items: list[JobRecord] = []
        for record in self._newest_first(index, highest, lowest):
            if status not in (None, record.status) or kind not in (None, record.kind):
                continue
            if external_id not in (None, record.external_id):
                continue
            if len(items) == limit:  # there is at least one more
                return Page(items, str(records.to_microseconds(items[-1].created_at)))
            items.append(record)
        return Page(items, None)

    def _newest_first(self, index: str, highest: str, lowest: str) -> Iterator[JobRecord]:
        while True:
            found: list[tuple[str, float]] = self._redis.zrevrangebyscore(  # type: ignore[assignment]  # sync client
                index, highest, lowest, start=0, num=CHUNK, withscores=True
            )
            if not found:
                return
            pipeline = self._redis.pipeline(transaction=False)
            for job_id, _ in found:
                pipeline.hmget(f"deeplimit:job:{job_id}", records.LISTED)
            for values in pipeline.execute():
                fields = {name: value for name, value in zip(records.LISTED, values, strict=True) if value is not None}
                if fields:  # empty: deleted between the two reads
                    yield records.decode(fields)
            highest = f"({int(found[-1][1])}"


def _narrowest(status: JobStatus | None, kind: str | None, external_id: str | None) -> str:
    if external_id is not None:
        return f"{ROOT}:external:{external_id}"
    if status is not None:
        return f"{ROOT}:status:{status}"
    return ROOT if kind is None else f"{ROOT}:kind:{kind}"


def _position(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > len("9999999999999999"):
        raise InvalidCursor(cursor[:20])
    return int(cursor)
