"""What can be uploaded: files, bytes, arrays and data frames, none of whose libraries is needed to tell them apart."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

BYTES: Final = "application/octet-stream"
MEDIA_TYPES: Final = {
    ".csv": "text/csv",
    ".npz": "application/x-npz",
    ".parquet": "application/vnd.apache.parquet",
    ".safetensors": "application/vnd.safetensors",
}
"""Media types of the files that can be uploaded, by their ending."""


@dataclass(frozen=True)
class Upload:
    """Content, its media type, and the parameters that say how it is to be read."""

    content: bytes
    media_type: str
    params: Mapping[str, Any] = field(default_factory=dict)


def upload_of(data: Any, targets: Any = None, **parameters: Any) -> Upload:
    """Prepare an upload.

    Parameters
    ----------
    data
        A path whose ending tells the format; bytes, with `format`; an array (samples, features), or a list of rows; a
        mapping of arrays by name, as of the weights K and b of a network; a data frame of pandas or polars, or a table
        of pyarrow.
    targets
        With an array: the targets (samples,) or (samples, outputs), numbers or labels. Otherwise the name of the column
        or the array of targets, or several.
    parameters
        The query parameters of ``POST /v1/datasets``.

    Raises
    ------
    TypeError, ValueError, OSError
        It is nothing that can be uploaded, or a file that cannot be read.
    """
    if isinstance(data, str | Path):
        path = Path(data)
        media_type = MEDIA_TYPES.get(path.suffix.lower())
        if media_type is None:
            raise ValueError(f"{path}: not a file that ends in {', '.join(MEDIA_TYPES)}")
        return Upload(path.read_bytes(), media_type, _named(targets) | parameters)
    if isinstance(data, bytes | bytearray | memoryview):
        if parameters.get("format") is None:
            raise TypeError("bytes are uploaded with format='csv', 'parquet', 'npz' or 'safetensors'")
        return Upload(bytes(data), BYTES, _named(targets) | parameters)
    if (written := _frame(data)) is not None:
        content, media_type, said = written
        return Upload(content, media_type, said | _named(targets) | parameters)
    if isinstance(data, dict):
        return Upload(_npz(data), MEDIA_TYPES[".npz"], _named(targets) | parameters)
    arrays = {"inputs": data} | ({} if targets is None else {"targets": targets})
    said = {"inputs_only": True} if targets is None else {}
    return Upload(_npz(arrays), MEDIA_TYPES[".npz"], parameters | said)


def _named(targets: Any) -> dict[str, Any]:
    """Return the parameter that names targets."""
    if targets is None:
        return {}
    names = [targets] if isinstance(targets, str) else list(targets)
    if not all(isinstance(name, str) for name in names):
        raise TypeError("targets of a table are named: give the names of columns, or arrays for both")
    return {"targets": names}


def _frame(data: Any) -> tuple[bytes, str, dict[str, Any]] | None:
    """Write a data frame, by whatever its own library offers; None where it is none."""
    buffer = io.BytesIO()
    if hasattr(data, "write_parquet"):  # polars
        data.write_parquet(buffer)
        return buffer.getvalue(), MEDIA_TYPES[".parquet"], {}
    if hasattr(data, "to_csv") and hasattr(data, "columns"):  # pandas, whose Parquet needs one more library
        return data.to_csv(index=False).encode(), MEDIA_TYPES[".csv"], {"header": "present"}
    if type(data).__module__.partition(".")[0] == "pyarrow" and hasattr(data, "schema"):
        import pyarrow.parquet as pq  # noqa: PLC0415 - there, since the table is one of its own

        pq.write_table(data, buffer)
        return buffer.getvalue(), MEDIA_TYPES[".parquet"], {}
    return None


def _npz(arrays: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **{name: _array(name, value) for name, value in arrays.items()})
    return buffer.getvalue()


def _array(name: str, value: Any) -> np.ndarray[Any, Any]:
    """Return numbers, truth values or texts as an array; objects that are all texts as texts."""
    array = np.asarray(value)
    if array.dtype.kind in "OUT":
        if not all(isinstance(entry, str) for entry in array.ravel().tolist()):
            raise TypeError(f"{name}: holds objects that are neither numbers nor all texts")
        array = array.astype(np.str_)
    return array
