"""What names and values of a table suggest: a first column that numbers its rows, and a target that is not the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from service.datasets.uploads.request import Refusal
from service.datasets.uploads.tables.categories import Kind, shown
from service.datasets.uploads.tables.roles import is_unnamed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from service.datasets.uploads.tables.categories import Category

_ROW_NUMBERS: Final = {"rownames", "rowname", "row.names", "row_names", "rowid", "row_id", "row", "index", "id"}
"""Names under which tools write the numbers of rows, in small letters."""
_TARGETS: Final = {
    *("target", "targets", "label", "labels", "class", "classes", "species", "outcome", "response", "diagnosis"),
    "survived",
}  # fmt: skip
"""Names that targets go by, in small letters; `y` is one where there is no `x` beside it."""
_UNLIKELY: Final = {
    *("year", "month", "day", "date", "time", "timestamp", "id", "index", "comment", "comments", "note", "notes"),
}  # fmt: skip
"""Names that are unlikely to be a target's."""
_LEAST_ROWS: Final = 3
"""Rows below which numbers that count on are no numbers of rows."""
_MOST_CLASSES: Final = 20
_FREE_TEXT_ROWS: Final = 10
_PROPOSALS: Final = 3


def numbers_rows(name: str, values: NDArray[np.float64]) -> bool:
    """Tell whether a table's first column numbers its rows: it is called so or not at all, and counts from 0 or 1."""
    if len(values) < _LEAST_ROWS or not (is_unnamed(name) or name.lower() in _ROW_NUMBERS):
        return False
    return bool(values[0] in {0.0, 1.0} and (np.diff(values) == 1.0).all())


def doubtful_target(
    names: Sequence[str], last: str, texts: Sequence[Category], targets: Sequence[str] | NDArray[np.float64]
) -> Refusal | None:
    """Propose another target than the last column, where that was not named and another is likelier.

    Parameters
    ----------
    last
        Name of the last column.
    texts
        The other columns that hold text.
    targets
        What the last column holds: (S,) texts or (S, 1) numbers.
    """
    usual = [name for name in names if _is_usual(name, names)]
    rows = len(targets)
    likely = [
        text.name
        for text in texts
        if text.kind is Kind.TEXT and len(text.levels) > 1 and len(text.levels) <= min(_MOST_CLASSES, rows // 2)
    ]
    proposed = [name for name in usual or likely if name != last][:_PROPOSALS]
    free_text = rows >= _FREE_TEXT_ROWS and isinstance(targets, list) and 2 * len(_words(targets)) > rows
    doubtful = (usual and last not in usual) or last.lower() in _UNLIKELY or free_text
    if not proposed or not doubtful:
        return None
    remedies = tuple(f"targets={name}" for name in [*proposed, last])
    say = " or ".join(remedies[:-1])
    detail = (
        f"no targets are named, and the last column, {shown(last)}, is not likely to be meant:"
        f" say {say}, or targets={last} if it is"
    )
    return Refusal(code="doubtful_target", detail=detail, column=last, remedies=remedies)


def _is_usual(name: str, names: Sequence[str]) -> bool:
    plain = name.lower()
    return plain in _TARGETS or (plain == "y" and "x" not in {other.lower() for other in names})


def _words(cells: Sequence[str]) -> set[str]:
    """Return the different texts that have a letter: numbers may all differ."""
    return {cell for cell in map(str.strip, cells) if any(map(str.isalpha, cell))}
