"""Objects of jobs, in a local directory or an S3-like store. Each is written once, hashed, and checked when read."""

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url

from service.config import Settings
from service.contract.job import ArtifactRef

Pieces = Sequence[bytes | memoryview]
"""Bytes, one piece behind the other."""

_PART: Final = 2**20
"""Bytes of an object that are in memory at once where it is not read whole."""
_READY: Final = "ready"
"""Object that is written to find out whether the store takes any."""
_LEAST_ROOM: Final = 2**16
_IDENTITY: Final = "store-id"
"""Object that tells one store from another."""
_FAULTS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})


class StorageError(Exception):
    """The store cannot do it now: it is full, read-only, broken or away. It is nobody's fault who asks.

    Attributes
    ----------
    size
        Bytes of the object that could not be written; 0 where it was not about one.
    """

    size: int = 0


def is_storage_fault(error: BaseException) -> bool:
    """Whether an error is one of the store of objects, or of a disk that is full, read-only or broken."""
    return isinstance(error, StorageError) or (isinstance(error, OSError) and error.errno in _FAULTS)


@contextlib.contextmanager
def _reached() -> Iterator[None]:
    """Say of every failure but that of an object which is not there that the store cannot do it now."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as failure:
        raise StorageError(_first_line(failure)) from failure


def _first_line(failure: Exception) -> str:
    return str(failure).partition("\n")[0]


class ArtifactCorruptError(Exception):
    """An object does not hold what was written."""


class ArtifactNotFoundError(Exception):
    """There is no such object."""


class ArtifactStore:
    """Objects by path, in a directory or at the URL of an object store such as ``s3://bucket/prefix``.

    Credentials come from where the store's own tools look for them. Every method may raise `StorageError`.
    """

    def __init__(self, location: str | Path) -> None:
        self.location = str(location)
        self._directory: Path | None = None
        try:
            if "://" in self.location and not self.location.startswith("file://"):
                # few retries, as whoever asks waits for the answer
                self._store = from_url(
                    self.location, retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=15)}
                )
            else:
                self._directory = Path(self.location.removeprefix("file://")).absolute()
                self._store = LocalStore(self._directory, mkdir=True, automatic_cleanup=True)
        except (BaseError, OSError, ValueError) as failure:
            raise StorageError(f"no objects can be kept in {self.location}: {_first_line(failure)}") from failure

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Store that the settings name."""
        return cls(settings.artifacts_location)

    def put(self, path: str, data: bytes | Pieces, media_type: str) -> ArtifactRef:
        """Write an object whole, or not at all, and return what to find and check it by.

        The local store writes to a temporary name and renames; it is on disk when this returns.
        """
        pieces = [data] if isinstance(data, bytes) else data
        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(piece)
        size = sum(map(len, pieces))
        reference = ArtifactRef(path=path, sha256=digest.hexdigest(), bytes=size, media_type=media_type)
        return self._write(reference, pieces)

    def put_file(self, path: str, file: Path, media_type: str) -> ArtifactRef:
        """Write the content of a file as an object, without having all of it in memory; otherwise as `put`."""
        with file.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        reference = ArtifactRef(path=path, sha256=sha256, bytes=file.stat().st_size, media_type=media_type)
        return self._write(reference, file)

    def _write(self, reference: ArtifactRef, content: Pieces | Path) -> ArtifactRef:
        try:
            with _reached():
                if self._directory is None:
                    whole = content if isinstance(content, Path) else b"".join(content)
                    self._store.put(reference.path, whole, attributes={"Content-Type": reference.media_type})
                else:  # a file has no attributes, and pieces that come one by one are not copied first
                    self._store.put(reference.path, content if isinstance(content, Path) else iter(content))
                    _to_disk(self._directory / reference.path)
        except StorageError as failure:
            failure.size = reference.bytes
            raise
        return reference

    def probe(self, size: int = 0) -> None:
        """Write an object and delete it again: so a store is found out that only answers reads, or is all but full.

        Parameters
        ----------
        size
            Bytes that are to be stored; it writes as many, and 64 KiB at least.
        """
        with contextlib.suppress(FileNotFoundError):  # another one's probe has deleted it: it was written
            self.put(_READY, bytes(max(size, _LEAST_ROOM)), "application/octet-stream")
        self.delete(_READY)

    def identity(self) -> str | None:
        """Read the id that tells this store from others; None where it has none yet."""
        try:
            return self.get(_IDENTITY).decode()
        except ArtifactNotFoundError:
            return None

    def identify(self, identity: str) -> str:
        """Give the store an id unless it has one, and return the one that it has."""
        with _reached(), contextlib.suppress(AlreadyExistsError):
            try:
                self._store.put(_IDENTITY, identity.encode(), mode="create")
            except BaseError as failure:
                # a store that cannot write on a condition, as S3 once could not; of two that write, the last one counts
                if "501 Not Implemented" not in str(failure):
                    raise
                if self.identity() is None:
                    self._store.put(_IDENTITY, identity.encode())
            if self._directory is not None:
                _to_disk(self._directory / _IDENTITY)
        return self.get(_IDENTITY).decode()

    def copy(self, source: ArtifactRef, path: str) -> ArtifactRef:
        """Give an object a second path, which lives on when the first is deleted: a hard link, or a copy in the store.

        Raises
        ------
        ArtifactNotFoundError
            There is no such object.
        """
        try:
            with _reached():
                self._store.copy(source.path, path)
        except FileNotFoundError as missing:
            raise ArtifactNotFoundError(source.path) from missing
        if self._directory is not None:
            with _reached():
                _to_disk((self._directory / path).parent)
        return source.model_copy(update={"path": path})

    def delete(self, path: str) -> None:
        """Delete one object. It is no error if there is none."""
        with contextlib.suppress(FileNotFoundError), _reached():
            self._store.delete(path)

    def get(self, source: ArtifactRef | str) -> bytes:
        """Read an object; with its reference, check it.

        Raises
        ------
        ArtifactNotFoundError
            There is none.
        ArtifactCorruptError
            It does not hold what the reference says.
        """
        path = source if isinstance(source, str) else source.path
        try:
            with _reached():
                data = bytes(self._store.get(path).bytes())
        except FileNotFoundError as missing:
            raise ArtifactNotFoundError(path) from missing
        if isinstance(source, ArtifactRef) and hashlib.sha256(data).hexdigest() != source.sha256:
            raise ArtifactCorruptError(path)
        return data

    def get_file(self, source: ArtifactRef, file: Path) -> None:
        """Copy an object to a file, without having all of it in memory; otherwise as `get`.

        Raises
        ------
        ArtifactNotFoundError, ArtifactCorruptError
            The file does not hold the object.
        """
        with file.open("wb") as copy:
            copy.writelines(self.pieces(source))

    def pieces(self, source: ArtifactRef) -> Iterator[bytes]:
        """Yield an object part by part; otherwise as `get`.

        The last part is held back until all of them turn out to be what the reference says, so that nobody takes an
        object that does not for a whole one.
        """
        digest = hashlib.sha256()
        held: bytes | None = None
        try:
            with _reached():
                stream = iter(self._store.get(source.path).stream(min_chunk_size=_PART))
            while True:
                with _reached():
                    part = next(stream, None)
                if part is None:
                    break
                if held is not None:
                    yield held
                held = bytes(part)
                digest.update(held)
        except FileNotFoundError as missing:
            raise ArtifactNotFoundError(source.path) from missing
        if digest.hexdigest() != source.sha256:
            raise ArtifactCorruptError(source.path)
        if held is not None:
            yield held

    def part(self, source: ArtifactRef, start: int, end: int) -> bytes:
        """Read some bytes of an object, which are not checked.

        Raises
        ------
        ArtifactNotFoundError
            There is none.
        """
        try:
            with _reached():
                return bytes(self._store.get_range(source.path, start=start, end=end))
        except FileNotFoundError as missing:
            raise ArtifactNotFoundError(source.path) from missing

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders in a folder, sorted."""
        with _reached():
            found = self._store.list_with_delimiter(f"{prefix.rstrip('/')}/")["common_prefixes"]
        return sorted(path.rstrip("/").rpartition("/")[2] for path in found)

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the bytes of every object below `prefix`, a folder, by path."""
        with _reached():
            return {
                entry["path"]: entry["size"] for batch in self._store.list(f"{prefix.rstrip('/')}/") for entry in batch
            }

    def delete_prefix(self, prefix: str) -> int:
        """Delete every object below `prefix`, a folder, and return their bytes. It is no error if there is none."""
        sizes = self.sizes(prefix)
        for path in sizes:
            self.delete(path)
        if self._directory is not None:  # with what a writer that was killed left there, which the store does not list
            with _reached(), contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self._directory / prefix)
        return sum(sizes.values())

    def delete_folders(self, prefix: str, *, but: str) -> int:
        """Delete all folders below `prefix`, itself one, but one with all that they hold; return the objects' bytes."""
        with _reached():
            folders = self._store.list_with_delimiter(f"{prefix.rstrip('/')}/")["common_prefixes"]
        return sum(self.delete_prefix(folder) for folder in folders if folder.rpartition("/")[2] != but)


def _to_disk(path: Path) -> None:
    """Wait until a file, and its entry in its folder, would outlive a loss of power."""
    for place in (path, path.parent):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
