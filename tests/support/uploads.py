"""Uploads, good and hostile, made by hand where a library would not make them."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Mapping

CSV = "text/csv"
NPZ = "application/x-npz"
PARQUET = "application/vnd.apache.parquet"
SAFETENSORS = "application/vnd.safetensors"

X = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.5]])
Y = np.array([0, 1, 0])


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def zipped(entries: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def npy_header(text: str, version: int = 1) -> bytes:
    encoded = text.encode() + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(encoded)) + encoded


def header_of(shape: str, descr: str = "'<f8'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"


def bomb(megabytes: int = 200) -> bytes:
    """An NPZ of some 200 KB that unpacks to as many megabytes of zeros as asked, by true headers."""
    rows = megabytes * 2**20 // 8
    body = npy_header(header_of(f"({rows}, 1)")) + bytes(rows * 8)
    return zipped({"inputs.npy": body, "targets.npy": npy_header(header_of("(1,)")) + bytes(8)})


def lying_bomb(megabytes: int = 200) -> bytes:
    """An NPZ whose directory and headers claim one number where the packed stream unpacks to megabytes."""
    honest = npy_header(header_of("(1, 1)")) + bytes(8)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(honest + bytes(megabytes * 2**20)) + packer.flush()
    name = b"inputs.npy"
    common = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, zlib.crc32(honest), len(packed), len(honest), len(name), 0)
    local = b"PK\x03\x04" + common + name + packed
    central = b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


def header_bomb(megabytes: int = 127) -> bytes:
    """An NPZ of some 130 KB whose one array is a header, of as many megabytes as asked and claiming as many."""
    size = megabytes * 2**20
    return zipped({"inputs.npy": b"\x93NUMPY\x02\x00" + struct.pack("<I", size) + b" " * size})


def many_arrays(count: int = 200_000) -> bytes:
    """A safetensors file of arrays without numbers: nothing but a header, of some 60 bytes for each."""
    return safetensors_file({str(k): tensor([0], 0, 0) for k in range(count)})


def label_bomb(rows: int = 100_000, characters: int = 30_000) -> bytes:
    """A Parquet of some 3 KB whose rows all have one long label: it is stored once, and unpacks to gigabytes."""
    labels = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), ["x" * characters])
    return parquet({"a": np.zeros(rows), "y": labels})


def safetensors_file(header: Any, body: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def tensor(shape: list[int], begin: int, end: int, dtype: str = "F64") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def parquet(table: dict[str, Any], **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(table), file, **options)
    return file.getvalue()
