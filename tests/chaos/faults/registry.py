"""The faults by name: each acts for a while, takes itself back, and knows what it cannot do without."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.chaos.target import Target

Act = Callable[[Target, Random], None]


@dataclass(frozen=True)
class Fault:
    """One way in which things go wrong.

    Attributes
    ----------
    act
        Does it, with whatever it draws, and returns when it is over. It records what it did to whom.
    needs
        Names in :attr:`Target.missing`, any of which makes it impossible here.
    alone
        Whether it needs the service or its disks for itself: two of these cannot be at once.
    """

    name: str
    act: Act
    needs: tuple[str, ...] = ()
    alone: bool = False


class MissedError(Exception):
    """What was to be harmed is not there just now, or must not be."""


FAULTS: Final[dict[str, Fault]] = {}


def fault(name: str, *needs: str, alone: bool = False) -> Callable[[Act], Act]:
    """Register a fault under a name."""

    def register(act: Act) -> Act:
        FAULTS[name] = Fault(name, act, needs, alone)
        return act

    return register
