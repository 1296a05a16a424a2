"""The store of data sets: each method one script, or one read.

An object and its record lie in two places, and no write covers both. So the path of an object is announced here before
it is written, and the announcement is withdrawn by the script that makes the record, or when the object is deleted.
What stays announced belongs to no record: whoever kept it was cut off, and the object may go.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import TYPE_CHECKING, Final

from service.contract.data.dataset import DatasetRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

ROOT: Final = "deeplimit:datasets"
UNSETTLED: Final = "deeplimit:datasets:unsettled"
"""Sorted set of announced paths by time; those at 0 belong to no record for certain."""
GRAVE_MS: Final = 60_000
LEFTOVERS: Final = 100
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


class TooManyDatasets(Exception):  # noqa: N818 - says what was refused, as the job store's refusals do
    """As many data sets are kept as may."""


class UploadLate(Exception):  # noqa: N818 - likewise
    """The object was given up before its record came, or was never announced."""


@dataclass(frozen=True)
class DatasetPage:
    """Part of a listing, and where the next part starts: None where there is none."""

    items: list[DatasetRecord]
    next_cursor: str | None


class DatasetStore:
    """Records of data sets in one Redis server.

    Every method may raise ``redis.RedisError`` where the server cannot be reached or refuses a write.

    Parameters
    ----------
    client
        Made by :func:`service.jobstore.connect`.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        here = resources.files(__package__)
        self._announce, self._create, self._delete, self._leftovers = (
            client.register_script(here.joinpath(f"{name}.lua").read_text(encoding="utf-8"))
            for name in ("announce", "create", "delete", "leftovers")
        )

    def announce(self, path: str) -> None:
        """Say that an object is about to be written, so that it is found if its record never comes."""
        self._announce(args=[path])

    def create(self, record: DatasetRecord, most: int) -> tuple[DatasetRecord, bool]:
        """Keep a record, unless one of the same content is there.

        Parameters
        ----------
        record
            Its time is set by the store; its object has been announced.
        most
            Records that there may be.

        Returns
        -------
        tuple
            The record that is kept, and whether it was there already; then its object is another one.

        Raises
        ------
        TooManyDatasets, UploadLate
            Nothing was kept.
        """
        text = record.model_dump_json(exclude={"created_at"})
        reply: list[str] = self._create(args=[record.id, text, most, record.object.path])
        if reply[0] == "full":
            raise TooManyDatasets
        if reply[0] == "late":
            raise UploadLate
        return _decode(reply[1], reply[2]), reply[0] == "existing"

    def get(self, dataset_id: str) -> DatasetRecord | None:
        """Read one record."""
        found: list[str | None] = self._redis.hmget(_key(dataset_id), ["record", "created"])  # type: ignore[assignment]  # sync client
        return _decode(found[0], found[1]) if found[0] is not None and found[1] is not None else None

    def delete(self, dataset_id: str) -> DatasetRecord | None:
        """Forget a record and return it, or None where there is none; its object is the caller's to delete."""
        reply: list[str] = self._delete(args=[dataset_id, secrets.token_hex(8), GRAVE_MS])
        return _decode(reply[1], reply[2]) if reply[0] == "ok" else None

    def leftovers(self, lost_after_s: float) -> Sequence[str]:
        """Paths of objects that belong to no record, some of them; none of these can get one any more.

        Parameters
        ----------
        lost_after_s
            Time after its announcement from which an object without a record counts as left behind.
        """
        paths: Sequence[str] = self._leftovers(args=[round(lost_after_s * 1e6), LEFTOVERS])
        return paths

    def settle(self, path: str) -> None:
        """Withdraw the announcement of an object that has been deleted."""
        self._redis.zrem(UNSETTLED, path)

    def list(self, *, limit: int, cursor: int | None) -> DatasetPage:
        """Read a page, newest first. The cursor is the time of creation of the last record given, in microseconds."""
        highest = "+inf" if cursor is None else f"({cursor}"
        items: list[DatasetRecord] = []
        while True:
            ids: Sequence[tuple[str, float]] = self._redis.zrevrangebyscore(  # type: ignore[assignment]  # sync client
                ROOT, highest, "-inf", start=0, num=limit + 1, withscores=True
            )
            if not ids:
                return DatasetPage(items, None)
            pipeline = self._redis.pipeline(transaction=False)
            for dataset_id, _ in ids:
                pipeline.hmget(_key(dataset_id), ["record", "created"])
            for record, created in pipeline.execute():
                if record is None:  # deleted between the two reads
                    continue
                if len(items) == limit:
                    return DatasetPage(items, str((items[-1].created_at - EPOCH) // MICROSECOND))
                items.append(_decode(record, created))
            highest = f"({int(ids[-1][1])}"


def _key(dataset_id: str) -> str:
    return f"deeplimit:dataset:{dataset_id}"


def _decode(record: str, created: str) -> DatasetRecord:
    return DatasetRecord.model_validate(json.loads(record) | {"created_at": EPOCH + int(created) * MICROSECOND})
