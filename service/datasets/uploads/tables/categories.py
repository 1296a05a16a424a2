"""Columns of text among the inputs: refused with what helps, left out, or encoded as columns of 0 and 1."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from service.contract.data.dataset import EncodedColumn
from service.contract.data.reading import Categorical
from service.contract.values.labels import BOOLEANS, label_flaw, truth
from service.datasets.uploads.request import Refusal, UploadLimits, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MISSING: Final = -1
NOT_KEPT: Final = -2
"""Codes of a missing value, and of a text that is one of too many."""
_SHOWN_LEVELS: Final = 5
_SHOWN: Final = 40
"""Characters of a text that a refusal repeats."""
_SIMPLE: Final = re.compile(r"\w[\w .()/%°-]*")
"""Names and texts that are shown without quotes."""
DROP: Final = f"categorical={Categorical.DROP}"
ENCODE: Final = f"categorical={Categorical.ENCODE}"


class Kind(StrEnum):
    """What a column holds that is no number, in words."""

    TEXT = "text"
    TRUTH = "truth values"
    TIMES = "dates or times"
    LISTS = "nested lists"
    RECORDS = "nested records"
    BYTES = "bytes"
    OTHER = "another type"


@dataclass(frozen=True)
class Category:
    """A column of inputs that holds no numbers.

    Parameters
    ----------
    place
        Position among the columns of the table.
    name
        As the query would call it.
    codes
        (S,) position of each row's text among the levels, or `MISSING`, or `NOT_KEPT`.
    levels
        The different texts.
    kept
        Whether these are all.
    code
        Of the refusal.
    """

    place: int
    name: str
    kind: Kind
    codes: NDArray[np.int32]
    levels: list[str]
    kept: bool = True
    code: str = "not_a_number"

    @property
    def missing(self) -> NDArray[np.bool_]:
        """(S,): where the value is missing."""
        return np.equal(self.codes, MISSING)

    @property
    def words(self) -> str:
        """What it is and holds: column island holds text: Biscoe, Dream, Torgersen (3 different)."""
        if self.kind is not Kind.TEXT:
            return f"column {shown(self.name)} holds {self.kind}, not numbers"
        levels = sorted(self.levels)
        texts = ", ".join(map(shown, levels[:_SHOWN_LEVELS])) + (", …" if len(levels) > _SHOWN_LEVELS else "")
        count = f"{len(levels)} different" if self.kept else f"more than {len(levels) - 1} different"
        absent = int(self.missing.sum())
        return f"column {shown(self.name)} holds text: {texts} ({count}{f', {absent} missing' if absent else ''})"

    def without(self, gone: NDArray[np.bool_]) -> Category:
        """Return the rows that are not gone."""
        return replace(self, codes=self.codes[~gone])

    def refusal(self) -> Refusal:
        """Say what it holds, and what helps."""
        if self.kind in {Kind.TEXT, Kind.TRUTH}:
            detail = f"{self.words}; {DROP} leaves such columns out, {ENCODE} makes a column of 0 and 1 of each text"
            return Refusal(code=self.code, detail=detail, column=self.name, remedies=(DROP, ENCODE))
        detail = f"{self.words}; {DROP} leaves such columns out"
        return Refusal(code=self.code, detail=detail, column=self.name, remedies=(DROP,))


def flaws_in(categories: Sequence[Category], asked: Categorical, limits: UploadLimits) -> dict[int, Refusal]:
    """Return, by place, why columns that hold no numbers cannot be taken as it is asked."""
    match asked:
        case Categorical.REFUSE:
            return {category.place: category.refusal() for category in categories}
        case Categorical.DROP:
            return {}
        case Categorical.ENCODE:
            wrong = {category.place: _unencodable(category, limits) for category in categories}
            return {place: refusal for place, refusal in wrong.items() if refusal is not None}


def _unencodable(category: Category, limits: UploadLimits) -> Refusal | None:
    if category.kind not in {Kind.TEXT, Kind.TRUTH}:
        return category.refusal()
    helps = f"; {DROP} leaves such columns out, and inputs= names those that are to be taken"
    if not category.kept or len(category.levels) > limits.levels:
        detail = f"{category.words}, of which at most {limits.levels} can be encoded{helps}"
        return Refusal(code="too_many_levels", detail=detail, column=category.name, remedies=(DROP,))
    wrong = next(filter(None, map(label_flaw, category.levels)), None)
    if wrong is not None:
        detail = f"a text of the column {shown(category.name)} {wrong[1]}{helps}"
        return Refusal(code=wrong[0], detail=detail, column=category.name, remedies=(DROP,))
    return None


def encode(category: Category) -> tuple[EncodedColumn, NDArray[np.float64]]:
    """Return the levels that occur, sorted, and (S, levels): 1 in the column of each row's level, 0 elsewhere.

    No value may be missing. Truth values are the levels False and True, in whatever letters they are written.
    """
    texts = [truth(level) if level in BOOLEANS else level for level in category.levels]
    there = sorted({texts[code] for code in np.unique(category.codes)})
    places = np.array([there.index(text) if text in there else 0 for text in texts])
    matrix = np.zeros((len(category.codes), len(there)))
    matrix[np.arange(len(matrix)), places[category.codes]] = 1.0
    return EncodedColumn(column=category.name, levels=there), matrix


def shown(text: str) -> str:
    """Return a name or a text as a refusal shows it: bare where it is simple, else in quotes, shortened and plain."""
    return text if len(text) <= _SHOWN and _SIMPLE.fullmatch(text) else quoted(text)
