"""NPZ files. The zip's directory and each array's header are checked before an array is unpacked.

NumPy's own reader is not used: it reads a header of whatever length the file claims before it looks at it, allocates
what the header claims, and unpickles when it is allowed to.
"""

from __future__ import annotations

import ast
import json
import math
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Final

import numpy as np

from service.datasets.uploads.arrays import CHUNK, ArrayHeader, numeric_dtype
from service.datasets.uploads.request import UploadLimits, UploadRefusedError, malformed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

MOST_ENTRIES: Final = 64
MOST_DIRECTORY: Final = 2**16
LONGEST_HEADER: Final = 10_000
LONGEST_NOTE: Final = 2**16
NOTE: Final = "deeplimit"
"""An array that this service's own files carry: the metadata as text."""

_END: Final = b"PK\x05\x06"
_END_64: Final = b"PK\x06\x07"
_END_BYTES: Final = 22
_LONGEST_COMMENT: Final = 2**16
_ENCRYPTED: Final = 0x1
_MAGIC: Final = b"\x93NUMPY"
_VERSIONS: Final = {(1, 0): 2, (2, 0): 4, (3, 0): 4}
"""Bytes of the header's length, by version of the format."""


class NpzFile:
    """The arrays of an NPZ file, by headers that have been checked.

    Parameters
    ----------
    path
        Of the file.
    limits
        Of an upload.

    Raises
    ------
    UploadRefusedError
        It is no NPZ file, or one that claims too much.
    """

    def __init__(self, path: Path, limits: UploadLimits) -> None:
        _check_directory(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError):
            raise malformed("is not a zip file") from None
        self._headers: dict[str, ArrayHeader] = {}
        self.coefficients = False
        self._starts: dict[str, int] = {}
        self._fortran: set[str] = set()
        unpacked = 0
        for info in self._zip.infolist():
            unpacked += info.file_size
            if unpacked > 8 * limits.numbers + LONGEST_HEADER * MOST_ENTRIES:
                raise UploadRefusedError("unpacks_too_large", "unpacks to more bytes than an upload may hold")
            self._add(info)

    def _add(self, info: zipfile.ZipInfo) -> None:
        name = info.filename.removesuffix(".npy")
        if name == info.filename or name in self.headers:
            raise malformed("holds something else than arrays, or an array twice")
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} or info.flag_bits & _ENCRYPTED:
            raise malformed("holds an array that is encrypted or packed in another way than NumPy packs")
        with _opened(self._zip, info) as stream:
            start, shape, fortran, descr = _read_header(stream)
            if name == NOTE:
                self.coefficients = _is_of_coefficients(stream, descr)
                return
            dtype = numeric_dtype(descr)
        size = math.prod(shape) * dtype.itemsize
        if start + size != info.file_size:
            raise UploadRefusedError("lies_about_size", "an array's header claims another size than the array has")
        if fortran and len(shape) > 1:
            self._fortran.add(name)
        self._headers[name] = ArrayHeader(shape, dtype)
        self._starts[name] = start

    @property
    def headers(self) -> Mapping[str, ArrayHeader]:
        """What the file claims of each array."""
        return self._headers

    def read(self, name: str) -> NDArray[np.generic]:
        """Unpack one array, of the size that has been checked."""
        header = self.headers[name]
        values = np.empty(math.prod(header.shape), header.dtype)
        view = values.view(np.uint8)
        with _opened(self._zip, self._zip.getinfo(f"{name}.npy")) as stream:
            _exactly(stream, self._starts[name])
            done = 0
            while done < len(view):
                part = _read(stream, min(CHUNK, len(view) - done))
                view[done : done + len(part)] = np.frombuffer(part, np.uint8)
                done += len(part)
            if _read_some(stream, 1):
                raise UploadRefusedError("lies_about_size", "an array is longer than its header claims")
        if name in self._fortran:
            return values.reshape(header.shape[::-1]).T
        return values.reshape(header.shape)


def _check_directory(path: Path) -> None:
    """Refuse a directory that would be costly to read: the zip module reads all of whatever is there."""
    size = path.stat().st_size
    with path.open("rb") as file:
        tail_start = max(0, size - _END_BYTES - _LONGEST_COMMENT)
        file.seek(tail_start)
        tail = file.read()
    end = tail.rfind(_END)
    if end < 0 or len(tail) - end < _END_BYTES:
        raise malformed("is not a zip file, or has been cut off")
    if _END_64 in tail[max(0, end - 20) : end]:
        raise UploadRefusedError("unpacks_too_large", "is a zip file for more than 4 GB")
    entries = int.from_bytes(tail[end + 10 : end + 12], "little")
    directory = int.from_bytes(tail[end + 12 : end + 16], "little")
    if entries > MOST_ENTRIES or directory > MOST_DIRECTORY:
        raise UploadRefusedError("too_many_arrays", f"holds more than {MOST_ENTRIES} arrays")


def _opened(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    try:
        return file.open(info)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError, OSError, EOFError):
        raise malformed("holds an array that cannot be unpacked") from None


def _read_some(stream: IO[bytes], count: int) -> bytes:
    try:
        return stream.read(count)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError):
        raise malformed("holds an array that is damaged or cut off") from None


def _read(stream: IO[bytes], count: int) -> bytes:
    part = _read_some(stream, count)
    if not part:
        raise malformed("holds an array that is cut off")
    return part


def _exactly(stream: IO[bytes], count: int) -> bytes:
    parts = []
    while count:
        part = _read(stream, count)
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _read_header(stream: IO[bytes]) -> tuple[int, tuple[int, ...], bool, object]:
    """Return where the numbers start, their shape, whether columns come first, and their type as it is written."""
    start = _exactly(stream, 8)
    width = _VERSIONS.get((start[6], start[7]))
    if start[:6] != _MAGIC or width is None:
        raise malformed("holds something that is not a NumPy array")
    length = int.from_bytes(_exactly(stream, width), "little")
    if length > LONGEST_HEADER:
        raise UploadRefusedError("lies_about_size", "an array's header claims to be longer than any is")
    text = _exactly(stream, length)
    try:
        header = ast.literal_eval(text.decode("latin-1").strip())
        shape, fortran, descr = header["shape"], header["fortran_order"], header["descr"]
        plain = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError):
        raise malformed("holds an array whose header cannot be read") from None
    if not plain or not isinstance(fortran, bool) or len(shape) > 8:  # noqa: PLR2004 - no array here has as many
        raise malformed("holds an array whose header cannot be read")
    return 8 + width + length, shape, fortran, descr


def _is_of_coefficients(stream: IO[bytes], descr: object) -> bool:
    """Whether the metadata that this service writes say that K and b are coefficients in a basis."""
    if not isinstance(descr, str) or descr[:2] not in {"<U", ">U"}:
        return False
    parts = []
    while part := _read_some(stream, CHUNK):
        parts.append(part)
        if sum(map(len, parts)) > LONGEST_NOTE:
            return False
    try:
        note = json.loads(b"".join(parts).decode("utf-32-le" if descr[0] == "<" else "utf-32-be").rstrip("\0"))
    except (ValueError, RecursionError):
        return False
    return isinstance(note, dict) and note.get("basis") is not None
