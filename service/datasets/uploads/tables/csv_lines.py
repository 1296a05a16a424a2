"""Lines and rows of a CSV, and what is the matter with a file that does not look like one."""

from __future__ import annotations

import csv
from collections import Counter
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Final, TextIO

from service.datasets.uploads.request import UploadRefusedError, malformed
from service.datasets.uploads.tables.cells import is_number

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST_LINE: Final = 2**20
UNLIKE_A_TABLE: Final = {
    "ambiguous_header",
    "malformed",
    "no_inputs",
    "not_a_number",
    "ragged",
    "unknown_column",
    "unnamed_column",
}
"""Refusals that a file meets which has another separator than the comma, or lines that belong to no table."""

_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}
_COMMENTS: Final = ("#", "%", "//")
_LOOKED_AT: Final = 1000
_CAUSES: Final = {
    "unexpected end of data": "a double quote is opened and never closed",
    "expected after": "a closing double quote is followed by something else than a comma",
    "new-line character": "it has a carriage return without a line feed",
    "field limit": f"a cell has more than {LONGEST_LINE} characters",
}
"""What the errors of the csv module mean, by a part of their words."""


def read_rows(file: TextIO, most: int) -> Iterator[tuple[int, list[str]]]:
    """Yield rows that are not blank with the line each ends on, from 1.

    Parameters
    ----------
    most
        Rows that there may be. It is for the reader to count them; here blank lines count as well.

    Raises
    ------
    UploadRefusedError
        ``wrong_encoding``, ``malformed`` or ``too_many_samples``.
    """
    csv.field_size_limit(LONGEST_LINE)
    reader = csv.reader(_lines(file), strict=True, skipinitialspace=True)
    try:
        for count, cells in enumerate(reader):
            if cells:
                yield reader.line_num, cells
            elif count > most + 1:  # a header, and a blank line at the end, are beside
                raise UploadRefusedError("too_many_samples", f"must have at most {most} rows, blank lines included")
    except csv.Error as error:
        cause = next((f": {cause}" for words, cause in _CAUSES.items() if words in str(error)), "")
        raise malformed(f"line {reader.line_num} cannot be read{cause}") from None


def check_table(path: Path, most: int) -> None:
    """Refuse a file whose lines are separated otherwise, are comments, or of which one differs from all others.

    Only its first lines are looked at; ``most`` is as in `read_rows`.

    Raises
    ------
    UploadRefusedError
        ``comment_line``, ``wrong_separator`` or ``ragged``, with the line that is at fault.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        if next(_lines(file), "").lower().strip('" \r\n').startswith("sep="):
            detail = "line 1 is a note for Excel on the separator (sep=), which a CSV cannot have; leave it out"
            raise UploadRefusedError("comment_line", detail)
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = islice(_lines(file), _LOOKED_AT)
        _check_separator([line.strip() for line in islice(filter(str.strip, lines), 3)])
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(islice(read_rows(file, most), _LOOKED_AT))
    counts = Counter(len(cells) for _, cells in rows)
    usual = max(counts, key=lambda count: (counts[count], count))
    for line, cells in rows:
        if cells[0].startswith(_COMMENTS) and len(cells) != usual:
            detail = f"line {line} seems to be a comment, which a CSV cannot have; leave it out"
            raise UploadRefusedError("comment_line", detail)
    odd = [(line, len(cells)) for line, cells in rows if len(cells) != usual]
    if odd:
        line, count = odd[0]
        detail = f"line {line} has {count} cell{'s' if count > 1 else ''}, most lines have {usual}"
        if len(odd) == 1 and line == rows[0][0] and usual == count + 1:
            ends_blank = all(not cells[-1].strip() for _, cells in rows[1:])
            detail += (
                "; a comma at the end of each line makes a cell"
                if ends_blank
                else "; if the first cell of each line names its row, give that column a name or leave it out"
            )
        raise UploadRefusedError("ragged", detail)


def _check_separator(lines: list[str]) -> None:
    """Refuse a first line with more of another separator than commas, or of numbers with decimal commas."""
    first = lines[0] if lines else ""
    for separator, what in _SEPARATORS.items():
        cells = first.split(separator)
        fewer_commas = first.count(",") < len(cells) - 1
        if len(cells) > 1 and (fewer_commas or all(is_number(cell.replace(",", ".")) for cell in cells)):
            detail = f"seems to separate its cells by {what}; a CSV must have commas there, and points in its decimals"
            raise UploadRefusedError("wrong_separator", detail)
    words = {len(line.split()) for line in lines}
    if "," not in "".join(lines) and min(words, default=1) > 1 and not first.startswith(_COMMENTS):
        detail = "seems to separate its cells by spaces; a CSV must have commas there"
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
        detail = f"line {_undecodable(file.buffer)} is not in UTF-8; save the file as UTF-8, not as Latin-1 or another"
        raise UploadRefusedError("wrong_encoding", detail) from None


def _undecodable(file: BinaryIO) -> int:
    """Return the first line, from 1, that is not in UTF-8: the text was decoded in parts that do not end with lines."""
    file.seek(0)
    for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE), b""), 1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return number
    return 1
