"""A job that is followed: what is asked next, what is news, and when to pause; both clients ask by it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from deeplimit.client import calls

if TYPE_CHECKING:
    from deeplimit.client.exchange import Call

Json = dict[str, Any]

BETWEEN_S: Final = 1.0
"""Shortest time from a question that brought nothing new to the next, where a proxy drops the wish to wait."""


class Following:
    """Where a job was last seen.

    Parameters
    ----------
    timeout
        Seconds after which the job is no longer waited for; None for as long as it takes.
    """

    def __init__(self, job_id: str, timeout: float | None) -> None:
        self._job_id = job_id
        self._timeout = timeout
        self._end = None if timeout is None else time.monotonic() + timeout
        self._asked = 0.0
        self._tag: str | None = None
        self._seen: object = None
        self._news = False
        self.done = False

    def question(self) -> Call[tuple[Json | None, str | None]]:
        """Return the call for what comes after what was seen."""
        self._asked = time.monotonic()
        return calls.next_job(self._job_id, self._tag, min(calls.WAIT_S, self._left()))

    def news(self, answer: tuple[Json | None, str | None]) -> Json | None:
        """Return the job if it is another than was seen last."""
        record, self._tag = answer
        revision = None if record is None else record.get("revision", record)
        self._news = record is not None and revision != self._seen
        if record is None or not self._news:
            return None
        self._seen, self.done = revision, record["done"]
        return record

    def pause(self) -> float:
        """Return the seconds to sleep before the next question: none after news, or after an answer that took its time.

        Raises
        ------
        TimeoutError
            The time is over.
        """
        left = self._left()
        if left < 0:
            raise TimeoutError(f"job {self._job_id} is not done after {self._timeout:g} s")
        early = 0.0 if self._news else BETWEEN_S - (time.monotonic() - self._asked)
        return max(0.0, min(early, left))

    def _left(self) -> float:
        return calls.WAIT_S if self._end is None else self._end - time.monotonic()
