"""Labels as text: what counts as one, and how labels become classes, the same in a body and in an upload."""

from __future__ import annotations

import unicodedata
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST_LABEL: Final = 200
"""Characters of one label."""

MARKERS: Final = frozenset(
    {"", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "-nan", "-NaN", "None", "null", "NULL"}
)
"""How tools write a missing value, beside Parquet's null; spaces around them do not count."""

BOOLEANS: Mapping[str, float] = MappingProxyType(
    {"True": 1.0, "TRUE": 1.0, "true": 1.0, "False": 0.0, "FALSE": 0.0, "false": 0.0}
)
"""How tools write truth values, as numbers."""


def is_missing(cell: str) -> bool:
    """Tell whether a text is empty or says that its value is missing."""
    return cell.strip() in MARKERS


PLAIN: Final = r"^[^\u0000-\u001f\u007f-\u009f]*$"
"""Regular expression, as JSON Schema has them, of texts without control characters."""


def is_plain(text: str, *, breaks: bool = True) -> bool:
    """Tell whether a text is free of control characters, which a terminal would obey.

    With ``breaks``, tabs and line breaks are let through, as spreadsheets put them into the names of columns.
    """
    allowed = "\t\r\n" if breaks else ""
    return not any(unicodedata.category(character) == "Cc" and character not in allowed for character in text)


def tidy(cells: Sequence[str]) -> list[str]:
    """Return labels without spaces around them; where all are truth values, as False and True in whatever letters."""
    labels = [cell.strip() for cell in cells]
    if labels and set(labels) <= BOOLEANS.keys():
        labels = [truth(label) for label in labels]
    return labels


def truth(word: str) -> str:
    """Return a truth value, in whatever letters a tool writes it, as False or True."""
    return "True" if BOOLEANS[word] else "False"


def label_flaw(label: str) -> tuple[str, str] | None:
    """Say why a text cannot be a label: a code and words that follow the label, or ``None``."""
    if not is_plain(label):
        return "control_character", "has a control character"
    if len(label) > LONGEST_LABEL:
        return "label_too_long", f"has more than {LONGEST_LABEL} characters"
    return None


def classes_by_label(labels: Sequence[str]) -> tuple[list[int], list[str]]:
    """Return the class 0..m-1 of each label, and the labels in the order of their classes, which is sorted."""
    names = sorted(set(labels))
    places = {name: place for place, name in enumerate(names)}
    return [places[label] for label in labels], names
