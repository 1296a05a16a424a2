"""Connections to Redis with time limits, so that a server that hangs is an error and not a hang."""

from typing import Any, Final

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

ANSWER_S: Final = 3.0
DAMAGED: Final = "backslashreplace"
"""What becomes of bytes that are no text: something readable, which fits no field, rather than an error."""
RETRIES: Final = 4
"""With their pauses they outlast a restart of the server. A server that hangs is not asked again."""


def connect(url: str) -> redis.Redis:
    """Client of the server at `url`. It opens no connection yet.

    A command whose connection is cut is sent again; every script of the job store can be replayed, so that is safe.
    """
    client: redis.Redis = redis.Redis.from_url(
        url,
        decode_responses=True,
        encoding_errors=DAMAGED,
        protocol=2,  # plain replies: nothing here needs RESP3, and older servers lack it
        socket_timeout=ANSWER_S,
        socket_connect_timeout=2.0,
        health_check_interval=15,
        **_keepalive(url),
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), RETRIES, supported_errors=(redis.ConnectionError,)),
    )
    return client


def connect_in_loop(url: str) -> redis.asyncio.Redis:
    """Client of the server at `url` for an event loop; otherwise as `connect`.

    Whoever sends a command bounds its time, to `ANSWER_S`. The client would itself, unless told otherwise, but makes a
    task of each command for that.
    """
    client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
        url,
        decode_responses=True,
        encoding_errors=DAMAGED,
        protocol=2,
        socket_timeout=None,
        socket_connect_timeout=2.0,
        health_check_interval=15,
        **_keepalive(url),
        retry=AsyncRetry(ExponentialBackoff(cap=0.2, base=0.02), RETRIES, supported_errors=(redis.ConnectionError,)),
    )
    return client


def _keepalive(url: str) -> dict[str, Any]:
    """Return the option for connections over a network; a socket in the file system knows none."""
    return {} if url.startswith("unix://") else {"socket_keepalive": True}
