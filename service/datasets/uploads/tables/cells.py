"""Cells of text: what is a number, what is a missing value, and why something is neither."""

from __future__ import annotations

import math


def is_number(cell: str) -> bool:
    """Tell whether a cell is meant as a number, in the digits of whichever script."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def is_whole(cell: str) -> bool:
    """Tell whether a cell is an integer in ASCII digits, written without a point."""
    digits = cell.strip().removeprefix("-").removeprefix("+")
    return digits.isascii() and digits.isdigit()


def flaw(cell: str) -> tuple[str, str] | None:
    """Say why a cell that is not missing is no finite number in ASCII digits: a code and words, or ``None``."""
    if not is_number(cell):
        return "not_a_number", f"is not a number{likely_cause(cell.strip())}"
    if not cell.isascii():
        spaces = cell.strip().isascii()
        what = "has a space that is none of ASCII's" if spaces else "is not a number in the digits 0 to 9 alone"
        return "not_a_number", what
    if not math.isfinite(float(cell)):
        return "not_finite", "is not a finite number"
    return None


def likely_cause(cell: str) -> str:
    """Name what keeps a text from being a number, where taking that away would leave one."""
    cures = (
        (cell.replace(",", "."), "it has a decimal comma"),
        (cell.replace(",", ""), "it has commas between its digits"),
        ("".join(cell.split()), "it has spaces between its digits"),
        (cell.rstrip("%"), "it ends in %"),
        (cell.strip("'\""), "it is in quotes"),
        (cell.replace("_", ""), "it has underscores between its digits"),
    )
    return next((f": {cause}" for cured, cause in cures if cured != cell and is_number(cured)), "")
