"""The three drawings that a report shows, from what a job's worker drew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.report.drawings import UnfitDrawingError, inline
from service.report.parts import Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from service.report.parts import Json

WANTED: Final[Sequence[tuple[str, ...]]] = (("minima",), ("orders",), ("decision_boundaries", "training"))
"""Of each the first that was drawn."""
TITLES: Final[Mapping[str, str]] = {
    "minima": "Minima against depth",
    "orders": "Orders of convergence",
    "decision_boundaries": "Decision boundaries of all depths",
    "training": "Training",
}
NOT_DRAWN: Final = "The job was run by a version that drew none."


def pictures_of(index: Json | None, read: Callable[[str], bytes | None]) -> list[Picture]:
    """Return the pictures of a report.

    Parameters
    ----------
    index
        What the job says of its drawings: ``plots`` with ``name``, ``title`` and ``description``, ``withheld`` with the
        reason by name; None where there is nothing.
    read
        Returns the SVG of a drawing by its name, or None.
    """
    described = {entry["name"]: entry for entry in (index or {}).get("plots") or ()}
    reasons = (index or {}).get("withheld") or {}
    pictures = [_picture(names, described, reasons, read) for names in WANTED]
    if any(picture.reason != NOT_DRAWN for picture in pictures):
        return pictures
    return [Picture("Minima, orders and training", reason=NOT_DRAWN)]


def _picture(
    names: Sequence[str],
    described: Mapping[str, Json],
    reasons: Mapping[str, str],
    read: Callable[[str], bytes | None],
) -> Picture:
    reason = ""
    for name in names:
        entry = described.get(name, {})
        title = entry.get("title") or TITLES[name]
        content = read(name)
        if content is None:
            reason = reason or reasons.get(name, "")
            continue
        try:
            return Picture(title, inline(content), entry.get("description") or "")
        except UnfitDrawingError as unfit:
            reason = f"The drawing {unfit}."
    return Picture(TITLES[names[-1]], reason=reason or NOT_DRAWN)
