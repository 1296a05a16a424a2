"""CSV, read a row at a time into arrays of doubles: commas, double quotes, UTF-8, numbers in ASCII digits.

Numbers in the digits of another script count as numbers, so that they are refused and not taken for a header or labels.
"""

from __future__ import annotations

import math
from array import array
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from service.contract.data.reading import HeaderRow
from service.datasets.uploads.cells import BOOLEANS, flaw, is_missing
from service.datasets.uploads.csv_lines import UNLIKE_A_TABLE, check_table, read_rows
from service.datasets.uploads.headers import has_header
from service.datasets.uploads.request import Choice, Refusal, UploadLimits, UploadRefusedError, quoted
from service.datasets.uploads.settle import Unsettled, settle
from service.datasets.uploads.tables import Roles, check_rows, roles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from service.datasets.uploads.canonical import Samples

    Row = tuple[int, list[str]]

SURVEYED_ROWS: Final = 1000
SURVEYED_CELLS: Final = 200_000
"""Rows and cells that are looked at to tell whether the first row is a header."""


def read_csv(path: Path, choice: Choice, limits: UploadLimits) -> Samples:
    """Read a table. The columns of one without a header go by their position, from 0.

    Raises
    ------
    UploadRefusedError
        The first bad place of each column by line and column, both from 1.
    """
    try:
        return _read(path, choice, limits)
    except UploadRefusedError as refusal:
        if refusal.refusal.code in UNLIKE_A_TABLE:
            check_table(path)
        raise


def _read(path: Path, choice: Choice, limits: UploadLimits) -> Samples:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = read_rows(file)
        first = next(rows, None)
        if first is None:
            raise UploadRefusedError("empty", "has no rows")
        survey = _survey(rows) if choice.header is None else []
        headed = _is_headed(first[1], [cells for _, cells in survey], choice.header)
        names = [cell.strip() for cell in first[1]] if headed else [str(place) for place in range(len(first[1]))]
        chosen = roles(names, choice, limits, headed=headed)
        table = _Table(chosen, names, headed=headed, told=choice.header is not None)
        for line, cells in chain(survey, rows) if headed else chain([first], survey, rows):
            table.add(line, cells)
            check_rows(len(table.lines), chosen, limits)
    check_rows(len(table.lines), chosen, limits)
    return settle(table.finish(), choice.missing, limits)


def _is_headed(first: list[str], below: list[list[str]], told: HeaderRow | None) -> bool:
    if told is not None:
        return told is HeaderRow.PRESENT
    headed = has_header(first, below)
    if headed is None:
        detail = "line 1 may name the columns or be a row: say header=present or header=absent"
        raise UploadRefusedError("ambiguous_header", detail)
    return headed


def _survey(rows: Iterator[Row]) -> list[Row]:
    survey: list[Row] = []
    cells = 0
    for row in rows:
        survey.append(row)
        cells += len(row[1])
        if len(survey) >= SURVEYED_ROWS or cells >= SURVEYED_CELLS:
            break
    return survey


class _Table:
    """Rows of the columns that were chosen, as they are read, and the first flaw of each column."""

    def __init__(self, chosen: Roles, names: Sequence[str], *, headed: bool, told: bool) -> None:
        self.lines = array("L")
        self._chosen = chosen
        self._names = names
        self._headed = headed
        self._told = told
        self._labels = chosen.targets[0] if len(chosen.targets) == 1 else None
        self._numeric = chosen.inputs + (chosen.targets if self._labels is None else [])
        self._numbers = array("d")
        self._texts: list[str] = []
        self._flaws: dict[int, Refusal] = {}

    def add(self, line: int, cells: list[str]) -> None:
        """Take one row; raises ``ragged`` where it is longer or shorter than the first."""
        if len(cells) != len(self._names):
            detail = f"line {line} has {len(cells)} cells, the first has {len(self._names)}"
            raise UploadRefusedError("ragged", detail)
        self.lines.append(line)
        self._numbers.extend(self._read(cells, line))
        if self._labels is not None:
            self._texts.append(cells[self._labels])

    def finish(self) -> Unsettled:
        """Return the rows, and the first flaw of each column."""
        numbers = np.asarray(self._numbers).reshape(len(self.lines), len(self._numeric))
        width, targets = len(self._chosen.inputs), self._chosen.targets
        return Unsettled(
            inputs=numbers[:, :width],
            targets=None if not targets else numbers[:, width:] if self._labels is None else self._texts,
            row=lambda row: f"line {self.lines[row]}",
            input_names=[self._called(place) for place in self._chosen.inputs],
            target_names=[self._called(place) for place in targets],
            columns=[self._names[place] for place in self._chosen.inputs] if self._headed else None,
            flaws={self._called(place): self._flaws[place] for place in sorted(self._flaws)},
        )

    def _read(self, cells: list[str], line: int) -> Iterable[float]:
        try:
            values = [float(cells[place]) for place in self._numeric]
        except ValueError:
            values = [math.nan]
        if math.isfinite(sum(values)) and not any("_" in cells[k] or not cells[k].isascii() for k in self._numeric):
            return values
        return [self._number(cells[place], line, place) for place in self._numeric]  # slower: it says which is wrong

    def _number(self, cell: str, line: int, place: int) -> float:
        """Return a number, NaN where it is missing or wrong; remember what is wrong."""
        if place in self._flaws or is_missing(cell):
            return math.nan
        if (truth := BOOLEANS.get(cell.strip())) is not None:
            return truth
        why = flaw(cell)
        if why is None:
            return float(cell)
        detail = f"line {line}, {self._called(place)} {why[1]}"
        if line == 1 and not (self._headed or self._told):
            detail += "; if line 1 names the columns, header=present says so"
        self._flaws[place] = Refusal(code=why[0], detail=detail)
        return math.nan

    def _called(self, place: int) -> str:
        return f"column {place + 1} ({quoted(self._names[place])})" if self._headed else f"column {place + 1}"
