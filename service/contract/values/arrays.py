"""Arrays of numbers in a body: checked whole columns at a time, since one model per number would take minutes.

The fast pass runs in C over the flattened numbers. Only when it finds that something is wrong does a slow pass look for
the first bad entries, to point at them.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from service.contract.values.errors import FieldError
from service.contract.values.labels import LONGEST_LABEL, classes_by_label, is_missing, label_flaw, tidy
from service.contract.values.limits import LIMITS
from service.contract.values.numbers import Parsed, Real, limits_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import ValidationInfo
    from pydantic.json_schema import JsonSchemaValue

NESTED = "nested_errors"
"""Type of a pydantic error whose context holds the real ones, with pointers relative to the field."""

MOST_ERRORS = 20
"""Reported for one array at most: the first bad entries say enough."""


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers in row-major order, as C doubles; the shape is ``(S,)`` or ``(S, columns)``.

    Labels are the numbers of their classes, whose names are ``class_names``.
    """

    shape: tuple[int, ...]
    values: array[float]
    class_names: tuple[str, ...] | None = None

    def rows(self) -> list[list[float]]:
        """Return a two-dimensional table as nested lists."""
        columns = self.shape[1]
        return [self.values[start : start + columns].tolist() for start in range(0, len(self.values), columns)]


def one_column_flat(table: Table) -> Table:
    """Return one column of labels, 0, 1, 2, … or -1 and 1, as a table of shape (S,); any other as it is."""
    classes = all(y.is_integer() and y >= 0.0 for y in table.values) or {-1.0, 1.0}.issuperset(table.values)
    return Table(table.shape[:1], table.values) if classes and table.shape[1:] == (1,) else table


def nested(errors: Sequence[FieldError]) -> PydanticCustomError:
    """Wrap errors below one field, never none, as the single error that a pydantic validator may raise."""
    return PydanticCustomError(NESTED, "has bad entries", {"errors": tuple(errors)})


@dataclass(frozen=True, slots=True)
class ArrayOf(Parsed):
    """An array of finite numbers, flat or as rows of one length.

    Parameters
    ----------
    dimensions
        The numbers of dimensions allowed: ``(1,)``, ``(2,)`` or ``(1, 2)``.
    rows, columns
        The published limits on the entries along each dimension, by name.
    labels
        Whether a text for each row may stand in place of numbers: a label.
    """

    dimensions: tuple[int, ...]
    rows: str
    columns: str = ""
    labels: bool = False

    def parse(self, value: object, info: ValidationInfo | None = None) -> Table:
        """Return finite numbers in the shape they came in, or labels; or raise `NESTED` with the first bad entries."""
        if isinstance(value, Table):
            return value
        if not isinstance(value, list):
            raise nested([FieldError("", "not_an_array", "must be an array")])
        if not value:
            raise nested([FieldError("", "empty", "must have at least one entry")])
        _check_length(value, "", self.rows, info)
        if self.labels and any(isinstance(entry, str) for entry in value):
            return _labels(value)
        flat_only, rows_only = self.dimensions == (1,), self.dimensions == (2,)
        if flat_only or not (rows_only or isinstance(value[0], list)):
            if all(isinstance(entry, list) for entry in value):
                raise nested([FieldError("", "wrong_shape", "must be an array of numbers, not of rows")])
            return Table((len(value),), _numbers(value, value, ()))
        columns = self._columns(value, info)
        flat = list(chain.from_iterable(value))
        return Table((len(value), columns), _numbers(flat, value, (columns,)))

    def _columns(self, rows: list[Any], info: ValidationInfo | None) -> int:
        kinds, first = set(map(type, rows)), rows[0]
        if list not in kinds:
            raise nested([FieldError("", "wrong_shape", "must be an array of rows, each an array of numbers")])
        if kinds == {list}:
            if not first:
                raise nested([FieldError("/0", "empty", "must have at least one entry")])
            _check_length(first, "/0", self.columns, info)
            if set(map(len, rows)) == {len(first)}:
                return len(first)
        raise nested(_first(_bad_rows(rows)))

    def schema(self) -> JsonSchemaValue:
        """Return the JSON Schema of such an array."""
        flat: JsonSchemaValue = {"type": "array", "items": {"type": "number"}, "minItems": 1}
        rows: JsonSchemaValue = {"type": "array", "items": flat, "minItems": 1}
        kinds = [{1: flat, 2: rows}[dimensions] for dimensions in self.dimensions]
        if self.labels:
            text = {"type": "string", "minLength": 1, "maxLength": LONGEST_LABEL}
            kinds.append({"type": "array", "items": text, "minItems": 1})
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}


