"""Pages of records, newest first, from sorted sets whose scores are times of creation; no two records share one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

import redis

from service.jobstore.calls import is_of_another_type
from service.jobstore.errors import InvalidCursor
from service.jobstore.times import to_microseconds

LONGEST_CURSOR: Final = 16
"""Digits of a time in microseconds."""


class Dated(Protocol):
    """A record that knows when it was created."""

    @property
    def created_at(self) -> datetime:
        """Time of creation."""


Record = TypeVar("Record", bound=Dated)


@dataclass(frozen=True)
class Page(Generic[Record]):
    """Part of a listing, where the next part starts, None where there is none, and how many cannot be read in it."""

    items: list[Record]
    next_cursor: str | None
    left_out: int = 0


def page_of(records: Iterable[Record | None], limit: int) -> Page[Record]:
    """Take a page. Its cursor is the time of creation of the last record on it, in microseconds.

    None stands for a record that cannot be read. Each is counted on one page: that of the record after it.
    """
    items: list[Record] = []
    left_out = behind = 0
    for record in records:
        if record is None:
            behind += 1
        elif len(items) == limit:
            return Page(items, str(to_microseconds(items[-1].created_at)), left_out)
        else:
            items.append(record)
            left_out, behind = left_out + behind, 0
    return Page(items, None, left_out + behind)


def newest_first(
    client: redis.Redis,
    index: str,
    family: str,
    fields: Sequence[str],
    *,
    cursor: str | None,
    after: datetime | None = None,
    chunk: int,
) -> Iterator[Mapping[str, str] | None]:
    """Yield the fields of each record in an index, of its hash's fields those that it has; None for what is no hash.

    Parameters
    ----------
    index, family
        Key of the sorted set of ids, and what the keys of their hashes begin with.
    cursor, after
        Only records older than where a page ended, and newer than a moment.
    chunk
        Records that are read at once: those of a page and one more tell whether there is another page.

    Raises
    ------
    InvalidCursor
        `cursor` is not the ``next_cursor`` of a page.
    """
    highest = "+inf" if cursor is None else f"({_position(cursor)}"
    lowest = "-inf" if after is None else f"({to_microseconds(after)}"
    while True:
        entries: list[tuple[str, float]] = client.zrevrangebyscore(  # type: ignore[assignment]  # sync client
            index, highest, lowest, start=0, num=chunk, withscores=True
        )
        if not entries:
            return
        pipeline = client.pipeline(transaction=False)
        for entry_id, _ in entries:
            pipeline.hmget(family + entry_id, fields)
        for values in pipeline.execute(raise_on_error=False):
            if isinstance(values, redis.RedisError):
                if not is_of_another_type(values):
                    raise values
                yield None
                continue
            held = {name: value for name, value in zip(fields, values, strict=True) if value is not None}
            if held:  # empty: deleted between the two reads
                yield held
        if len(entries) < chunk:
            return
        highest = f"({int(entries[-1][1])}"


def _position(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > LONGEST_CURSOR:
        raise InvalidCursor
    return int(cursor)
