"""Parquet, read a few rows at a time, so that what a file claims of its size need not be believed."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
from arro3 import io
from arro3.core import DataType

from service.datasets.uploads.labels import LONGEST_LABEL
from service.datasets.uploads.request import (
    Choice,
    Refusal,
    UploadLimits,
    UploadRefusedError,
    listed,
    malformed,
    quoted,
)
from service.datasets.uploads.settle import Unsettled, settle
from service.datasets.uploads.tables import Roles, check_rows, roles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from arro3.core import Array, RecordBatch, RecordBatchReader, Schema
    from numpy.typing import NDArray

    from service.datasets.uploads.canonical import Samples

T = TypeVar("T")

LONGEST_FOOTER: Final = 4 * 2**20
_INDEX: Final = re.compile(r"__index_level_\d+__")
"""How pandas calls the columns of an index without a name; they are an index where the note about it is lost, too."""
_MOST_REFUSALS: Final = 20
_MAGIC: Final = b"PAR1"
_SCALE: Final = re.compile(r"Decimal\d+\(\d+, (-?\d+)\)")
"""How the library shows a decimal type, whose scale it does not tell otherwise."""
_ROWS_AT_ONCE: Final = 500
"""Rows unpacked together: a page that holds one text as long as itself can repeat it for every row."""


def read_parquet(path: Path, choice: Choice, limits: UploadLimits) -> Samples:
    """Read a table. A single target of integers, text or truth values is a class; a data frame's index is no column.

    It is read in parts of few rows and refused where these become too many, whatever the footer claims.

    Raises
    ------
    UploadRefusedError
        It is damaged, holds too much, or something else than numbers.
    """
    _check_footer(path)
    file = _guarded(lambda: io.read_parquet(path, batch_size=_ROWS_AT_ONCE))
    return _read(file, choice, limits)


def _guarded(call: Callable[[], T]) -> T:
    """Return what the library answers; whatever it raises means that the file is damaged."""
    try:
        return call()
    except (MemoryError, StopIteration):
        raise
    except Exception:  # noqa: BLE001 - it raises bare `Exception` as well
        raise malformed("is damaged, or is no Parquet file") from None
    except BaseException as panic:
        if type(panic).__name__ != "PanicException":  # the library's own, which it does not export
            raise
        raise malformed("is damaged, or has a column of a type that cannot be read") from None


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


def _read(file: RecordBatchReader, choice: Choice, limits: UploadLimits) -> Samples:
    schema = file.schema
    index = _index_columns(schema)
    places = [place for place, name in enumerate(schema.names) if name not in index]
    if not places:
        raise UploadRefusedError("no_inputs", "has no columns but a data frame's index")
    names = [schema.names[place].strip() for place in places]
    _check_index(index, choice, names, limits)
    found = roles(names, choice, limits)
    chosen = Roles([places[k] for k in found.inputs], [places[k] for k in found.targets])
    _check_types(schema, chosen)
    labelled = len(chosen.targets) == 1 and _holds_labels(schema.field(chosen.targets[0]).type)
    inputs: list[NDArray[np.float64]] = []
    numbers: list[NDArray[np.float64]] = []
    labels: list[str] = []
    rows = 0
    for batch in _batches(file):
        rows += batch.num_rows
        check_rows(rows, chosen, limits)
        inputs.append(_matrix(batch, chosen.inputs))
        if labelled:
            labels += _labels(batch.column(chosen.targets[0]))
        elif chosen.targets:
            numbers.append(_matrix(batch, chosen.targets))
    check_rows(rows, chosen, limits)  # there may have been none
    read = Unsettled(
        inputs=np.concatenate(inputs),
        targets=labels if labelled else np.concatenate(numbers) if chosen.targets else None,
        row=lambda row: f"row {row + 1}",
        input_names=[_called(schema, place) for place in chosen.inputs],
        target_names=[_called(schema, place) for place in chosen.targets],
        integers=all(_is_integer(schema.field(place).type) for place in chosen.targets),
        columns=[schema.names[place].strip() for place in chosen.inputs],
    )
    return settle(read, choice.missing, limits)


def _batches(file: RecordBatchReader) -> Iterator[RecordBatch]:
    """Yield the table in parts of few rows, none of them empty."""
    while True:
        try:
            batch = _guarded(file.read_next_batch)
        except StopIteration:
            return
        if batch.num_rows:
            yield batch


def _index_columns(schema: Schema) -> set[str]:
    """Return the columns that are a data frame's index, by what pandas wrote into the schema or by its own names."""
    try:
        noted = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))["index_columns"]
        index = {name for name in noted if isinstance(name, str)}  # a range, which is no column, is an object
    except (ValueError, TypeError, KeyError, RecursionError):
        index = set()
    return index | {name for name in schema.names if _INDEX.fullmatch(name)}


