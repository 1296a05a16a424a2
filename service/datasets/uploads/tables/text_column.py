"""A column of a CSV that holds something else than numbers, while it is read: its different texts, and which it is.

A column of which half the cells are numbers, or would be but for a comma or a percent sign, is one of numbers with
something wrong in it; any other holds text.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from service.contract.values.labels import BOOLEANS, is_missing
from service.datasets.uploads.tables.categories import MISSING, NOT_KEPT, Category, Kind
from service.datasets.uploads.tables.cells import flaw, is_number, likely_cause

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_LEVELS: Final = 10_000
"""Different texts of a column that are kept; a column with more is one of free text, and cannot be encoded."""


@dataclass(frozen=True)
class FirstFlaw:
    """The first cell of a column of numbers that is none: its row from 0, a code and words."""

    row: int
    code: str
    words: str


class TextColumn:
    """Takes one cell after the other; with ``truths``, truth values are texts too, else they are numbers."""

    def __init__(self, *, truths: bool) -> None:
        self._codes = array("i")
        self._places: dict[str, int] = {}
        self._levels: list[str] = []
        self._truths = truths
        self._numbers = self._numeric = self._words = self._texts = 0
        self._first: tuple[int, str] | None = None

    def add(self, cell: str) -> None:
        """Take the cell of the next row."""
        code = self._places.get(cell)
        if code is None:
            code = self._code(cell)
        self._codes.append(code)

    def _code(self, cell: str) -> int:
        """Return the code of a cell that was not seen before, or is no longer kept."""
        level = cell.strip()
        code = self._places.get(level)
        if code is None:
            if is_missing(level):
                code = MISSING
            elif len(self._levels) < MOST_LEVELS:
                code = len(self._levels)
                self._levels.append(level)
            else:
                self._count(level, 1)
                self._notice(len(self._codes), level)
                return NOT_KEPT
            self._places[level] = code
        if len(self._places) < 2 * MOST_LEVELS:  # with other spaces around it
            self._places[cell] = code
        return code

    def _count(self, level: str, times: int) -> None:
        if level in BOOLEANS:
            self._words += times
        elif is_number(level):
            self._numbers += times
        else:
            self._texts += times
            self._numeric += times * bool(likely_cause(level))

    def _notice(self, row: int, level: str) -> None:
        if self._first is None and level not in BOOLEANS and not is_number(level):
            self._first = row, level

    def finish(self, place: int, name: str) -> Category | NDArray[np.float64] | FirstFlaw:
        """Return the column as texts, as numbers with NaN where one is missing, or what is wrong with its numbers."""
        codes = np.asarray(self._codes, np.int32)
        counts = np.bincount(codes[codes >= 0], minlength=len(self._levels)).tolist()
        for level, times in zip(self._levels, counts, strict=True):
            self._count(level, times)
        if not self._texts and (self._numbers or not (self._words and self._truths)):
            return self._as_numbers(codes)
        if self._texts and 2 * (self._numbers + self._numeric) >= self._numbers + self._words + self._texts:
            row, level = self._first_text(codes)
            return FirstFlaw(row, *(flaw(level) or ("not_a_number", "is not a number")))
        return self.category(place, name)

    def category(self, place: int, name: str, code: str = "not_a_number") -> Category:
        """Return the column as texts, whatever they look like, with the code of its refusal."""
        kind = Kind.TRUTH if self._levels and set(self._levels) <= BOOLEANS.keys() else Kind.TEXT
        codes = np.asarray(self._codes, np.int32)
        return Category(place, name, kind, codes, self._levels, kept=len(self._levels) < MOST_LEVELS, code=code)

    def _first_text(self, codes: NDArray[np.int32]) -> tuple[int, str]:
        """Return the first row, and its text, that is neither a number nor a truth value."""
        wrong = [k for k, level in enumerate(self._levels) if level not in BOOLEANS and not is_number(level)]
        rows = np.flatnonzero(np.isin(codes, wrong))
        found = [] if self._first is None else [self._first]
        if len(rows):
            found.append((int(rows[0]), self._levels[int(codes[rows[0]])]))
        return min(found)

    def _as_numbers(self, codes: NDArray[np.int32]) -> NDArray[np.float64] | FirstFlaw:
        if (codes == NOT_KEPT).any():
            return FirstFlaw(
                int(np.flatnonzero(codes == NOT_KEPT)[0]), "not_a_number", "mixes truth values and numbers"
            )
        values = np.full(len(self._levels) + 1, math.nan)  # the last is that of the code -1, a missing value
        for code, level in enumerate(self._levels):
            why = None if level in BOOLEANS else flaw(level)
            if why is not None:
                return FirstFlaw(int(np.flatnonzero(codes == code)[0]), *why)
            values[code] = BOOLEANS[level] if level in BOOLEANS else float(level)
        return values[codes]
