"""The store of data sets: each method one script, or one read."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import TYPE_CHECKING, Final

from service.contract.dataset import DatasetRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

ROOT: Final = "deeplimit:datasets"
GRAVE_MS: Final = 60_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


class TooManyDatasets(Exception):  # noqa: N818 - says what was refused, as the job store's refusals do
    """As many data sets are kept as may."""


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
        self._create = client.register_script(here.joinpath("create.lua").read_text(encoding="utf-8"))
        self._delete = client.register_script(here.joinpath("delete.lua").read_text(encoding="utf-8"))

    def create(self, record: DatasetRecord, most: int) -> tuple[DatasetRecord, bool]:
        """Keep a record, unless one of the same content is there.

        Parameters
        ----------
        record
            Its time is set by the store.
        most
            Records that there may be.

        Returns
        -------
        tuple
            The record that is kept, and whether it was there already.

        Raises
        ------
        TooManyDatasets
            Nothing was kept.
        """
        text = record.model_dump_json(exclude={"created_at"})
        reply: list[str] = self._create(args=[record.id, text, most])
        if reply[0] == "full":
            raise TooManyDatasets
        return _decode(reply[1], reply[2]), reply[0] == "existing"

    def get(self, dataset_id: str) -> DatasetRecord | None:
        """Read one record."""
        found: list[str | None] = self._redis.hmget(_key(dataset_id), ["record", "created"])  # type: ignore[assignment]  # sync client
        return _decode(found[0], found[1]) if found[0] is not None and found[1] is not None else None

    def delete(self, dataset_id: str) -> DatasetRecord | None:
        """Forget a record and return it, or None where there is none; its object is the caller's to delete."""
        reply: list[str] = self._delete(args=[dataset_id, secrets.token_hex(8), GRAVE_MS])
        return _decode(reply[1], reply[2]) if reply[0] == "ok" else None

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
