"""What can be done with data sets: upload, read, list, delete, and clear away what was left behind. No HTTP in it.

A job that names a data set takes a copy of its object under its own name when it is submitted, a hard link where the
store is a directory. So a data set can be deleted at any time, and a job never loses what it was given.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import redis

from service.artifacts import ArtifactNotFoundError, StorageError
from service.contract import names
from service.contract.data.dataset import DatasetRecord, SampleFacts, UploadFormat
from service.contract.values.limits import LIMITS
from service.contract.values.media_types import JSON, SAFETENSORS
from service.datasets.store import DatasetStore, TooManyDatasets, UploadLate, decode, fields_of
from service.datasets.uploads.child import look_at, read_upload
from service.datasets.uploads.request import Choice, UploadLimits, UploadRefusedError, UploadRequest
from service.jobstore import RecordNotUnderstood
from service.sealed import SealBrokenError, seal, unseal

if TYPE_CHECKING:
    from pathlib import Path

    from service.artifacts import ArtifactStore
    from service.contract.values.limits import Limits
    from service.jobstore import Page
    from service.scratch import Scratch

LOG = logging.getLogger(__name__)

LOST_AFTER_S: Final = 3600.0
"""Time that writing one object may take; one that has no record by then never gets one, and is deleted."""
_ID: Final = re.compile(r"[0-9a-f]{64}")


class DatasetNotFoundError(Exception):
    """There is no such data set."""


class NoPreviewError(Exception):
    """There is nothing to look at in a data set; its words say why."""


class Datasets:
    """The data sets of the service: records in Redis, and objects in the artifact store."""

    def __init__(self, store: DatasetStore, artifacts: ArtifactStore, limits: Limits, scratch: Scratch) -> None:
        self._store = store
        self._artifacts = artifacts
        self._scratch = scratch
        self.limits = limits

    def create(self, upload: Path, kind: UploadFormat, choice: Choice, name: str | None) -> tuple[DatasetRecord, bool]:
        """Check an upload, a file that stays the caller's, and keep it in canonical form.

        Returns
        -------
        tuple[DatasetRecord, bool]
            The record, and whether the same content was there already, under the name it had then.

        Raises
        ------
        UploadRefusedError
            The upload does not hold up.
        TooManyDatasets
            As many are kept as may.
        StorageError
            It cannot be kept now.
        """
        limits = self.limits
        same = limits.model_dump(include=UploadLimits.model_fields.keys() - {"numbers"})
        bounds = UploadLimits(numbers=limits.upload_numbers, **same)
        with self._scratch.folder() as folder:
            canonical = folder / "canonical.safetensors"
            request = UploadRequest(
                format=kind, source=str(upload), destination=str(canonical), choice=choice, limits=bounds
            )
            facts, preview = read_upload(request)
            with canonical.open("rb") as file:
                dataset_id = hashlib.file_digest(file, "sha256").hexdigest()
            path = names.dataset_path(dataset_id, secrets.token_hex(8))
            self._store.announce(path)
            try:
                stored = self._artifacts.put_file(path, canonical, SAFETENSORS)
                shown = None
                if preview is not None:
                    shown = self._artifacts.put(names.preview_path(path), preview.model_dump_json().encode(), JSON)
                record = DatasetRecord(
                    id=dataset_id,
                    name=name,
                    format=kind,
                    uploaded_bytes=upload.stat().st_size,
                    created_at=datetime.now(UTC),
                    facts=facts,
                    object=stored,
                    preview=shown,
                )
                self._write_record(record)
            except StorageError:
                self._discard(path)
                raise
        try:
            kept, existing = self._store.create(record, limits.uploads)
        except TooManyDatasets:
            self._discard(path)
            raise
        except UploadLate:
            self._discard(path)
            raise UploadRefusedError("took_too_long", f"could not be stored within {LOST_AFTER_S:g} s") from None
        # any other failure may have made the record, which needs its object: `sweep` decides, by the announcement
        if kept.object.path != path:
            self._discard(path)
        return kept, existing

    def get(self, dataset_id: str) -> DatasetRecord:
        """Read a record.

        Raises
        ------
        DatasetNotFoundError, RecordNotUnderstood
            There is none, or the id cannot be one; or its record is damaged or a later version's.
        """
        record = self.find(dataset_id)
        if record is None:
            raise DatasetNotFoundError
        return record

    def find(self, dataset_id: str) -> DatasetRecord | None:
        """Read a record, or return ``None`` where there is none or the id cannot be one."""
        return self._store.get(dataset_id) if _ID.fullmatch(dataset_id) else None

    def preview(self, dataset_id: str) -> bytes | None:
        """Read the look at a data set that was taken when it was uploaded, as JSON of a `DatasetPreview`.

        It is None for one that an earlier version was given; `look` takes one then.

        Raises
        ------
        DatasetNotFoundError, NoPreviewError
            There is no such data set, or it holds weights.
        ArtifactNotFoundError
            It is being deleted.
        """
        record = self.get(dataset_id)
        if not isinstance(record.facts, SampleFacts):
            raise NoPreviewError("The data set holds weights, which have no columns to look at.")
        return None if record.preview is None else self._artifacts.get(record.preview)

    def look(self, dataset_id: str) -> bytes:
        """Look at a data set now, in a process of its own; otherwise as `preview`.

        Raises
        ------
        NoPreviewError
            It cannot be read any more, either.
        """
        record = self.get(dataset_id)
        if not isinstance(record.facts, SampleFacts):
            raise NoPreviewError("The data set holds weights, which have no columns to look at.")
        with self._scratch.folder() as folder:
            canonical = folder / "canonical.safetensors"
            self._artifacts.get_file(record.object, canonical)
            try:
                return look_at(canonical, record.facts).model_dump_json().encode()
            except UploadRefusedError as error:
                detail = f"The data set {error.refusal.detail}; upload it again."
                raise NoPreviewError(detail) from error

    def list(self, *, limit: int, cursor: str | None) -> Page[DatasetRecord]:
        """Read a page, newest first.

        Raises
        ------
        InvalidCursor
            The cursor is not one that a listing gave out.
        """
        return self._store.list(limit=limit, cursor=cursor)

    def delete(self, dataset_id: str) -> None:
        """Delete a data set. Jobs that were given it keep their own copy.

        Raises
        ------
        DatasetNotFoundError, RecordNotUnderstood
            Nothing was deleted.
        """
        self.get(dataset_id)  # one that cannot be read is not deleted: nobody would know its objects
        record = self._store.delete(dataset_id)
        if record is None:
            raise DatasetNotFoundError
        self._discard(record.object.path)

    def sweep(self, lost_after_s: float = LOST_AFTER_S) -> int:
        """Delete objects that uploads and deletions left behind when they were cut off, and return how many.

        An object without a record counts as left behind `lost_after_s` seconds after its announcement. One that is
        whole stays: it may be a data set that was there, of a job store that has lost the end of its log. Raises
        ``redis.RedisError`` where the server cannot be reached.
        """
        deleted = 0
        for path, given_up in self._store.leftovers(lost_after_s).items():
            try:
                whole = not given_up and self._is_whole(path)
            except StorageError as failure:
                LOG.warning("objects of data sets are looked through later: %s", failure)
                break
            if whole:
                LOG.error("the job store does not know a data set that is whole, %s: `deeplimit rebuild` adds it", path)
                self._store.settle(path)
            elif given_up or self._store.give_up(path):
                if not self._discard(path):
                    break  # the others would fare no better; there is a next time
                deleted += 1
        return deleted

    def _is_whole(self, path: str) -> bool:
        """Whether the record of a data set is beside its object, and there is no other object of this content."""
        try:
            record = decode(unseal(self._artifacts.get(names.dataset_record_path(path))))
            kept = self._store.get(record.id)
        except (ArtifactNotFoundError, SealBrokenError):
            return False
        except RecordNotUnderstood:  # a later version knows what it is
            return True
        return kept is None or kept.object.path == path

    def write_records(self) -> None:
        """Write the records that an earlier version kept in Redis alone beside their objects, once.

        Raises ``redis.RedisError`` where the server cannot be reached.
        """
        if self._store.all_written():
            return
        cursor = None
        try:
            while True:
                page = self._store.list(limit=LIMITS.page, cursor=cursor)
                for record in page.items:
                    if names.dataset_record_path(record.object.path) not in self._artifacts.sizes(
                        names.dataset_prefix(record.id)
                    ):
                        self._write_record(record)
                cursor = page.next_cursor
                if cursor is None:
                    break
        except StorageError as failure:
            LOG.warning("records of data sets are written later: %s", failure)
        else:
            self._store.note_all_written()

    def _write_record(self, record: DatasetRecord) -> None:
        self._artifacts.put(names.dataset_record_path(record.object.path), seal(fields_of(record)), JSON)

    def _discard(self, path: str) -> bool:
        """Delete an object that no record refers to and its preview, or leave it to `sweep`; return if it is gone."""
        try:
            self._artifacts.delete(names.dataset_record_path(path))  # first: half a data set is not to be brought back
            self._artifacts.delete(names.preview_path(path))
            self._artifacts.delete(path)
            self._store.settle(path)
        except (redis.RedisError, StorageError) as failure:
            LOG.warning("an object that is not needed is still there, to be deleted later: %s: %s", path, failure)
            return False
        return True
