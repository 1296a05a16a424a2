"""Whether the first row of a CSV names the columns, by all of its cells and by what stands below them.

Names of columns may be numbers: wavelengths, years, shifts in ppm, the 0, 1, 2 of a data frame. A row of such numbers
is told from a row of data by what it has and the rows below have not.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from service.contract.values.labels import BOOLEANS, is_missing
from service.datasets.uploads.tables.cells import is_number, is_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

_FAR: Final = 3.0
"""Widths of a column's range by which a number lies outside of it that is no value of this column."""
_OUTSIDE: Final = 1.0
"""Widths by which a number lies outside that is unlikely to be one, so that most of a row are none by accident."""
_FEW: Final = 3
"""Rows or columns below which there is nothing to compare the first row with, and numbers that count on."""
_STEPS: Final = 4
"""Numbers in equal steps that are no accident."""
_MANY: Final = 6
"""Numbers in equal steps, or rows and columns together, that are so many that a row of data is not like that."""
_STAND_INS: Final = "?-.*"
"""Characters that stand for a value that is not known."""


@dataclass(frozen=True)
class _Column:
    """What stands below one cell of the first row: numbers as they are written, and texts that are not missing."""

    numbers: list[str]
    texts: list[str]

    @property
    def is_numeric(self) -> bool:
        """Whether there are numbers and nothing else."""
        return bool(self.numbers) and not self.texts

    @property
    def is_fractional(self) -> bool:
        """Whether every number is written with a point or an exponent."""
        return all(set(number) & set(".eE") for number in self.numbers)

    @property
    def range(self) -> tuple[float, float]:
        """Least and largest number."""
        values = [float(number) for number in self.numbers]
        return min(values), max(values)

    def labels_repeat(self, *, most: bool) -> bool:
        """Whether there are several texts and no numbers, and each stands there more than once, or most rows' do."""
        counts = Counter(self.texts)
        once = sum(count == 1 for count in counts.values())
        return len(counts) > 1 and not self.numbers and (2 * once < len(self.texts) if most else not once)

    @property
    def varies(self) -> bool:
        """Whether the numbers differ."""
        least, most = self.range
        return least < most


@dataclass(frozen=True)
class _Numbers:
    """The numbers of the first row as they are written, those above columns of numbers, and the cells below by row."""

    cells: list[str]
    values: list[tuple[str, _Column]]
    rows: list[list[str]]

    @property
    def could_be_names(self) -> bool:
        """Whether they are finite and all different."""
        numbers = list(map(float, self.cells))
        return all(map(math.isfinite, numbers)) and len(set(numbers)) == len(numbers)

    @property
    def could_be_values(self) -> bool:
        """Whether some stand above columns of numbers, and all of these are such as stand below them."""
        return bool(self.values) and all(
            column.range[0] <= float(cell) <= column.range[1] and not (is_whole(cell) and column.is_fractional)
            for cell, column in self.values
        )

    @property
    def are_whole(self) -> bool:
        """Whether all are written without a point."""
        return all(map(is_whole, self.cells))

    @property
    def are_numbered(self) -> bool:
        """Whether they count from 0 or 1, as a data frame numbers its columns, and no matrix is counted through."""
        return any(
            self.cells == [str(count) for count in range(start, start + len(self.cells))] for start in (0, 1)
        ) and not _counts_on([self.cells, *self.rows])

    @property
    def are_steps(self) -> bool:
        """Whether they go in equal steps, and most rows below do not."""
        return _are_steps(self.cells) and 2 * sum(map(_are_steps, self.rows)) < len(self.rows)

    @property
    def are_far(self) -> bool:
        """Whether all lie far off from what stands below them, and are whole or in steps, or much stands below."""
        varying = sum(column.varies for _, column in self.values)
        much = varying > 1 and varying + len(self.rows) > _MANY
        like_names = len(self.rows) > 1 and varying > 0 and (self.are_whole or self.are_steps)
        return (much or like_names) and all(_is_outside(cell, column, _FAR) for cell, column in self.values)

    @property
    def are_mostly_outside(self) -> bool:
        """Whether there is enough to compare with, and several and most lie outside of what stands below them."""
        outside = sum(_is_outside(cell, column, _OUTSIDE) for cell, column in self.values)
        return len(self.rows) > _FEW and outside > 1 and 2 * outside > len(self.values)

    @property
    def are_whole_above_fractions(self) -> bool:
        """Whether all are whole, above columns of which several and most hold fractions alone."""
        fractional = sum(column.is_fractional for _, column in self.values)
        return self.are_whole and fractional >= _FEW and 2 * fractional > len(self.values)

    @property
    def are_no_values(self) -> bool:
        """Whether no row of data is like that: far off from many rows, or many in steps of which most lie outside."""
        varying = sum(column.varies for _, column in self.values)
        if varying > 1 and varying + len(self.rows) > _MANY and self.are_far:
            return True
        return len(self.cells) >= _MANY and (self.are_numbered or self.are_steps) and self.are_mostly_outside