def _labels(value: list[Any]) -> Table:
    """Return labels as classes, in the order of the sorted labels, or point at the first entries that are none."""
    bad = list(islice(_bad_labels(value), MOST_ERRORS))
    if bad:
        raise nested(bad)
    classes, names = classes_by_label(tidy(value))
    return Table((len(value),), array("d", classes), tuple(names))


def _bad_labels(value: list[Any]) -> Iterator[FieldError]:
    for index, entry in enumerate(value):
        if not isinstance(entry, str):
            yield FieldError(f"/{index}", "not_a_label", "must be a text, as other targets are; or all are numbers")
        elif is_missing(entry):
            detail = "is empty or says that its value is missing, which is no label; leave the sample out"
            yield FieldError(f"/{index}", "missing_value", detail)
        elif (why := label_flaw(entry.strip())) is not None:
            yield FieldError(f"/{index}", why[0], f"the label {why[1]}")


def _check_length(value: list[Any], pointer: str, limit: str, info: ValidationInfo | None) -> None:
    limits = limits_of(info)
    most = getattr(limits, limit) if limits is not None else len(value)
    if len(value) > most:
        raise nested([FieldError(pointer, "too_many", f"must have at most {most} entries")])


def _bad_rows(rows: list[Any]) -> Iterator[FieldError]:
    length = next((len(row) for row in rows if isinstance(row, list)), 0)
    for index, row in enumerate(rows):
        if not isinstance(row, list):
            yield FieldError(f"/{index}", "not_an_array", "must be an array of numbers")
        elif len(row) != length:
            yield FieldError(f"/{index}", "ragged", f"must have {length} entries, like the first row")


def _numbers(flat: list[Any], value: list[Any], columns: tuple[int, ...]) -> array[float]:
    """Return the numbers as doubles, or point at the first that are none."""
    if set(map(type, flat)) <= {int, float}:
        try:
            numbers = array("d", flat)
        except OverflowError:  # an int past the largest double
            raise nested(_first(_bad_numbers(value, columns))) from None
        # A NaN or an infinity makes the sum so; finite ones within the magnitude cannot, few as they are.
        if math.isfinite(sum(numbers)) and max(numbers) <= LIMITS.magnitude and min(numbers) >= -LIMITS.magnitude:
            return numbers
    raise nested(_first(_bad_numbers(value, columns)))


def _bad_numbers(value: list[Any], columns: tuple[int, ...]) -> Iterator[FieldError]:
    for index, row in enumerate(value):
        if columns:
            for column, entry in enumerate(row):
                yield from _bad_number(entry, f"/{index}/{column}")
        else:
            yield from _bad_number(row, f"/{index}")


def _bad_number(entry: object, pointer: str) -> Iterator[FieldError]:
    if isinstance(entry, list):
        yield FieldError(pointer, "not_a_number", "must be a number, and is an array: nested one level too deep")
        return
    try:
        number = Real().parse(entry)
    except PydanticCustomError as error:
        yield FieldError(pointer, error.type, error.message())
    else:
        if abs(number) > LIMITS.magnitude:
            yield FieldError(pointer, "too_large", f"must be at most {LIMITS.magnitude:g} in absolute value")


def _first(errors: Iterator[FieldError]) -> list[FieldError]:
    return list(islice(errors, MOST_ERRORS))
