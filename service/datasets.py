"""What can be done with data sets: upload, read, list, delete. No HTTP in it.

A job that names a data set takes a copy of its object under its own name when it is submitted, a hard link where the
store is a directory. So a data set can be deleted at any time, and a job never loses what it was given.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.contract import names
from service.contract.dataset import DatasetRecord, UploadFormat
from service.datasetstore import DatasetStore, TooManyDatasets
from service.uploads.child import read_upload
from service.uploads.request import Choice, UploadLimits, UploadRequest

if TYPE_CHECKING:
    from service.artifacts import ArtifactStore
    from service.contract.limits import Limits
    from service.datasetstore import DatasetPage

SAFETENSORS: Final = "application/vnd.safetensors"
_ID: Final = re.compile(r"[0-9a-f]{64}")
_CURSOR: Final = re.compile(r"[0-9]{1,16}")


class DatasetNotFoundError(Exception):
    """There is no such data set."""


class InvalidDatasetCursorError(Exception):
    """The cursor is not one that a listing gave out."""


class Datasets:
    """The data sets of the service.

    Parameters
    ----------
    store, artifacts
        Records and objects.
    limits
        The published limits.
    """

    def __init__(self, store: DatasetStore, artifacts: ArtifactStore, limits: Limits) -> None:
        self._store = store
        self._artifacts = artifacts
        self.limits = limits

    def create(self, upload: Path, kind: UploadFormat, choice: Choice, name: str | None) -> tuple[DatasetRecord, bool]:
        """Check an upload and keep it in canonical form.

        Parameters
        ----------
        upload
            The file as it came; it stays the caller's.
        kind
            How it is written.
        choice
            Which columns or arrays are what.
        name
            For people.

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
        """
        limits = self.limits
        bounds = UploadLimits(
            samples=limits.samples,
            features=limits.features,
            outputs=limits.outputs,
            depth=limits.depth,
            state_dim=limits.state_dim,
            numbers=limits.upload_numbers,
            magnitude=limits.magnitude,
        )
        with tempfile.TemporaryDirectory(prefix="deeplimit-upload-") as folder:
            canonical = Path(folder) / "canonical.safetensors"
            request = UploadRequest(
                format=kind, source=str(upload), destination=str(canonical), choice=choice, limits=bounds
            )
            facts = read_upload(request)
            with canonical.open("rb") as file:
                dataset_id = hashlib.file_digest(file, "sha256").hexdigest()
            path = names.dataset_path(dataset_id, secrets.token_hex(8))
            stored = self._artifacts.put_file(path, canonical, SAFETENSORS)
        record = DatasetRecord(
            id=dataset_id,
            name=name,
            format=kind,
            uploaded_bytes=upload.stat().st_size,
            created_at=datetime.now(UTC),
            facts=facts,
            object=stored,
        )
        try:
            kept, existing = self._store.create(record, limits.uploads)
        except TooManyDatasets:
            self._artifacts.delete(path)
            raise
        if kept.object.path != path:
            self._artifacts.delete(path)
        return kept, existing

    def get(self, dataset_id: str) -> DatasetRecord:
        """Read a record.

        Raises
        ------
        DatasetNotFoundError
            There is none, or the id cannot be one.
        """
        record = self._store.get(dataset_id) if _ID.fullmatch(dataset_id) else None
        if record is None:
            raise DatasetNotFoundError
        return record

    def find(self, dataset_id: str) -> DatasetRecord | None:
        """Read a record, or return ``None``."""
        try:
            return self.get(dataset_id)
        except DatasetNotFoundError:
            return None

    def list(self, *, limit: int, cursor: str | None) -> DatasetPage:
        """Read a page, newest first.

        Raises
        ------
        InvalidDatasetCursorError
            The cursor is not one of ours.
        """
        if cursor is not None and not _CURSOR.fullmatch(cursor):
            raise InvalidDatasetCursorError
        return self._store.list(limit=limit, cursor=None if cursor is None else int(cursor))

    def delete(self, dataset_id: str) -> None:
        """Delete a data set. Jobs that were given it keep their own copy.

        Raises
        ------
        DatasetNotFoundError
            There is none.
        """
        record = self._store.delete(dataset_id) if _ID.fullmatch(dataset_id) else None
        if record is None:
            raise DatasetNotFoundError
        self._artifacts.delete(record.object.path)
