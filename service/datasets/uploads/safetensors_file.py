"""Safetensors files. The library refuses arrays that overlap, leave gaps or do not fit the file before one is read."""

from __future__ import annotations

import json
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from safetensors import SafetensorError, safe_open

from service.datasets.uploads.arrays import ArrayFile, UnreadArray
from service.datasets.uploads.canonical import METADATA
from service.datasets.uploads.request import UploadRefusedError, malformed, quoted

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LONGEST_HEADER: Final = 2**20
"""Bytes. The library takes a hundred times as many, and more than a gigabyte of memory for what they can say."""
MOST_ARRAYS: Final = 1000

_BFLOAT16: Final = "BF16"
"""The upper half of a float32: a type that NumPy does not have."""
_TYPES: Final = {
    **{f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)},
    _BFLOAT16: "<u2",
    "BOOL": "?",
}
_NO_HEADER: Final = tuple(f"Error while deserializing header: invalid {what} in header" for what in ("JSON", "UTF-8"))
"""How the library begins to say that a header is not what the format asks for; all else it says is about sizes."""


def open_safetensors(path: Path) -> ArrayFile:
    """Read the header of a safetensors file, checked against the size of the file.

    Raises
    ------
    UploadRefusedError
        It is no safetensors file, or one whose header does not fit it.
    """
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > LONGEST_HEADER:
            detail = f"is no safetensors file, or its header has more than {LONGEST_HEADER} bytes"
            raise UploadRefusedError("lies_about_size", detail)
        header = stream.read(length)
    try:
        with safe_open(path, framework="numpy") as file:
            names = file.offset_keys()
            claims = [(part.get_dtype(), tuple(part.get_shape())) for part in map(file.get_slice, names)]
            note = (file.metadata() or {}).get(METADATA)
    except SafetensorError as error:  # its words may repeat what was sent
        if str(error).startswith(_NO_HEADER):
            raise malformed("is no safetensors file, or its header cannot be read") from None
        detail = "is no safetensors file, or has been cut off: shapes and offsets in its header do not fit the file"
        raise UploadRefusedError("lies_about_size", detail) from None
    entries = json.loads(header, object_pairs_hook=_without_repetition)  # JSON it is: the library has read it
    if len(names) > MOST_ARRAYS:
        raise UploadRefusedError("too_many_arrays", f"holds more than {MOST_ARRAYS} arrays")
    headers = {}
    for name, (kind, shape) in zip(names, claims, strict=True):
        offset = 8 + length + entries[name]["data_offsets"][0]
        headers[name] = partial(_unread, path, name, kind, shape, offset)
    return ArrayFile(headers, lambda: note)


def _unread(path: Path, name: str, kind: str, shape: tuple[int, ...], offset: int) -> UnreadArray:
    if kind not in _TYPES:
        detail = f"the array {quoted(name)} is of the type {kind}; store it as one of {', '.join(_TYPES)}"
        raise UploadRefusedError("wrong_dtype", detail)
    stored = np.dtype(_TYPES[kind])
    load = partial(_load, path, offset, shape, stored, bfloat16=kind == _BFLOAT16)
    return UnreadArray(shape, np.dtype(np.float32) if kind == _BFLOAT16 else stored, load)


def _load(path: Path, offset: int, shape: tuple[int, ...], stored: np.dtype[Any], *, bfloat16: bool) -> NDArray[Any]:
    """Read one array. The library would copy it from a map of the file, and cannot hand bfloat16 to NumPy."""
    values: NDArray[Any] = np.fromfile(path, stored, prod(shape), offset=offset)
    if bfloat16:
        values = (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return values.reshape(shape)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a header that says a thing twice: readers differ in which they believe, and the library takes the last."""
    if len(dict(pairs)) < len(pairs):
        raise malformed("the header gives a name twice")
    return dict(pairs)
