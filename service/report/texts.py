"""Numbers and names as the texts of a report."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from deeplimit.client.shown import INVISIBLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.report.parts import Json

NOTHING: Final = "–"
MOST_NAMES: Final = 20
"""Names of columns or classes that are written out."""
_INVISIBLE: Final = re.compile(f"[{INVISIBLE}]")


def visible(text: str) -> str:
    """Write what is not seen as an escape: a control character, or one that turns the direction of what follows."""
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def is_number(value: object) -> TypeGuard[float]:
    """Whether a field holds a finite number: one that is not comes as a string, one that is not given as null."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(value: Any, form: str = ".4g") -> str:
    """Return a number by a format specification, a dash where it is not given, and the word for what is not finite."""
    if value is None:
        return NOTHING
    return format(value, form) if is_number(value) else str(value)


def at(found: Any, *path: str) -> Any:
    """Return what stands at the end of a path of keys, None where the path breaks off."""
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def yes(value: object) -> str:
    """Return a word for true, false, and None, which is undecided."""
    return "undecided" if value is None else "yes" if value else "no"


def count(several: int, one: str, many: str | None = None) -> str:
    """Return a number with what it counts."""
    return f"{several} {one if several == 1 else many or one + 's'}"


def listed(names: Sequence[str]) -> str:
    """Return names with commas, the first `MOST_NAMES` of them."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def withheld(rows: Sequence[Json], of: str) -> list[str]:
    """Return why values are not given, by row."""
    return [
        f"{row.get(of, '')}: {name} is withheld: {reason}"
        for row in rows
        for name, reason in (row.get("withheld") or {}).items()
    ]
