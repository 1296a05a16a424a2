"""CSV, read a row at a time into arrays of doubles: commas, double quotes, UTF-8, numbers in ASCII digits.

A first row is a header when it holds text and no number before its last cell, which may be a label. Numbers in the
digits of another script count as numbers there, so that they are refused and not taken for a header or for labels.
"""

from __future__ import annotations

import csv
import math
from array import array
from itertools import chain
from typing import TYPE_CHECKING, Final, TextIO

import numpy as np

from service.datasets.uploads.canonical import Samples
from service.datasets.uploads.request import Choice, UploadLimits, UploadRefusedError, malformed
from service.datasets.uploads.tables import LONGEST_NAME, check_rows, classes_of, roles, target_values

if TYPE_CHECKING:
    from _csv import Reader
    from collections.abc import Iterator
    from pathlib import Path

LONGEST_FIELD: Final = 1000
LONGEST_LINE: Final = 2**20
OTHER_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}
_SEPARATED_OTHERWISE: Final = {"no_inputs", "unknown_column", "not_a_number", "ragged"}
"""Refusals that a file written with another separator than the comma meets."""


def read_csv(path: Path, choice: Choice, limits: UploadLimits) -> Samples:
    """Read a table. The columns of one without a header go by their position, from 0.

    A single column of targets that is no number anywhere holds labels, which become classes.

    Raises
    ------
    UploadRefusedError
        The first bad place by line and column, both from 1.
    """
    try:
        return _read(path, choice, limits)
    except UploadRefusedError as refusal:
        if refusal.refusal.code in _SEPARATED_OTHERWISE:
            _check_separator(path)
        raise


def _read(path: Path, choice: Choice, limits: UploadLimits) -> Samples:
    csv.field_size_limit(LONGEST_FIELD)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = _rows(csv.reader(_lines(file), strict=True))
        first = next(rows, None)
        if first is None:
            raise UploadRefusedError("empty", "has no rows")
        cells = first[1]
        headed = any(map(str.strip, cells[:-1] or cells)) and not any(map(_is_number, cells[:-1] or cells))
        names = [cell.strip()[:LONGEST_NAME] for cell in cells] if headed else [str(k) for k in range(len(cells))]
        chosen = roles(names, choice, limits)
        inputs, targets = array("d"), array("d")
        labels: list[str] = []
        integers, count = True, 0
        for line, cells in rows if headed else chain([first], rows):
            if len(cells) != len(names):
                raise UploadRefusedError("ragged", f"line {line} has {len(cells)} cells, the first has {len(names)}")
            count += 1
            check_rows(count, chosen, limits)
            inputs.extend(_numbers(cells, chosen.inputs, line))
            if len(chosen.targets) == 1 and (labels or not _is_number(cells[chosen.targets[0]])):
                labels.append(_label(cells[chosen.targets[0]], line, chosen.targets[0], clean=not targets))
                continue
            targets.extend(_numbers(cells, chosen.targets, line))
            integers = integers and all(_is_whole(cells[k]) for k in chosen.targets)
    check_rows(count, chosen, limits)
    columns = [names[k] for k in chosen.inputs] if headed else None
    rows_of_targets = np.asarray(targets).reshape(count, -1)
    values, classes = classes_of(labels, limits) if labels else (target_values(rows_of_targets), None)
    return Samples(np.asarray(inputs).reshape(count, -1), values, integers, classes, columns)


def _check_separator(path: Path) -> None:
    """Refuse a file whose first line holds more of another separator than commas, or numbers with decimal commas."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = next(filter(str.strip, _lines(file)), "").strip()
    for separator, what in OTHER_SEPARATORS.items():
        cells = first.split(separator)
        fewer_commas = first.count(",") < len(cells) - 1
        if len(cells) > 1 and (fewer_commas or all(_is_number(cell.replace(",", ".")) for cell in cells)):
            detail = f"seems to separate its cells by {what}; a CSV must have commas there, and points in its decimals"
            raise UploadRefusedError("wrong_separator", detail)


def _lines(file: TextIO) -> Iterator[str]:
    try:
        while line := file.readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE:
                raise malformed(f"has a line of more than {LONGEST_LINE} characters")
            if "\0" in line:
                raise malformed("holds a NUL character")
            yield line
    except UnicodeDecodeError:
        raise UploadRefusedError("wrong_encoding", "is not in UTF-8") from None


def _rows(reader: Reader) -> Iterator[tuple[int, list[str]]]:
    """Yield rows that are not blank with the line each ends on."""
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error:
        raise malformed(f"line {reader.line_num} cannot be read") from None


def _numbers(cells: list[str], positions: list[int], line: int) -> list[float]:
    try:
        values = [float(cells[k]) for k in positions]
    except ValueError:
        values = [math.nan]
    if math.isfinite(sum(values)) and not any("_" in cells[k] or not cells[k].isascii() for k in positions):
        return values
    return [_number(cells[k], line, k) for k in positions]  # slower: it says which is wrong


def _is_number(cell: str) -> bool:
    """Whether a cell is meant as a number, in the digits of whichever script."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _is_whole(cell: str) -> bool:
    digits = cell.strip().removeprefix("-").removeprefix("+")
    return digits.isascii() and digits.isdigit()


def _number(cell: str, line: int, position: int) -> float:
    place = f"line {line}, column {position + 1}"
    if not cell.strip():
        raise UploadRefusedError("missing_value", f"{place} is empty")
    if not _is_number(cell):
        raise UploadRefusedError("not_a_number", f"{place} is not a number")
    if not cell.isascii():
        raise UploadRefusedError("not_a_number", f"{place} is not a number in the digits 0 to 9 alone")
    value = float(cell)
    if not math.isfinite(value):
        raise UploadRefusedError("not_finite", f"{place} is not a finite number")
    return value


def _label(cell: str, line: int, position: int, *, clean: bool) -> str:
    """Return a label; a column that began with numbers has none, and neither has an empty cell."""
    label = cell.strip()
    if not label or not clean:
        _number(cell, line, position)
    return label
