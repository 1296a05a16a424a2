"""NPZ files. The zip's directory and each array's header are checked before an array is unpacked.

NumPy parses the headers and reads the arrays, but `numpy.load` may not open the file: it reads as long a header as is
claimed before it looks at the length, and it allocates what a header claims before it compares this with the file.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from contextlib import contextmanager
from functools import partial
from math import prod
from typing import IO, TYPE_CHECKING, Any, Final

from numpy.lib import format as npy

from service.datasets.uploads.arrays import ArrayFile, UnreadArray
from service.datasets.uploads.canonical import METADATA
from service.datasets.uploads.request import UploadLimits, UploadRefusedError, malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

MOST_ENTRIES: Final = 1000
MOST_DIRECTORY: Final = 2**17
LONGEST_HEADER: Final = 10_000
LONGEST_NOTE: Final = 2**16

_END: Final = b"PK\x05\x06"
_END_64: Final = b"PK\x06\x07"
_END_BYTES: Final = 22
_LONGEST_COMMENT: Final = 2**16
_ENCRYPTED: Final = 0x1
_HEADERS: Final = {
    (1, 0): ("<8xH", npy.read_array_header_1_0),
    (2, 0): ("<8xI", npy.read_array_header_2_0),
    (3, 0): ("<8xI", npy.read_array_header_2_0),  # differs in how it spells the names of fields, which none here has
}
"""How to unpack the length of a header, and what reads the header, by version of the format."""


def open_npz(path: Path, limits: UploadLimits) -> ArrayFile:
    """Read the directory of an NPZ file; the header of an array is read, and checked against it, when asked for.

    Raises
    ------
    UploadRefusedError
        It is no NPZ file, or one that claims too much.
    """
    _check_directory(path)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError):
        raise malformed("is not a zip file") from None
    entries = {
        entry.filename.removesuffix(".npy"): entry for entry in archive.infolist() if entry.filename.endswith(".npy")
    }
    if not entries or len({entry.filename for entry in archive.infolist()}) < len(archive.infolist()):
        raise malformed("holds no arrays, or an array twice")
    headers = {name: partial(_unread, archive, entry, limits) for name, entry in entries.items()}
    return ArrayFile(headers, partial(_note, headers))


def _note(headers: Mapping[str, Callable[[], UnreadArray]]) -> str | None:
    """Return what this service wrote into the file, if it did: an array of one text."""
    if METADATA not in headers:
        return None
    try:
        note = headers[METADATA]()
    except UploadRefusedError:  # an array of that name which is none of ours
        return None
    if note.dtype.kind != "U" or note.shape or note.dtype.itemsize > LONGEST_NOTE:
        return None
    return str(note.load().astype("=U").tobytes(), "utf-32", "replace").rstrip("\0")


def _check_directory(path: Path) -> None:
    """Refuse a directory that would be costly to read: the zip module reads all of whatever is there."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _END_BYTES - _LONGEST_COMMENT))
        tail = file.read()
    end = tail.rfind(_END)
    if end < 0 or len(tail) - end < _END_BYTES:
        raise malformed("is not a zip file, or has been cut off")
    if _END_64 in tail[max(0, end - 20) : end]:
        raise UploadRefusedError("unpacks_too_large", "is a zip file for more than 4 GB")
    entries, directory = struct.unpack_from("<HI", tail, end + 10)
    if entries > MOST_ENTRIES or directory > MOST_DIRECTORY:
        raise UploadRefusedError("too_many_arrays", f"holds more than {MOST_ENTRIES} arrays")


def _unread(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: UploadLimits) -> UnreadArray:
    """Read the header of one array and check its size."""
    if entry.file_size > 8 * limits.numbers + LONGEST_HEADER:
        raise UploadRefusedError("unpacks_too_large", "unpacks to more bytes than an upload may hold")
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} or entry.flag_bits & _ENCRYPTED:
        raise malformed("holds an array that is encrypted or packed in another way than NumPy packs")
    with _unpacked(archive, entry) as stream:
        header = io.BytesIO(stream.read(npy.MAGIC_LEN + 4 + LONGEST_HEADER))  # however much more is claimed
    try:
        length, read = _HEADERS[npy.read_magic(header)]
        claimed = struct.unpack_from(length, header.getbuffer())[0]
    except (ValueError, KeyError, struct.error):
        raise malformed("holds something that is not a NumPy array") from None
    if claimed > LONGEST_HEADER:
        raise UploadRefusedError("lies_about_size", "an array's header claims to be longer than any is")
    try:
        shape, _, dtype = read(header, max_header_size=LONGEST_HEADER)
    except Exception:  # noqa: BLE001 - whatever Python's tokenizer and NumPy's types may raise at what they are sent
        raise malformed("holds an array whose header cannot be read") from None
    if any(type(n) is not int or n < 0 for n in shape):  # NumPy lets True and -1 through
        raise malformed("holds an array whose header cannot be read")
    if dtype.hasobject:
        detail = "an array holds Python objects, which would have to be unpickled; store texts by .astype(str)"
        raise UploadRefusedError("pickle_refused", detail)
    if header.tell() + prod(shape) * dtype.itemsize != entry.file_size:
        raise UploadRefusedError("lies_about_size", "an array's header claims another size than the array has")
    return UnreadArray(shape, dtype, partial(_load, archive, entry))


def _load(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NDArray[Any]:
    """Unpack one array a part at a time; its header, which NumPy reads again, has been checked."""
    with _unpacked(archive, entry) as stream:
        return npy.read_array(stream, allow_pickle=False, max_header_size=LONGEST_HEADER)


@contextmanager
def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    """Open an entry of the archive; it unpacks to no more bytes than the directory claims."""
    try:
        with archive.open(entry) as stream:
            yield stream
    except (zipfile.BadZipFile, zlib.error, RuntimeError, ValueError, OSError, EOFError):
        raise malformed("holds an array that is damaged or cut off") from None
