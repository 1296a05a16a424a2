"""Content that is sent piece by piece, so that no more of it than a piece is in memory."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from service.artifacts import ArtifactStore
    from service.contract.job import ArtifactRef

PIECE: Final = 2**20
"""Bytes of a file that are read at once."""
_GZIP: Final = 16 + zlib.MAX_WBITS
_LENGTH: Final = 8
"""Bytes before the JSON header of a safetensors file that say how long it is."""
_DTYPES: Final[Mapping[str, str]] = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U8": "|u1", "BOOL": "|b1"}


@dataclass(frozen=True, slots=True)
class Pieces:
    """Content with its digest and its bytes, what reads it, once, and what gives it up where nobody does."""

    sha256: str
    size: int
    read: Callable[[], Iterator[bytes]]
    give_up: Callable[[], None] = lambda: None


def of_bytes(content: bytes) -> Pieces:
    """Return content that is in memory already."""
    starts = range(0, len(content), PIECE)
    return Pieces(
        hashlib.sha256(content).hexdigest(),
        len(content),
        lambda: (content[start : start + PIECE] for start in starts),
    )


def of_object(artifacts: ArtifactStore, reference: ArtifactRef) -> Pieces:
    """Return a stored object, which is checked as it is read."""
    return Pieces(reference.sha256, reference.bytes, lambda: artifacts.pieces(reference))


def of_npz(arrays: Mapping[str, NDArray[Any]]) -> Pieces:
    """Return arrays as NPZ, written to a file that nobody else sees."""
    file = tempfile.SpooledTemporaryFile(PIECE)  # noqa: SIM115 - `_read_once` closes it
    np.savez(file, allow_pickle=False, **arrays)
    return of_open(file)


def of_open(file: IO[bytes]) -> Pieces:
    """Return the content of a file, which is closed once it is read."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    digest = hashlib.sha256()
    while part := file.read(PIECE):
        digest.update(part)
    file.seek(0)
    return Pieces(digest.hexdigest(), size, lambda: _read_once(file), file.close)


def _read_once(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while part := file.read(PIECE):
            yield part


def compressed(pieces: Iterable[bytes], level: int) -> Iterator[bytes]:
    """Yield pieces as gzip."""
    compressor = zlib.compressobj(level, wbits=_GZIP)
    for piece in pieces:
        if part := compressor.compress(piece):
            yield part
    yield compressor.flush()


def numbers_in(artifacts: ArtifactStore, reference: ArtifactRef) -> int:
    """Count the numbers of a stored safetensors file by its header alone."""
    return sum(map(math.prod, shapes_in(artifacts, reference).values()))


def shapes_in(artifacts: ArtifactStore, reference: ArtifactRef) -> dict[str, tuple[int, ...]]:
    """Read the shapes of a stored safetensors file's arrays, by name, in its header alone."""
    length = int.from_bytes(artifacts.part(reference, 0, _LENGTH), "little")
    header = json.loads(artifacts.part(reference, _LENGTH, _LENGTH + length))
    return {name: tuple(said["shape"]) for name, said in header.items() if name != "__metadata__"}


def mapped(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a safetensors file by name, in an order that is the same each time, without reading them."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return {name: _mapped(path, _LENGTH + length, said) for name, said in sorted(header.items())}


def _mapped(path: Path, start: int, said: Mapping[str, Any]) -> NDArray[Any]:
    dtype, shape = np.dtype(_DTYPES[said["dtype"]]), tuple(said["shape"])
    if 0 in shape:  # there is nothing to map
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", start + said["data_offsets"][0], shape)
