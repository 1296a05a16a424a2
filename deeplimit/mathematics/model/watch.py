"""Watches: what is called before everything that a model computes of its samples, and may break it off by raising.

Whoever has a limit, of time or of patience, puts a watch around a computation, and every evaluation, product and
forward map below it looks there first; nothing in between has to pass it on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_WATCHES: Final[ContextVar[tuple[Callable[[], None], ...]]] = ContextVar("watches", default=())


class OutOfTimeError(Exception):
    """The time that there was for a computation is over."""


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
        From the first thing that would begin after it.
    """

    def watch() -> None:
        if deadline is not None and time.monotonic() > deadline:
            raise OutOfTimeError

    with watched(watch):
        yield


def look() -> None:
    """Call every watch."""
    for watch in _WATCHES.get():
        watch()
