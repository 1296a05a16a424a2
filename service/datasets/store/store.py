"""The store of data sets: each method one script, or one read.

An object and its record lie in two places, and no write covers both. So the path of an object is announced here before
it is written, and the announcement is withdrawn by the script that makes the record, or when the object is deleted.
What stays announced belongs to no record: whoever kept it was cut off, and the object may go.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Final

from service.contract.data.dataset import DatasetRecord
from service.jobstore import Page, RecordNotUnderstood, keys, scripts
from service.jobstore.calls import hash_of
from service.jobstore.pages import newest_first, page_of
from service.jobstore.records import UNREADABLE, from_flat
from service.jobstore.times import GRAVE_MS, from_microseconds, seconds_to_microseconds, to_microseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    import redis

LEFTOVERS: Final = 100
FIELDS: Final = ("record", "created")
"""Fields of a data set's hash: the record as JSON, and the time that the store gave it."""


class TooManyDatasets(Exception):  # noqa: N818 - says what was refused, as the job store's refusals do
    """As many data sets are kept as may."""


class UploadLate(Exception):  # noqa: N818 - likewise
    """The object was given up before its record came, or was never announced."""


class DatasetStore:
    """Records of data sets in one Redis server.

    Every method may raise ``redis.RedisError`` where the server cannot be reached or refuses a write, and one that
    returns a record ``RecordNotUnderstood`` where that is damaged or a later version's. The client is one of
    :func:`service.jobstore.connect`.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._scripts = scripts.load(client, __package__)

    def announce(self, path: str) -> None:
        """Say that an object is about to be written, so that it is found if its record never comes."""
        self._scripts["announce"](args=[path])

    def create(self, record: DatasetRecord, most: int) -> tuple[DatasetRecord, bool]:
        """Keep a record whose object was announced, unless one of the same content is there; set its time.

        At most `most` records are kept.

        Returns
        -------
        tuple
            The record that is kept, and whether it was there already; then its object is another one.

        Raises
        ------
        TooManyDatasets, UploadLate
            Nothing was kept.
        """
        text = fields_of(record)["record"]
        reply: list[str] = self._scripts["create"](args=[record.id, text, most, record.object.path])
        if reply[0] == "full":
            raise TooManyDatasets
        if reply[0] == "late":
            raise UploadLate
        return _decode_parts(reply[1], reply[2]), reply[0] == "existing"

    def restore(self, fields: Mapping[str, str]) -> bool:
        """Put back a record, as `fields_of` gave it, unless one is there or its object is given up; return if so."""
        record = decode(fields)
        return bool(self._scripts["restore"](args=[record.id, fields["record"], fields["created"]]))

    def all_written(self) -> bool:
        """Whether the record of every data set is beside its object, as it is from its upload on in this version."""
        return bool(self._redis.exists(keys.DATASETS_WRITTEN))

    def note_all_written(self) -> None:
        """Note that it is."""
        self._redis.set(keys.DATASETS_WRITTEN, "1")

    def get(self, dataset_id: str) -> DatasetRecord | None:
        """Read one record."""
        fields = hash_of(self._redis, keys.DATASET + dataset_id)
        return decode(fields) if fields else None

    def delete(self, dataset_id: str) -> DatasetRecord | None:
        """Forget a record and return it, or None where there is none; its object is the caller's to delete."""
        reply: list[str] = self._scripts["delete"](args=[dataset_id, secrets.token_hex(8), GRAVE_MS])
        return _decode_parts(reply[1], reply[2]) if reply[0] == "ok" else None

    def leftovers(self, lost_after_s: float) -> Mapping[str, bool]:
        """Paths of objects that belong to no record, some of them, and whether each can get none any more.

        An object without a record counts as left behind `lost_after_s` seconds after its announcement.
        """
        reply = self._scripts["leftovers"](args=[seconds_to_microseconds(lost_after_s), LEFTOVERS])
        return {path: float(since) == 0 for path, since in from_flat(reply).items()}

    def give_up(self, path: str) -> bool:
        """Have an object that was announced never get a record; return whether it had none yet."""
        return bool(self._redis.zadd(keys.UNSETTLED, {path: 0}, xx=True, ch=True))

    def settle(self, path: str) -> None:
        """Withdraw the announcement of an object that has been deleted, or is to stay."""
        self._redis.zrem(keys.UNSETTLED, path)

    def list(self, *, limit: int, cursor: str | None) -> Page[DatasetRecord]:
        """Read a page, newest first.

        Raises
        ------
        InvalidCursor
            `cursor` is not the ``next_cursor`` of a page.
        """
        listed = newest_first(self._redis, keys.DATASETS, keys.DATASET, FIELDS, cursor=cursor, chunk=limit + 1)
        return page_of(map(_decode_if_understood, listed), limit)


def _decode_parts(record: str, created: str) -> DatasetRecord:
    return decode({"record": record, "created": created})


def fields_of(record: DatasetRecord) -> dict[str, str]:
    """Fields of a record's hash."""
    text = record.model_dump_json(exclude={"created_at"})
    return {"record": text, "created": str(to_microseconds(record.created_at))}


def decode(fields: Mapping[str, str]) -> DatasetRecord:
    """Record of the fields of a data set's hash.

    Raises
    ------
    RecordNotUnderstood
        It is damaged or a later version's.
    """
    try:
        record = json.loads(fields["record"]) | {"created_at": from_microseconds(fields["created"])}
        return DatasetRecord.model_validate(record)
    except UNREADABLE as failure:
        raise RecordNotUnderstood from failure


def _decode_if_understood(fields: Mapping[str, str] | None) -> DatasetRecord | None:
    try:
        return None if fields is None else decode(fields)
    except RecordNotUnderstood:
        return None
