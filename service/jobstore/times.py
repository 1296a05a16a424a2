"""Times as Redis holds them: whole microseconds since the epoch, which a double holds exactly."""

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)

GRAVE_MS: Final = 60_000
"""Time for which a repeated deletion, whose first reply was lost, finds what it deleted."""


def to_microseconds(moment: datetime) -> int:
    """Whole microseconds from the epoch to a moment."""
    return (moment - EPOCH) // MICROSECOND


def from_microseconds(text: str) -> datetime:
    """Moment of so many microseconds since the epoch."""
    return EPOCH + int(text) * MICROSECOND


def seconds_to_microseconds(seconds: float) -> int:
    """Duration in whole microseconds."""
    return round(seconds * 1e6)
