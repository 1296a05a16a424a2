"""Valkey's clock is set, forth and back; it keeps the time of leases, pauses and keys that run out."""

from random import Random

from tests.chaos.faults.registry import fault
from tests.chaos.target import Target
from tests.support.service import pause

HOUR_S = 3600
DAY_S = 24 * HOUR_S


def _set(target: Target, random: Random, seconds: int) -> None:
    offset = random.choice((-seconds, seconds))
    target.set_clock(offset)
    target.journal.write("chaos", "clock", seconds=offset)
    pause(random.uniform(1.0, 4.0))  # so that jobs are done in that time
    if random.random() < 0.7:  # else another fault finds it so
        target.set_clock(0)
        target.journal.write("chaos", "clock", seconds=0)


@fault("clock-hour", "faketime")
def by_an_hour(target: Target, random: Random) -> None:
    """Set it by an hour."""
    _set(target, random, HOUR_S)


@fault("clock-day", "faketime")
def by_a_day(target: Target, random: Random) -> None:
    """Set it by a day."""
    _set(target, random, DAY_S)