def has_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool | None:
    """Tell whether the first row of a table is a header, or ``None`` where it may be either.

    A row without numbers is one where a name stands above numbers. Numbers are names only where they could not be
    values of their columns, or where a name beside them says so. A row of numbers that count from 0 or 1, go in equal
    steps, or are whole above fractions may be either, as may a row with a label that does not come again below.

    Parameters
    ----------
    first
        Cells of the first row.
    rows
        Cells of rows below it, as many as there are at hand.
    """
    cells = [cell.strip() for cell in first]
    below = [_column(rows, place) for place in range(len(cells))]
    numeric = [place for place, cell in enumerate(cells) if is_number(cell)]
    titles = [column for cell, column in zip(cells, below, strict=True) if _is_name(cell)]
    named = sum(column.is_numeric for column in titles)
    if not numeric:
        return bool(named) or (bool(titles) and not any(column.is_numeric for column in below))
    numbers = _Numbers(
        [cells[place] for place in numeric],
        [(cells[place], below[place]) for place in numeric if below[place].is_numeric],
        [[row[place] for place in numeric if place < len(row)] for row in rows],
    )
    if any(cell in column.texts for cell, column in zip(cells, below, strict=True)):
        return _with_label(numbers)
    if named:
        return _with_name(numbers, named)
    if titles:
        return _with_title(numbers, titles)
    return _of_numbers(numbers, heads_an_index=_heads_an_index(cells, below[0]), single=len(cells) == 1)


def _of_numbers(numbers: _Numbers, *, heads_an_index: bool, single: bool) -> bool | None:
    """Decide where there is no text: a header only where no row of data is like that."""
    if not numbers.could_be_names:
        return False
    if numbers.are_no_values or heads_an_index:
        return True
    counted = numbers.are_numbered and (len(numbers.cells) > 1 or (single and numbers.cells == ["0"]))
    possible = counted or numbers.are_steps or numbers.are_far or numbers.are_whole_above_fractions
    return None if possible else False


def _with_label(numbers: _Numbers) -> bool | None:
    """Decide where a text comes again below: data, unless the numbers are like names and the label has one's name."""
    counted = numbers.cells[0] == "0" and numbers.are_numbered and len(numbers.cells) > 1
    like_names = numbers.could_be_names and (counted or numbers.are_steps or numbers.are_far)
    return None if like_names else False


def _with_name(numbers: _Numbers, names: int) -> bool | None:
    """Decide where texts stand above numbers. A single one may be a label, the others of which are numbers."""
    if len(set(map(float, numbers.cells))) < len(numbers.cells):
        return None
    like_names = numbers.could_be_names and (
        numbers.are_steps
        or numbers.are_far
        or numbers.are_mostly_outside
        or (numbers.are_numbered and len(numbers.cells) > 1 and not numbers.could_be_values)
    )
    return True if like_names or (names > 1 and not numbers.could_be_values) else None


def _with_title(numbers: _Numbers, titles: Sequence[_Column]) -> bool | None:
    """Decide where texts stand above texts, and do not come again there."""
    if not numbers.could_be_names:
        return None if any(column.labels_repeat(most=False) for column in titles) else False
    if numbers.are_no_values or numbers.are_far:
        return True
    counted = numbers.cells[0] == "0" and numbers.are_numbered and len(numbers.cells) > 1
    if any(column.labels_repeat(most=numbers.are_whole) for column in titles):
        counted = counted and (len(numbers.cells) >= _FEW or not numbers.could_be_values)
        return True if counted or numbers.are_steps else None
    possible = (numbers.are_numbered and len(numbers.cells) > 1) or numbers.are_steps or _is_count(numbers.cells, 2)
    return None if possible or numbers.are_whole_above_fractions else False


def _heads_an_index(cells: Sequence[str], column: _Column) -> bool:
    """Tell whether a blank is followed by 0, 1, 2 and stands above the same, as a data frame is written."""
    count = [str(place) for place in range(max(len(cells) - 1, len(column.numbers)))]
    return (
        cells[0] == "" and list(cells[1:]) == count[: len(cells) - 1] and column.numbers == count[: len(column.numbers)]
    )


def _column(rows: Sequence[Sequence[str]], place: int) -> _Column:
    cells = [row[place].strip() for row in rows if place < len(row)]
    present = [cell for cell in cells if not is_missing(cell)]
    numbers = [cell for cell in present if is_number(cell)]
    texts = [cell for cell in present if not is_number(cell)]
    if texts and not numbers and set(texts) <= set(BOOLEANS):
        return _Column(["1" if BOOLEANS[text] else "0" for text in texts], [])
    return _Column(numbers, texts)


def _is_name(cell: str) -> bool:
    """Tell whether a cell names something: with a letter, or with no digit either, as % does."""
    if is_missing(cell) or is_number(cell) or cell in BOOLEANS:
        return False
    return any(map(str.isalpha, cell)) or not (any(map(str.isdigit, cell)) or set(cell) <= set(_STAND_INS))


def _counts_on(rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether each row is the one before it with one number added, as where a matrix is counted through."""
    width = len(rows[0])
    if not all(len(row) == width and all(map(is_number, row)) for row in rows):
        return False
    matrix = [[float(cell) for cell in row] for row in rows]
    return all(
        len({after - before for before, after in zip(one, other, strict=True)}) == 1 for one, other in pairwise(matrix)
    )


def _is_outside(cell: str, column: _Column, widths: float) -> bool:
    least, most = column.range
    outside = max(least - float(cell), float(cell) - most)
    return outside > widths * (most - least) and outside > 0


def _is_count(cells: Sequence[str], least: int) -> bool:
    """Tell whether whole numbers, as many as said at least, count on by one."""
    whole = len(cells) >= least and all(map(is_whole, cells))
    return whole and all(int(after) - int(before) == 1 for before, after in pairwise(cells))


def _are_steps(cells: Sequence[str]) -> bool:
    if len(cells) < _STEPS or not all(map(is_number, cells)):
        return _is_count(cells, _FEW)
    numbers = [float(cell) for cell in cells]
    step = (numbers[-1] - numbers[0]) / (len(numbers) - 1)
    close = 0.01 * abs(step)
    return step != 0 and all(abs(after - before - step) <= close for before, after in pairwise(numbers))
