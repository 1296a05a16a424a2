"""Parquet, read a column at a time; sizes are those that the footer claims, checked before reading."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from service.contract.data.reading import Categorical
from service.contract.values.labels import LONGEST_LABEL
from service.datasets.uploads.request import (
    Choice,
    Refusal,
    UploadLimits,
    UploadRefusedError,
    listed,
    malformed,
    quoted,
)
from service.datasets.uploads.settle import Named, Unsettled, settle
from service.datasets.uploads.tables.categories import Category, Kind
from service.datasets.uploads.tables.roles import Roles, check_rows, roles
from service.datasets.uploads.tables.text_column import TextColumn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from service.datasets.uploads.canonical import Samples

LONGEST_FOOTER: Final = 4 * 2**20
MOST_ROW_GROUPS: Final = 10_000
_INDEX: Final = re.compile(r"__index_level_\d+__")
"""How pandas calls the columns of an index without a name; they are an index where the note about it is lost, too."""
_WRONG: Final = "wrong_dtype"
_MAGIC: Final = b"PAR1"
_THRIFT_STRINGS: Final = 2**20
_THRIFT_ENTRIES: Final = 10**6
_TEXTS_AT_ONCE: Final = 500
"""Texts unpacked together: each may be as long as a page, and a page that says it once can repeat it for every row."""


def read_parquet(path: Path, choice: Choice, limits: UploadLimits) -> Samples:
    """Read a table. A single target of integers, text or truth values is a class; a data frame's index is no column.

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
    metadata, schema = file.metadata, file.schema_arrow
    if metadata.num_row_groups > MOST_ROW_GROUPS:
        raise malformed(f"has more than {MOST_ROW_GROUPS} row groups")
    index = _index_columns(schema)
    places = [place for place, name in enumerate(schema.names) if name not in index]
    if not places:
        raise UploadRefusedError("no_inputs", "has no columns but a data frame's index")
    names = [schema.names[place].strip() for place in places]
    _check_index(index, choice, names, limits)
    found = roles(names, choice, limits)
    chosen = Roles([places[k] for k in found.inputs], [places[k] for k in found.targets])
    check_rows(metadata.num_rows, chosen, limits)
    others = [place for place in chosen.inputs if not _is_number(schema, place, choice)]
    flaws = _wrong_targets(schema, chosen)
    read = [place for place in (*chosen.inputs, *chosen.targets) if _is_read(schema, place, chosen)]
    _check_sizes(metadata, _first_leaves(schema, metadata), read, limits)
    targets: list[str] | NDArray[np.float64] | None = None
    if chosen.targets and not flaws:
        text = len(chosen.targets) == 1 and _holds_labels(schema.field(chosen.targets[0]).type)
        targets = _labels(file, chosen.targets[0]) if text else _matrix(file, chosen.targets)
    named = {place: Named(_called(schema, place), names[k], k) for k, place in enumerate(places)}
    numbers = [place for place in chosen.inputs if place not in others]
    unsettled = Unsettled(
        inputs=_matrix(file, numbers),
        targets=targets,
        row=lambda row: f"row {row + 1}",
        numbers=[named[place] for place in numbers],
        target_columns=[named[place] for place in chosen.targets] if targets is not None else [],
        texts=[_category(file, place, named[place]) for place in others],
        integers=all(_is_integer(schema.field(place).type) for place in chosen.targets),
        names=names,
        flaws={named[place].place: refusal for place, refusal in flaws.items()} | found.unnamed,
        guessed=found.guessed,
        chosen=found.named,
    )
    return settle(unsettled, choice, limits)


def _index_columns(schema: pa.Schema) -> set[str]:
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


def _is_number(schema: pa.Schema, place: int, choice: Choice) -> bool:
    """Tell whether a column of inputs is taken as numbers; truth values are unless text is to be encoded."""
    kind = schema.field(place).type
    truths = choice.categorical is Categorical.ENCODE and pa.types.is_boolean(_values(kind))
    return _is_numeric(kind) and not truths


def _is_read(schema: pa.Schema, place: int, chosen: Roles) -> bool:
    kind = schema.field(place).type
    return place in chosen.targets or _is_numeric(kind) or _is_text(kind)


def _wrong_targets(schema: pa.Schema, chosen: Roles) -> dict[int, Refusal]:
    """Refuse every target that does not hold numbers, or labels where it is the only one."""
    refused = {}
    for place in chosen.targets:
        kind = schema.field(place).type
        if not _is_numeric(kind) and not (len(chosen.targets) == 1 and _is_text(kind)):
            detail = f"{_called(schema, place)} holds {_contents(kind)}, not numbers"
            refused[place] = Refusal(code=_WRONG, detail=detail, column=schema.names[place].strip())
    return refused


