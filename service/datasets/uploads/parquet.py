"""Parquet, read a few rows at a time, so that what a file claims of its size need not be believed."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
from arro3 import io
from arro3.core import DataType

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
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from arro3.core import Array, RecordBatch, RecordBatchReader, Schema
    from numpy.typing import NDArray

    from service.datasets.uploads.canonical import Samples

T = TypeVar("T")

LONGEST_FOOTER: Final = 4 * 2**20
_INDEX: Final = re.compile(r"__index_level_\d+__")
"""How pandas calls the columns of an index without a name; they are an index where the note about it is lost, too."""
_WRONG: Final = "wrong_dtype"
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
    flaws = _wrong_targets(schema, chosen)
    others = [place for place in chosen.inputs if not _is_number(schema, place, choice)]
    numbers = [place for place in chosen.inputs if place not in others]
    read = _Read(schema, numbers, [] if flaws else list(chosen.targets), others)
    for batch in _batches(file):
        check_rows(read.rows + batch.num_rows, chosen, limits)
        read.add(batch)
    check_rows(read.rows, chosen, limits)  # there may have been none
    named = {place: Named(_called(schema, place), names[k], k) for k, place in enumerate(places)}
    targets = read.targets
    unsettled = Unsettled(
        inputs=read.inputs,
        targets=targets,
        row=lambda row: f"row {row + 1}",
        numbers=[named[place] for place in numbers],
        target_columns=[named[place] for place in chosen.targets] if targets is not None else [],
        texts=[read.category(place, named[place]) for place in others],
        integers=all(_is_integer(schema.field(place).type) for place in chosen.targets),
        names=names,
        flaws={named[place].place: refusal for place, refusal in flaws.items()} | found.unnamed,
        guessed=found.guessed,
        chosen=found.named,
    )
    return settle(unsettled, choice, limits)


class _Read:
    """What was read so far of the columns that matter: inputs of numbers, targets, and inputs that hold no numbers."""

    def __init__(self, schema: Schema, numbers: list[int], targets: list[int], others: list[int]) -> None:
        self._schema, self._numbers, self._targets = schema, numbers, targets
        self._labelled = len(targets) == 1 and _holds_labels(schema.field(targets[0]).type)
        kinds = {place: _contents(schema.field(place).type) for place in others}
        self._texts = {place: TextColumn(truths=True) for place in others if kinds[place] in {Kind.TEXT, Kind.TRUTH}}
        self._inputs: list[NDArray[np.float64]] = []
        self._values: list[NDArray[np.float64]] = []
        self._labels: list[str] = []
        self.rows = 0

    def add(self, batch: RecordBatch) -> None:
        """Take the next rows."""
        self.rows += batch.num_rows
        self._inputs.append(_matrix(batch, self._numbers))
        if self._labelled:
            self._labels += _labels(batch.column(self._targets[0]))
        elif self._targets:
            self._values.append(_matrix(batch, self._targets))
        for place, column in self._texts.items():
            for text in _labels(batch.column(place)):
                column.add(text)

    @property
    def inputs(self) -> NDArray[np.float64]:
        """(rows, columns of numbers)."""
        return np.concatenate(self._inputs)

    @property
    def targets(self) -> list[str] | NDArray[np.float64] | None:
        """Labels, numbers (rows, columns), or nothing."""
        if not self._targets:
            return None
        return self._labels if self._labelled else np.concatenate(self._values)

    def category(self, place: int, named: Named) -> Category:
        """Return a column of inputs that holds no numbers, of text and truth values the different ones."""
        name, column = named.name or "", self._texts.get(place)
        if column is not None:
            return column.category(named.place, name, code=_WRONG)
        kind = _contents(self._schema.field(place).type)
        return Category(named.place, name, kind, np.zeros(self.rows, np.int32), [], code=_WRONG)


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


def _is_number(schema: Schema, place: int, choice: Choice) -> bool:
    """Tell whether a column of inputs is taken as numbers; truth values are unless text is to be encoded."""
    kind = schema.field(place).type
    truths = choice.categorical is Categorical.ENCODE and DataType.is_boolean(_values(kind))
    return _is_numeric(kind) and not truths


def _wrong_targets(schema: Schema, chosen: Roles) -> dict[int, Refusal]:
    """Refuse every target that does not hold numbers, or labels where it is the only one."""
    refused = {}
    for place in chosen.targets:
        kind = schema.field(place).type
        if not _is_numeric(kind) and not (len(chosen.targets) == 1 and _is_text(kind)):
            detail = f"{_called(schema, place)} holds {_contents(kind)}, not numbers"
            refused[place] = Refusal(code=_WRONG, detail=detail, column=schema.names[place].strip())
    return refused


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


def _contents(kind: DataType) -> Kind:
    """Return in words what a column holds that is no number."""
    kind = _values(kind)
    if _is_text(kind):
        return Kind.TEXT
    if DataType.is_boolean(kind):
        return Kind.TRUTH
    if DataType.is_map(kind) or DataType.is_struct(kind):
        return Kind.RECORDS
    if DataType.is_nested(kind):
        return Kind.LISTS
    if DataType.is_temporal(kind):
        return Kind.TIMES
    return Kind.BYTES if DataType.is_binary(kind) or DataType.is_large_binary(kind) else Kind.OTHER


def _matrix(batch: RecordBatch, positions: Sequence[int]) -> NDArray[np.float64]:
    """Return columns of numbers as float64 (rows, columns)."""
    if not positions:
        return np.empty((batch.num_rows, 0))
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
