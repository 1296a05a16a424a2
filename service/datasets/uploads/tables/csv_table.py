"""CSV, read a row at a time into arrays of doubles: commas, double quotes, UTF-8, numbers in ASCII digits.

Numbers in the digits of another script count as numbers, so that they are refused and not taken for a header or labels.
"""

from __future__ import annotations

import math
from array import array
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np

from service.contract.data.reading import Categorical, HeaderRow
from service.contract.values.labels import BOOLEANS, MARKERS, is_missing
from service.datasets.uploads.request import Choice, Refusal, UploadLimits, UploadRefusedError, quoted
from service.datasets.uploads.settle import Named, Unsettled, settle
from service.datasets.uploads.tables.categories import Category
from service.datasets.uploads.tables.cells import flaw, is_number
from service.datasets.uploads.tables.csv_lines import UNLIKE_A_TABLE, check_table, read_rows
from service.datasets.uploads.tables.headers import has_header
from service.datasets.uploads.tables.roles import Roles, check_rows, roles
from service.datasets.uploads.tables.text_column import FirstFlaw, TextColumn

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
        if not UNLIKE_A_TABLE.isdisjoint(reason.code for reason in refusal.refusals):
            check_table(path, limits.samples)
        raise


def _read(path: Path, choice: Choice, limits: UploadLimits) -> Samples:
    """Read the file twice where text first shows below the rows that are surveyed: its column is then kept as text."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = read_rows(file, limits.samples)
        first = next(rows, None)
        if first is None:
            raise UploadRefusedError("empty", "has no rows")
        survey = [cells for _, cells in _survey(rows)]
    headed = _is_headed(first[1], survey, choice.header)
    names = [cell.strip() for cell in first[1]] if headed else [str(place) for place in range(len(first[1]))]
    chosen = roles(names, choice, limits, headed=headed)
    options = _Options(headed, choice.header is not None, truths=choice.categorical is Categorical.ENCODE)
    texts = {place for place in chosen.inputs if _holds_text(survey, place, options)}
    while True:
        table = _Table(chosen, names, options, texts)
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line, cells in islice(read_rows(file, limits.samples), int(headed), None):
                table.add(line, cells)
                check_rows(len(table.lines), chosen, limits)
        check_rows(len(table.lines), chosen, limits)
        if not table.found:
            return settle(table.finish(), choice, limits)
        texts |= table.found


def _holds_text(survey: list[list[str]], place: int, options: _Options) -> bool:
    cells = {row[place] for row in survey if place < len(row)}
    return any(options.is_text(cell) for cell in cells)


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


@dataclass(frozen=True)
class _Options:
    """Whether there is a header, whether the request said so, and whether truth values are texts."""

    headed: bool
    told: bool
    truths: bool

    def is_text(self, cell: str) -> bool:
        """Tell whether a cell is no number and not missing."""
        return not (is_missing(cell) or is_number(cell)) and (self.truths or cell.strip() not in BOOLEANS)


class _Table:
    """Rows of the columns that were chosen, as they are read.

    `found` are the inputs that were read as numbers and turn out to hold text.
    """

    def __init__(self, chosen: Roles, names: Sequence[str], options: _Options, texts: set[int]) -> None:
        self.lines = array("L")
        self.found: set[int] = set()
        self._chosen = chosen
        self._names = names
        self._options = options
        self._labels = chosen.targets[0] if len(chosen.targets) == 1 else None
        self._columns = {place: TextColumn(truths=options.truths) for place in sorted(texts)}
        self._inputs = [place for place in chosen.inputs if place not in texts]
        self._numeric = self._inputs + (chosen.targets if self._labels is None else [])
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
        for place, column in self._columns.items():
            column.add(cells[place])
        if self._labels is not None:
            self._texts.append(cells[self._labels])

    def finish(self) -> Unsettled:
        """Return the rows, and the first flaw of each column."""
        columns = np.asarray(self._numbers).reshape(len(self.lines), len(self._numeric))
        values = {place: columns[:, k] for k, place in enumerate(self._inputs)}
        texts: list[Category] = []
        for place, column in self._columns.items():
            name = self._names[place]
            match column.finish(place, name):
                case Category() as text:
                    texts.append(text)
                case FirstFlaw() as why:
                    values[place] = np.full(len(self.lines), math.nan)
                    self._flaws[place] = self._refusal(place, self.lines[why.row], why.code, why.words)
                case numbers:
                    values[place] = numbers
        numeric = [place for place in self._chosen.inputs if place in values]
        targets = self._chosen.targets
        if numeric == self._inputs:
            inputs = columns[:, : len(numeric)]
        else:
            inputs = np.column_stack([values[place] for place in numeric])
        return Unsettled(
            inputs=inputs,
            targets=None if not targets else columns[:, len(self._inputs) :] if self._labels is None else self._texts,
            row=lambda row: f"line {self.lines[row]}",
            numbers=[self._named(place) for place in numeric],
            target_columns=[self._named(place) for place in targets],
            texts=texts,
            names=self._names if self._options.headed else None,
            flaws={**self._flaws, **self._chosen.unnamed},
            guessed=self._chosen.guessed,
            chosen=self._chosen.named,
        )

    def _read(self, cells: list[str], line: int) -> Iterable[float]:
        row = [cells[place] for place in self._numeric]
        with suppress(ValueError):
            # what is missing counts as 0 in the sum, which a NaN or an infinity would spoil
            values = [0.0 if cell in MARKERS else float(cell) for cell in row]
            text = "".join(row)
            if math.isfinite(sum(values)) and text.isascii() and "_" not in text:
                if MARKERS.isdisjoint(row):
                    return values
                return [math.nan if cell in MARKERS else value for cell, value in zip(row, values, strict=True)]
        return [self._number(cells[place], line, place) for place in self._numeric]  # slower: it says which is wrong

    def _number(self, cell: str, line: int, place: int) -> float:
        """Return a number, NaN where it is missing or wrong; remember what is wrong."""
        if place in self._flaws or place in self.found or is_missing(cell):
            return math.nan
        if place in self._inputs and self._options.is_text(cell):
            self.found.add(place)
            self._numeric = [other for other in self._numeric if other != place]  # for this reading is in vain
            return math.nan
        if (truth := BOOLEANS.get(cell.strip())) is not None:
            return truth
        why = flaw(cell)
        if why is None:
            return float(cell)
        self._flaws[place] = self._refusal(place, line, *why)
        return math.nan

    def _refusal(self, place: int, line: int, code: str, words: str) -> Refusal:
        detail = f"line {line}, {self._called(place)} {words}"
        remedies: tuple[str, ...] = ()
        if line == 1 and not (self._options.headed or self._options.told):
            detail += "; if line 1 names the columns, header=present says so"
            remedies = (f"header={HeaderRow.PRESENT}",)
        return Refusal(code=code, detail=detail, column=self._names[place], remedies=remedies)

    def _named(self, place: int) -> Named:
        return Named(self._called(place), self._names[place], place)

    def _called(self, place: int) -> str:
        headed = self._options.headed
        return f"column {place + 1} ({quoted(self._names[place])})" if headed else f"column {place + 1}"