def _check_index(index: set[str], choice: Choice, names: Sequence[str], limits: UploadLimits) -> None:
    """Refuse to take an index for a column that was asked for: it has a name, and is none."""
    others = {
        parameter: tuple(name for name in chosen if name not in index or name.strip() in names)
        for parameter, chosen in (("targets", choice.targets), ("inputs", choice.inputs))
    }
    refused = [
        Refusal(
            code="unknown_column",
            detail=f"names {listed(asked)}, the data frame's index, which is no column; reset_index() makes it one",
            parameter=parameter,
        )
        for parameter, chosen in (("targets", choice.targets), ("inputs", choice.inputs))
        if (asked := [name for name in chosen if name in index and name.strip() not in names])
    ]
    if not refused:
        return
    try:
        roles(names, choice.model_copy(update=others), limits)
    except UploadRefusedError as error:  # what else is wrong with the parameters is told at once
        refused += [refusal for refusal in error.refusals if refusal.parameter is not None]
    raise UploadRefusedError.several(refused)


def _check_types(schema: Schema, chosen: Roles) -> None:
    """Refuse every column that does not hold numbers, or labels where it is the only target."""
    refused = []
    for place in (*chosen.inputs, *chosen.targets):
        kind = schema.field(place).type
        labels = chosen.targets == [place] and _is_text(kind)
        if not (labels or _is_numeric(kind)):
            detail = f"{_called(schema, place)} holds {_contents(kind)}, not numbers"
            refused.append(Refusal(code="wrong_dtype", detail=detail))
    if refused:
        raise UploadRefusedError.several(refused[:_MOST_REFUSALS])


def _called(schema: Schema, place: int) -> str:
    return f"column {place + 1} ({quoted(schema.names[place].strip())})"


def _values(kind: DataType) -> DataType:
    """Return what a column's values are, whether or not each is stored once and numbered."""
    values = kind.value_type if DataType.is_dictionary(kind) else None
    return kind if values is None else values


def _is_text(kind: DataType) -> bool:
    kind = _values(kind)
    return bool(DataType.is_string(kind) or DataType.is_large_string(kind) or DataType.is_string_view(kind))


def _is_numeric(kind: DataType) -> bool:
    kind = _values(kind)
    is_numbers = DataType.is_integer(kind) or DataType.is_floating(kind) or DataType.is_decimal(kind)
    return bool(is_numbers or DataType.is_boolean(kind) or DataType.is_null(kind))


def _is_integer(kind: DataType) -> bool:
    kind = _values(kind)
    if DataType.is_decimal(kind):
        scale = _SCALE.search(str(kind))
        return scale is not None and int(scale[1]) <= 0
    return bool(DataType.is_integer(kind))


def _holds_labels(kind: DataType) -> bool:
    """Tell whether a single target of this type comes as text, as it would from a CSV."""
    return _is_text(kind) or bool(DataType.is_boolean(_values(kind)))


def _contents(kind: DataType) -> str:
    """Return in words what a column holds that is no number."""
    kind = _values(kind)
    if _is_text(kind):
        return "text"
    if DataType.is_map(kind) or DataType.is_struct(kind):
        return "nested records"
    if DataType.is_nested(kind):
        return "nested lists"
    if DataType.is_temporal(kind):
        return "dates or times"
    return "bytes" if DataType.is_binary(kind) or DataType.is_large_binary(kind) else "another type"


def _matrix(batch: RecordBatch, positions: Sequence[int]) -> NDArray[np.float64]:
    """Return columns of numbers as float64 (rows, columns)."""
    return np.column_stack([_guarded(partial(_doubles, batch.column(position))) for position in positions])


def _doubles(part: Array) -> NDArray[np.float64]:
    """Return numbers as float64, NaN where one is missing."""
    if DataType.is_null(_values(part.type)):
        return np.full(len(part), np.nan)
    if DataType.is_decimal(_values(part.type)):
        part = part.cast(DataType.string())  # the way from decimals straight to floats is off in the last place
    values = part.cast(DataType.float64())
    if values.null_count:
        return np.array(values.to_pylist(), float)  # None becomes NaN
    doubles: NDArray[np.float64] = values.to_numpy()
    return doubles


def _labels(part: Array) -> list[str]:
    """Return one text a row, empty where it is missing; longer ones than labels may be are cut, to be refused."""
    texts = _guarded(part.to_pylist)
    return ["" if label is None else str(label)[: 2 * LONGEST_LABEL] for label in texts]
