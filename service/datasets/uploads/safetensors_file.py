"""Safetensors files: lengths and offsets are checked against the file before an array is read."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from service.datasets.uploads.arrays import ArrayHeader
from service.datasets.uploads.request import UploadRefusedError, malformed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

LONGEST_HEADER: Final = 2**20
MOST_ARRAYS: Final = 1000
METADATA: Final = "__metadata__"
_TYPES: Final = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
}


class SafetensorsFile:
    """The arrays of a safetensors file, by headers that have been checked.

    Parameters
    ----------
    path
        Of the file.

    Raises
    ------
    UploadRefusedError
        It is no safetensors file, or one whose header does not fit it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > size - 8:  # noqa: PLR2004 - the eight bytes that hold the length
                detail = "is no safetensors file, or has been cut off: its header claims to be longer than the file"
                raise UploadRefusedError("lies_about_size", detail)
            if length > LONGEST_HEADER:
                raise UploadRefusedError("lies_about_size", f"the header has more than {LONGEST_HEADER} bytes")
            text = file.read(length)
        self._start = 8 + length
        self._headers: dict[str, ArrayHeader] = {}
        self.coefficients = False
        self._offsets: dict[str, int] = {}
        self._brain: set[str] = set()
        entries = _parse(text)
        self.coefficients = _is_of_coefficients(entries.pop(METADATA, {}))
        if len(entries) > MOST_ARRAYS:
            raise UploadRefusedError("too_many_arrays", f"holds more than {MOST_ARRAYS} arrays")
        spans = sorted(self._add(name, entry) for name, entry in entries.items())
        at = 0
        for begin, end in spans:
            if begin != at:
                raise UploadRefusedError("lies_about_size", "the arrays' offsets overlap or leave gaps")
            at = end
        if at != size - self._start:
            raise UploadRefusedError("lies_about_size", "the arrays' offsets do not end where the file does")

    def _add(self, name: str, entry: Any) -> tuple[int, int]:
        try:
            kind, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
            whole = all(type(n) is int and n >= 0 for n in (*shape, begin, end))
        except (TypeError, KeyError, ValueError):
            raise malformed("the header of an array cannot be read") from None
        if not whole or not isinstance(kind, str) or begin > end:
            raise malformed("the header of an array cannot be read")
        if kind not in _TYPES:
            raise UploadRefusedError("wrong_dtype", "an array does not hold integers or floating-point numbers")
        dtype = np.dtype(_TYPES[kind])
        if math.prod(shape) * dtype.itemsize != end - begin:
            raise UploadRefusedError("lies_about_size", "an array's shape does not fit its offsets")
        if kind == "BF16":
            self._brain.add(name)
        self._headers[name] = ArrayHeader(shape, np.dtype(np.float32) if kind == "BF16" else dtype)
        self._offsets[name] = self._start + begin
        return begin, end

    @property
    def headers(self) -> Mapping[str, ArrayHeader]:
        """What the file claims of each array."""
        return self._headers

    def read(self, name: str) -> NDArray[np.generic]:
        """Read one array, within the file as has been checked."""
        header, count = self.headers[name], math.prod(self.headers[name].shape)
        dtype = np.dtype("<u2") if name in self._brain else header.dtype
        values: NDArray[np.generic] = np.fromfile(self._path, dtype, count, offset=self._offsets[name])
        if name in self._brain:  # the upper half of a float32
            values = (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
        return values.reshape(header.shape)


def _parse(text: bytes) -> dict[str, Any]:
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        raise malformed("the header is not JSON") from None
    if not isinstance(entries, dict):
        raise malformed("the header is not an object")
    return entries


def _is_of_coefficients(metadata: Any) -> bool:
    """Whether the metadata that this service writes say that K and b are coefficients in a basis."""
    try:
        note = json.loads(metadata["deeplimit"])
        return note.get("basis") is not None
    except (TypeError, KeyError, ValueError, AttributeError, RecursionError):
        return False
