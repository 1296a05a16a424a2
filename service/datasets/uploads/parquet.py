"""Parquet, read a column at a time; sizes are those that the footer claims, checked before reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from service.datasets.uploads.canonical import Samples
from service.datasets.uploads.request import Choice, UploadLimits, UploadRefusedError, malformed
from service.datasets.uploads.tables import LONGEST_NAME, Roles, check_rows, classes_of, roles, target_values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

LONGEST_FOOTER: Final = 4 * 2**20
MOST_ROW_GROUPS: Final = 10_000
_MAGIC: Final = b"PAR1"
_THRIFT_STRINGS: Final = 2**20
_THRIFT_ENTRIES: Final = 10**6
_TEXTS_AT_ONCE: Final = 500
"""Texts unpacked together: each may be as long as a page, and a page that says it once can repeat it for every row."""


def read_parquet(path: Path, choice: Choice, limits: UploadLimits) -> Samples:
    """Read a table. Integer or text targets are classes, unless there are several columns of them.

    Raises
    ------
    UploadRefusedError
        It is damaged, claims too much, or holds something else than numbers.
    """
    _check_footer(path)
    try:
        file = pq.ParquetFile(
            path, thrift_string_size_limit=_THRIFT_STRINGS, thrift_container_size_limit=_THRIFT_ENTRIES
        )
        return _read(file, choice, limits)
    except (pa.ArrowException, OSError, ValueError):
        raise malformed("is damaged, or is no Parquet file") from None


def _check_footer(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(max(0, size - 8))
        tail = file.read()
    if size < 12 or start != _MAGIC or tail[4:] != _MAGIC:  # noqa: PLR2004 - two marks and a length
        raise malformed("is no Parquet file, or has been cut off")
    length = int.from_bytes(tail[:4], "little")
    if length > min(size - 12, LONGEST_FOOTER):
        raise UploadRefusedError("lies_about_size", "the footer claims to be longer than it can be")


def _read(file: pq.ParquetFile, choice: Choice, limits: UploadLimits) -> Samples:
    metadata = file.metadata
    if metadata.num_row_groups > MOST_ROW_GROUPS:
        raise malformed(f"has more than {MOST_ROW_GROUPS} row groups")
    schema = file.schema_arrow
    if len(schema.names) != metadata.num_columns:
        raise UploadRefusedError("wrong_dtype", "has nested columns")
    chosen = roles(schema.names, choice, limits)
    check_rows(metadata.num_rows, chosen, limits)
    _check_sizes(metadata, chosen, limits)
    types = {position: schema.field(position).type for position in (*chosen.inputs, *chosen.targets)}
    labels = len(chosen.targets) == 1 and _is_text(types[chosen.targets[0]])
    for position, kind in types.items():
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or (labels and position in chosen.targets)):
            raise UploadRefusedError("wrong_dtype", f"column {position + 1} does not hold numbers")
    inputs = _matrix(file, chosen.inputs)
    columns = [str(schema.names[position])[:LONGEST_NAME] for position in chosen.inputs]
    if labels:
        classes, names = classes_of(_labels(file, chosen.targets[0]), limits)
        return Samples(inputs, classes, integers=True, class_names=names, columns=columns)
    integers = all(pa.types.is_integer(types[position]) for position in chosen.targets)
    return Samples(inputs, target_values(_matrix(file, chosen.targets)), integers=integers, columns=columns)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _check_sizes(metadata: Any, chosen: Roles, limits: UploadLimits) -> None:
    """Refuse row groups that do not add up, or that unpack to more than the numbers in them can need."""
    rows = unpacked = 0
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        rows += group.num_rows
        for position in (*chosen.inputs, *chosen.targets):
            column = group.column(position)
            if column.num_values != group.num_rows or column.total_uncompressed_size < 0:
                raise UploadRefusedError("lies_about_size", "a column claims other rows than its row group has")
            unpacked += column.total_uncompressed_size
    if rows != metadata.num_rows:
        raise UploadRefusedError("lies_about_size", "the row groups do not have the rows that the footer claims")
    if unpacked > 16 * limits.numbers:
        raise UploadRefusedError("unpacks_too_large", "unpacks to more bytes than an upload may hold")


def _parts(file: pq.ParquetFile, position: int, rows_at_once: int) -> Iterator[pa.Array]:
    """Yield one column in parts, of as many rows together as the footer claims and none of them missing."""
    rows = 0
    for batch in file.iter_batches(rows_at_once, columns=[file.schema_arrow.names[position]], use_threads=False):
        part = batch.column(0)
        if part.null_count:
            raise UploadRefusedError("missing_value", f"column {position + 1} has missing values")
        rows += len(part)
        yield part
    if rows != file.metadata.num_rows:
        raise UploadRefusedError("lies_about_size", "a column does not have the rows that the footer claims")


def _matrix(file: pq.ParquetFile, positions: list[int]) -> NDArray[np.float64]:
    rows = file.metadata.num_rows
    matrix = np.empty((rows, len(positions)))
    for place, position in enumerate(positions):
        matrix[:, place] = np.concatenate([part.to_numpy() for part in _parts(file, position, rows)])
    return matrix


def _labels(file: pq.ParquetFile, position: int) -> list[str]:
    return [str(label)[:1000] for part in _parts(file, position, _TEXTS_AT_ONCE) for label in part.to_pylist()]
