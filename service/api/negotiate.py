"""Headers that choose what is answered: Accept, Accept-Encoding, Prefer and If-None-Match."""

from __future__ import annotations

import math
import re

_WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,6})\"?", re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?"([^"]*)"')


def accepted(header: str, offers: tuple[str, ...]) -> list[tuple[str, bool]]:
    """Rank media types, the server's favourite first, by an ``Accept`` header; an empty one accepts anything.

    Returns
    -------
    list[tuple[str, bool]]
        The acceptable offers, best first, and whether each was asked for by its full name.
    """
    ranges = [_range(part) for part in header.split(",") if part.strip()] or [("*/*", 1.0)]
    ranked = []
    for place, offer in enumerate(offers):
        family = offer.split("/", 1)[0] + "/*"
        matches = [
            (name == offer, name != "*/*", quality) for name, quality in ranges if name in {offer, family, "*/*"}
        ]
        if not matches:
            continue
        exact, _, quality = max(matches)  # the most specific range decides, whatever its quality
        if quality > 0:
            ranked.append((-quality, place, offer, exact))
    return [(offer, exact) for _, _, offer, exact in sorted(ranked)]


def takes_gzip(header: str) -> bool:
    """Tell whether an ``Accept-Encoding`` takes gzip, or x-gzip, which is the same; an empty one does not."""
    qualities = dict(_range(part) for part in header.split(","))
    return qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0))) > 0


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                quality = float(parameter[2:])
            except ValueError:
                quality = 0.0
    return name, quality if math.isfinite(quality) else 0.0


def wait_of(prefer: str | None, most: int) -> int:
    """Return the seconds that a client prefers to wait, at most `most`, and 0 without such a preference.

    The header ``Prefer`` (RFC 7240) asks and does not oblige: what is not understood is ignored.
    """
    for part in (prefer or "").split(","):
        if wish := _WAIT.fullmatch(part.split(";")[0].strip()):
            return min(int(wish[1]), most)
    return 0


def etag_of(revision: int) -> str:
    """Return the strong entity tag of a job's revision."""
    return f'"{revision}"'


def matches(if_none_match: str | None, etag: str) -> bool:
    """Tell whether an ``If-None-Match``, a list of tags or ``*``, names a tag in quotes: the client has it already.

    The comparison is the weak one, as RFC 9110 has it for this header.
    """
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag.strip('"') in _ETAG.findall(if_none_match)
