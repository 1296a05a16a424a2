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

from service.datasets.uploads.cells import BOOLEANS, is_missing, is_number, is_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

_FAR: Final = 3.0
"""Widths of a column's range by which a number lies outside of it that is no value of this column."""
_FEW: Final = 3
"""Rows below which there is nothing to compare the first one with."""
_STEPS: Final = 4
"""Numbers in equal steps that are no accident where they are no values of their columns either."""
_MANY_STEPS: Final = 6
"""Numbers in equal steps that are no accident whatever stands below."""
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

    @property
    def labels_repeat(self) -> bool:
        """Whether there are several texts and no numbers, and each text stands there more than once."""
        counts = Counter(self.texts)
        return len(counts) > 1 and not self.numbers and min(counts.values()) > 1

    @property
    def varies(self) -> bool:
        """Whether the numbers differ."""
        least, most = self.range
        return least < most


def has_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool | None:
    """Tell whether the first row of a table is a header, or ``None`` where it may be either.

    A name above numbers makes it one, unless the numbers beside the name could be values of their columns. So do
    different numbers that count from 0, are written or lie otherwise than those below, or go in equal steps. A label
    that comes again below makes it none; one that does not, where all others do, leaves it open.

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
    named = any(column.is_numeric for column in titles)
    if not numeric:
        return named or (bool(titles) and not any(column.is_numeric for column in below))
    if any(cell in column.texts for cell, column in zip(cells, below, strict=True)):
        return False
    numbers = [float(cells[place]) for place in numeric]
    values = [(cells[place], below[place]) for place in numeric if below[place].is_numeric]
    if len(set(numbers)) == len(numbers):
        finite = all(map(math.isfinite, numbers))
        if finite and _are_names([cells[place] for place in numeric], values, _at(rows, numeric)):
            return True
        if named and (_is_count(numbers, _FEW) or not _could_be_values(values)):
            return True
    return None if named or any(column.labels_repeat for column in titles) else False


def _at(rows: Sequence[Sequence[str]], places: Sequence[int]) -> list[list[str]]:
    return [[row[place] for place in places if place < len(row)] for row in rows]


def _are_names(cells: Sequence[str], values: Sequence[tuple[str, _Column]], others: Sequence[Sequence[str]]) -> bool:
    """Tell whether different numbers are names of columns, and no values.

    Parameters
    ----------
    cells
        The numbers of the first row.
    values
        Those above columns of numbers, with these columns.
    others
        The cells below the numbers, by row.
    """
    if not values or len(others) < 2:  # noqa: PLR2004 - one row compares to none
        return False
    if list(cells) == [str(count) for count in range(len(cells))]:
        several = len(cells) >= _FEW and not _counts_on([cells, *others])
        return several or any(column.is_fractional for _, column in values)
    return _is_unlike(values, len(others)) or (len(others) >= _FEW and _is_in_steps(cells, values, others))


def _is_count(numbers: Sequence[float], least: int) -> bool:
    """Tell whether numbers, as many as said at least, count on by one."""
    return len(numbers) >= least and all(after - before == 1 for before, after in pairwise(numbers))


def _is_unlike(values: Sequence[tuple[str, _Column]], rows: int) -> bool:
    """Tell whether numbers are whole above columns of fractions, or far off from all that stands below them."""
    fractional = sum(column.is_fractional for _, column in values)
    if fractional >= _FEW and 2 * fractional > len(values) and all(is_whole(cell) for cell, _ in values):
        return True
    varying = sum(column.varies for _, column in values)
    return varying > 1 and varying + rows > 2 * _FEW and all(_is_far(float(cell), column) for cell, column in values)


def _is_in_steps(cells: Sequence[str], values: Sequence[tuple[str, _Column]], others: Sequence[Sequence[str]]) -> bool:
    """Tell whether numbers go in equal steps, as no other row does, and are many or none a value of its column."""
    if not _are_steps(cells) or any(map(_are_steps, others)):
        return False
    return len(cells) >= _MANY_STEPS or not any(_could_be_values([value]) for value in values)


def _could_be_values(values: Sequence[tuple[str, _Column]]) -> bool:
    """Tell whether there are numbers in the first row, and all of them are such as stand below them."""
    return bool(values) and all(
        column.range[0] <= float(cell) <= column.range[1] and not (is_whole(cell) and column.is_fractional)
        for cell, column in values
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


def _is_far(number: float, column: _Column) -> bool:
    least, most = column.range
    outside = max(least - number, number - most)
    return outside > _FAR * (most - least) and outside > 0


def _are_steps(cells: Sequence[str]) -> bool:
    if len(cells) < _STEPS or not all(map(is_number, cells)):
        return False
    numbers = [float(cell) for cell in cells]
    step = (numbers[-1] - numbers[0]) / (len(numbers) - 1)
    close = 0.01 * abs(step)
    return step != 0 and all(abs(after - before - step) <= close for before, after in pairwise(numbers))
