"""A record as an object: JSON with a hash of itself, so that one which was damaged is told from one that was not."""

import hashlib
import json
from collections.abc import Mapping


class SealBrokenError(Exception):
    """The object is not what was written."""


def seal(record: Mapping[str, str]) -> bytes:
    """Write a record."""
    return json.dumps({"sha256": _digest(record), "record": dict(record)}, ensure_ascii=False).encode()


def unseal(content: bytes) -> dict[str, str]:
    """Read a record.

    Raises
    ------
    SealBrokenError
        It is damaged, or was none.
    """
    try:
        written = json.loads(content)
        record, digest = written["record"], written["sha256"]
        sound = all(isinstance(text, str) for text in record.values()) and _digest(record) == digest
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as failure:
        raise SealBrokenError from failure
    if not sound:
        raise SealBrokenError
    return dict(record)


def _digest(record: Mapping[str, str]) -> str:
    text = json.dumps(dict(record), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