def _category(file: pq.ParquetFile, place: int, named: Named) -> Category:
    """Read a column of inputs that holds no numbers, of text and truth values the different ones."""
    kind, name = _contents(file.schema_arrow.field(place).type), named.name or ""
    if kind not in {Kind.TEXT, Kind.TRUTH}:
        return Category(named.place, name, kind, np.zeros(file.metadata.num_rows, np.int32), [], code=_WRONG)
    column = TextColumn(truths=True)
    for part in _parts(file, place, _TEXTS_AT_ONCE):
        for text in part.to_pylist():
            column.add("" if text is None else str(text)[: 2 * LONGEST_LABEL])
    return column.category(named.place, name, code=_WRONG)


def _called(schema: pa.Schema, place: int) -> str:
    return f"column {place + 1} ({quoted(schema.names[place].strip())})"


def _values(kind: pa.DataType) -> pa.DataType:
    """Return what a column's values are, whether or not each is stored once and numbered."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    kind = _values(kind)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_numeric(kind: pa.DataType) -> bool:
    kind = _values(kind)
    is_numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return bool(is_numbers or pa.types.is_boolean(kind) or pa.types.is_null(kind))


def _is_integer(kind: pa.DataType) -> bool:
    kind = _values(kind)
    return bool(pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale <= 0))


def _holds_labels(kind: pa.DataType) -> bool:
    """Tell whether a single target of this type comes as text, as it would from a CSV."""
    return _is_text(kind) or bool(pa.types.is_boolean(_values(kind)))


def _contents(kind: pa.DataType) -> Kind:
    """Return in words what a column holds that is no number."""
    kind = _values(kind)
    if _is_text(kind):
        return Kind.TEXT
    if pa.types.is_boolean(kind):
        return Kind.TRUTH
    if pa.types.is_map(kind) or pa.types.is_struct(kind):
        return Kind.RECORDS
    if pa.types.is_nested(kind):
        return Kind.LISTS
    if pa.types.is_temporal(kind):
        return Kind.TIMES
    return Kind.BYTES if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else Kind.OTHER


def _first_leaves(schema: pa.Schema, metadata: Any) -> list[int]:
    """Return the position in the file of each column: a nested one before it takes several.

    Raises
    ------
    UploadRefusedError
        The schema does not have the columns that the footer counts.
    """
    counts = [_leaves(field.type) for field in schema]
    if sum(counts) != metadata.num_columns:
        raise malformed("has a schema that does not fit its columns")
    return [sum(counts[:place]) for place in range(len(counts))]


def _leaves(kind: pa.DataType) -> int:
    if not pa.types.is_nested(kind):
        return 1
    return sum(_leaves(kind.field(place).type) for place in range(kind.num_fields))


def _check_sizes(metadata: Any, leaves: Sequence[int], chosen: Sequence[int], limits: UploadLimits) -> None:
    """Refuse row groups that do not add up, or that unpack to more than the numbers in them can need."""
    rows = unpacked = 0
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        rows += group.num_rows
        for position in chosen:
            column = group.column(leaves[position])
            if column.num_values != group.num_rows or column.total_uncompressed_size < 0:
                raise UploadRefusedError("lies_about_size", "a column claims other rows than its row group has")
            unpacked += column.total_uncompressed_size
    if rows != metadata.num_rows:
        raise UploadRefusedError("lies_about_size", "the row groups do not have the rows that the footer claims")
    if unpacked > 16 * limits.numbers:
        raise UploadRefusedError("unpacks_too_large", "unpacks to more bytes than an upload may hold")


def _parts(file: pq.ParquetFile, position: int, rows_at_once: int) -> Iterator[pa.Array]:
    """Yield one column in parts, of as many rows together as the footer claims."""
    rows, name = 0, file.schema_arrow.names[position]
    for batch in file.iter_batches(rows_at_once, columns=[name], use_threads=False):
        part = batch.column(name)  # by name: asked for "a", the library reads "a.b" as well
        rows += len(part)
        yield part
    if rows != file.metadata.num_rows:
        raise UploadRefusedError("lies_about_size", "a column does not have the rows that the footer claims")


def _matrix(file: pq.ParquetFile, positions: list[int]) -> NDArray[np.float64]:
    rows = file.metadata.num_rows
    matrix = np.empty((rows, len(positions)))
    for place, position in enumerate(positions):
        matrix[:, place] = np.concatenate([_doubles(part) for part in _parts(file, position, rows)])
    return matrix


def _doubles(part: pa.Array) -> NDArray[np.float64]:
    """Return numbers as float64, NaN where one is missing."""
    if pa.types.is_dictionary(part.type):
        part = part.dictionary_decode()
    if pa.types.is_decimal(part.type):
        part = part.cast(pa.string())  # the library's own way from decimals to floats is off in the last place
    values: NDArray[np.float64] = part.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values


def _labels(file: pq.ParquetFile, position: int) -> list[str]:
    """Return one text a row, empty where it is missing; longer ones than labels may be are cut, to be refused."""
    return [
        "" if label is None else str(label)[: 2 * LONGEST_LABEL]
        for part in _parts(file, position, _TEXTS_AT_ONCE)
        for label in part.to_pylist()
    ]
