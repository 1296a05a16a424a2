"""One call and its repetitions, without the connection: what `Client` and `AsyncClient` have in common.

`exchange` is a generator. It yields what is to be done next, a request to send or a pause to make, is told what came of
it, and returns what the call answers. The two clients differ in how they send and how they sleep, and in nothing else.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import httpx

from deeplimit.client.errors import ServiceError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

TIMEOUT_S: Final = 15.0
UPLOAD_S: Final = 180.0
"""An upload is answered when it has been read."""
RETRIES: Final = 6
"""Repetitions of one call; with their pauses they take some 15 s, long enough for a service that restarts."""
FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 8.0
LONGEST_RETRY_AFTER_S: Final = 60.0
"""A service that asks for a longer pause is not waited for: the error says when to try again."""
WORTH_RETRYING: Final = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


@dataclass(frozen=True)
class Call(Generic[T_co]):
    """A request, and what to make of its answer.

    Attributes
    ----------
    repeatable
        Whether it may be sent again when its answer was lost: it then changes nothing that the first has not.
    gone_is_done
        Whether 404 to a repetition means that the first was carried out.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], T_co]
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    timeout_s: float | None = None
    repeatable: bool = True
    gone_is_done: bool = False

    def request(self, default_timeout_s: float) -> dict[str, Any]:
        """Return the arguments of httpx's ``request``."""
        return {
            "method": self.method,
            "url": self.path,
            "params": self.params,
            "headers": self.headers,
            "content": self.content,
            "timeout": default_timeout_s if self.timeout_s is None else self.timeout_s,
        }


@dataclass(frozen=True)
class Pause:
    """Seconds to sleep before what comes next."""

    seconds: float


Outcome = httpx.Response | httpx.TransportError | None
"""What came of a step: an answer, a failure of the connection, or nothing, of a pause."""


def exchange(call: Call[T], base_url: str, retries: int = RETRIES) -> Generator[Call[T] | Pause, Outcome, T]:
    """Send a call until it is answered by more than "later", `retries` more times at most.

    Raises
    ------
    Unreachable
        There was no answer.
    ServiceError
        The answer was an error, leads elsewhere, or is not one of this service.
    """
    for attempt in range(retries + 1):
        outcome = yield call
        if isinstance(outcome, httpx.Response):
            if outcome.is_success or (
                outcome.status_code == HTTPStatus.NOT_MODIFIED and "If-None-Match" in call.headers
            ):
                return call.read(outcome)
            if attempt and call.gone_is_done and outcome.status_code == HTTPStatus.NOT_FOUND:
                return call.read(outcome)
            later = outcome.status_code in WORTH_RETRYING
            asked = retry_after(outcome) if later else None
            if not later or attempt == retries or (asked or 0.0) > LONGEST_RETRY_AFTER_S:
                raise ServiceError.of(outcome, asked)
            yield Pause(backoff(attempt) if asked is None else asked)
            continue
        if not isinstance(outcome, httpx.TransportError):
            raise TypeError("a call is answered by a response or a failure of the connection")
        if attempt == retries or not (call.repeatable or isinstance(outcome, httpx.ConnectError)):
            raise Unreachable(f"no answer from {base_url} ({str(outcome) or type(outcome).__name__})") from outcome
        yield Pause(backoff(attempt))
    raise AssertionError("the last attempt ends above")


def backoff(attempt: int) -> float:
    """Return the pause after an attempt that failed: twice as long each time, up to a bound, less a random part."""
    longest = min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S)
    return float(longest * (1 - 0.25 * random.random()))  # noqa: S311 - so that clients do not come back all at once


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds that an answer asks to wait; None where it does not say, or not in a way that is known."""
    text: str = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
