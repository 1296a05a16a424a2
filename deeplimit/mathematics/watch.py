"""Watches: what is called before, and within, everything long that is computed, and may break it off by raising.

Whoever has a limit, of time or of patience, puts a watch around a computation, and every evaluation, product and
forward map below it looks there: before it begins, and between layers or blocks of samples that take long. Nothing in
between has to pass it on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from deeplimit.mathematics.journal import recalls

EVALUATED_S: Final = 1.0
"""Seconds after a deadline in which models that are left are evaluated once, and what is under way comes to its end."""
GRACE: Final = 2.0
"""Seconds after it in which what takes little is measured all the same: in a small study everything."""
MEASURED_S: Final = 1.0
"""Seconds for the metrics of models, after whatever there was time for."""
_BETWEEN: Final = 2**27
"""Multiplications between two looks: some hundredths of a second, of which a look is no part that shows."""

_WATCHES: Final[ContextVar[tuple[Callable[[], None], ...]]] = ContextVar("watches", default=())


class OutOfTimeError(Exception):
    """The time that there was for a computation is over."""


def passed(deadline: float | None) -> bool:
    """Whether a deadline, in seconds of ``time.monotonic``, has passed; never at None.

    What a journal knows takes no time: as long as it recalls steps, whoever repeats a study has to decide as before.
    """
    return deadline is not None and time.monotonic() > deadline and not recalls()


@contextmanager
def watched(watch: Callable[[], None]) -> Iterator[None]:
    """Call ``watch`` before everything long inside, beside the watches that there are; what it raises is passed on."""
    token = _WATCHES.set((*_WATCHES.get(), watch))
    try:
        yield
    finally:
        _WATCHES.reset(token)


@contextmanager
def until(deadline: float | None) -> Iterator[None]:
    """Break off what is inside at a deadline, in seconds of ``time.monotonic``; never at None.

    Raises
    ------
    OutOfTimeError
        From the first look after it.
    """

    def watch() -> None:
        if passed(deadline):
            raise OutOfTimeError

    with watched(watch):
        yield


def look() -> None:
    """Call every watch."""
    for watch in _WATCHES.get():
        watch()


def paced(steps: range, multiplications: float) -> Iterable[int]:
    """Go through steps of so many multiplications each, and look between those that take long together."""
    often = between_looks(multiplications)
    return steps if often >= len(steps) else _looking(steps, often)


def _looking(steps: range, often: int) -> Iterator[int]:
    for count, step in enumerate(steps):
        if count and count % often == 0:
            look()
        yield step


def between_looks(multiplications: float) -> int:
    """Return how many steps, of so many multiplications each, may pass between two looks; one at least."""
    return max(1, int(_BETWEEN / max(multiplications, 1.0)))
