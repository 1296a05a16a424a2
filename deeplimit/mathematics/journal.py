"""A journal of the long steps of a study, so that another attempt at it does not do them again.

A study is deterministic: whoever begins it anew comes to the same steps in the same order. Each asks the journal that
is in force, by its name and what it begins with, whether it was done before, or had begun: then it goes on from there,
to the last bit where it would have been. Without a journal every step is done.

What is kept are plain values: numbers, texts, tensors, and lists and dictionaries of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol

from torch import Tensor

Value = Any
"""Plain: None, bool, int, float, str, Tensor, and lists of these and dictionaries, whose keys are texts."""


class Step:
    """One step, of which nothing is known and nothing kept.

    Attributes
    ----------
    done
        What it came to in an earlier attempt, or None.
    begun
        How far it had come there, as ``going`` said, or None.
    """

    done: Value | None = None
    begun: Value | None = None

    def going(self, state: Callable[[], Value]) -> None:
        """Say that it could go on from what ``state`` gives, until this is called again or the step has ended."""

    def ended(self, value: Value) -> None:
        """Say what it came to. A step that does not say so, as one that was broken off, is done again."""


class Journal(Protocol):
    """What keeps steps. One ends before the next begins."""

    @property
    def recalls(self) -> bool:
        """Whether it knows a step that has yet to begin."""

    def step(self, name: str, *of: Tensor) -> Step:
        """Begin a step, which is known by its name and by what it begins with."""


_NOTHING: Final = Step()
_JOURNAL: Final[ContextVar[Journal | None]] = ContextVar("journal", default=None)


@contextmanager
def journaled(journal: Journal) -> Iterator[None]:
    """Have the steps inside kept in a journal."""
    token = _JOURNAL.set(journal)
    try:
        yield
    finally:
        _JOURNAL.reset(token)


def begin_step(name: str, *of: Tensor) -> Step:
    """Begin a step in the journal that is in force."""
    journal = _JOURNAL.get()
    return _NOTHING if journal is None else journal.step(name, *of)


def recalls() -> bool:
    """Whether the journal that is in force knows a step that has yet to begin."""
    journal = _JOURNAL.get()
    return journal is not None and journal.recalls


def kept(name: str, of: Sequence[Tensor], make: Callable[[], Value]) -> Value:
    """Return what a step comes to that cannot be gone on with: what is known of it, or what ``make`` gives."""
    step = begin_step(name, *of)
    if step.done is not None:
        return step.done
    value = make()
    step.ended(value)
    return value
