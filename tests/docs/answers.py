"""What a page claims beside what came: text with ``…`` for what differs, JSON of which a page shows a part."""

from __future__ import annotations

import re
from typing import Any

REST = "…"
_ID = re.compile(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{32}\b")


def same_text(claimed: str, came: str) -> bool:
    """Whether the text came, whatever stands for ``…`` and however many spaces there are; ids read ID."""
    words = [r"\s+".join(map(re.escape, part.split())) for part in claimed.split(REST)]
    return re.fullmatch(r"\s*" + r"[\s\S]*?".join(f"{word}\\s*" for word in words), _ID.sub("ID", came)) is not None


def same_json(claimed: Any, came: Any) -> bool:
    """Whether what a page shows is in the answer: fields may be left out, and ``…`` ends a list or is any value."""
    if claimed == REST:
        return True
    if isinstance(claimed, dict):
        return isinstance(came, dict) and all(
            name == REST or (name in came and same_json(value, came[name])) for name, value in claimed.items()
        )
    if isinstance(claimed, list):
        shown = claimed[:-1] if claimed and claimed[-1] == REST else claimed
        enough = isinstance(came, list) and (len(came) == len(claimed) or len(shown) < len(claimed))
        return enough and all(same_json(one, other) for one, other in zip(shown, came, strict=False))
    if isinstance(claimed, str) and isinstance(came, str):
        return same_text(claimed, came)
    return bool(claimed == came) and isinstance(claimed, bool) == isinstance(came, bool)
