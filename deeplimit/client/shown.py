"""Texts and tables for people: no control characters, a few significant digits, no wider than a page."""

from __future__ import annotations

import html
import math
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DIGITS: Final = 5
WIDEST: Final = 100
"""Characters of a line."""
LONGEST_TEXT: Final = 28
"""Characters of a text in a cell."""
MOST_ROWS: Final = 24
GAP: Final = "  "
NOTHING: Final = "-"

INVISIBLE: Final = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # what steers a terminal, but for tabs and the end of a line
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # what turns the direction of writing
    "\u00ad\u200b-\u200d\u2028\u2029\u2060-\u2065\ufeff\ufff9-\ufffb"  # what is not seen
)
"""Ranges of a regular expression: characters that are not seen, and hide or turn what is."""
_UNPRINTABLE: Final = re.compile(f"[\t{INVISIBLE}]")


def escaped(text: str) -> str:
    """Write tabs and what is not seen, control characters and those for the direction of writing, as JSON does."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def shown(value: Any) -> str:
    """Return a value as a cell has it: numbers with a few significant digits, long texts cut."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}" if math.isfinite(value) else str(value)
    text = escaped(" ".join(str(value).split()))
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def cells(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return headings and cells of the columns in which some row has something, as many as a line takes."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    kept: list[tuple[str, list[str]]] = []
    width = 0
    for name in names:
        column = [shown(row.get(name)) for row in rows[:MOST_ROWS]]
        if all(cell == NOTHING for cell in column):
            continue
        width += max(len(name), *(len(cell) for cell in column)) + len(GAP)
        if width - len(GAP) > WIDEST and kept:
            break
        kept.append((escaped(name), column))
    return [name for name, _ in kept], [list(row) for row in zip(*(column for _, column in kept), strict=True)]


def text_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a table as text, its columns aligned."""
    names, body = cells(rows)
    widths = [max(len(line[k]) for line in [names, *body]) for k in range(len(names))]
    words = [any(isinstance(row.get(name), str) for row in rows) for name in names]
    lines = [
        GAP.join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(line, widths, words, strict=True)
        ).rstrip()
        for line in [names, *body]
    ]
    return "\n".join([*lines, *_rest(rows)])


def html_table(rows: Sequence[Mapping[str, Any]], caption: str = "") -> str:
    """Return a table as HTML, everything in it escaped."""
    names, body = cells(rows)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    lines = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in line)}</tr>" for line in body)
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    rest = "".join(f"<p>{html.escape(line)}</p>" for line in _rest(rows))
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>{rest}"


def _rest(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    more = len(rows) - MOST_ROWS
    return [f"… and {more} more rows"] if more > 0 else []
