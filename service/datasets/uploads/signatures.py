"""What a file is by its first bytes, so that one of another kind is called by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.contract.data.dataset import UploadFormat
from service.datasets.uploads.request import UploadRefusedError, malformed

if TYPE_CHECKING:
    from pathlib import Path

_PACKED: Final = {
    b"\x1f\x8b\x08": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_ZIP: Final = b"PK\x03\x04"
_PARQUET: Final = b"PAR1"
_OTHERS: Final = {
    _ZIP: "a zip file, as NPZ files and Excel's .xlsx are",
    _PARQUET: "a Parquet file",
    b"\x93NUMPY": "a single NumPy array (.npy); numpy.savez writes several, by name",
    b"\x89HDF": "an HDF5 file",
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls)",
    b"%PDF": "a PDF",
    b"ARROW1": "an Arrow file; write Parquet",
}
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_OWN: Final = {UploadFormat.NPZ: _ZIP, UploadFormat.PARQUET: _PARQUET}
_TEXTS: Final = {
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"<?xml": "XML",
    b"{": "JSON",
    b"[[": "JSON",
    b"@relation": "ARFF",
}
_HEADER_OF_SAFETENSORS: Final = 8
"""Bytes before the JSON of a safetensors file: a length, which may look like anything."""


def check(path: Path, expected: UploadFormat) -> None:
    """Refuse a file whose first bytes are those of another kind than its media type says.

    Raises
    ------
    UploadRefusedError
        ``compressed``, ``wrong_encoding`` or ``malformed``, with what the file is.
    """
    with path.open("rb") as file:
        start = file.read(64)
    if expected is UploadFormat.SAFETENSORS and start[_HEADER_OF_SAFETENSORS:].startswith(b"{"):
        return
    for signature, packer in _PACKED.items():
        if start.startswith(signature):
            raise UploadRefusedError("compressed", f"is compressed with {packer}; send it unpacked")
    own = _OWN.get(expected)
    for signature, what in _OTHERS.items():
        if start.startswith(signature) and signature != own:
            raise malformed(f"is {what}, not {_called(expected)}")
    if expected is UploadFormat.CSV:
        if start.startswith(_UTF_16) or (len(start) > 1 and not (any(start[1::2]) and any(start[::2]))):
            raise UploadRefusedError("wrong_encoding", "is in UTF-16, not in UTF-8; save it as UTF-8")
        text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
        for beginning, what in _TEXTS.items():
            if text.startswith(beginning):
                raise malformed(f"is {what}, not {_called(expected)}")


def _called(expected: UploadFormat) -> str:
    names = {UploadFormat.CSV: "CSV", UploadFormat.NPZ: "NPZ", UploadFormat.PARQUET: "Parquet"}
    return names.get(expected, "safetensors")
