"""How many connections the API's process has descriptors for."""

from __future__ import annotations

import logging
import resource
from typing import Final

LOG = logging.getLogger(__name__)

AT_A_TIME: Final = 100
"""Connections that are taken at a time: asyncio takes so many before it looks whether there is room for them."""
_IN_FLIGHT: Final = 3 * AT_A_TIME
"""Those that may be taken while the first of them are looked at."""
_OTHERS: Final = 100
"""Descriptors of files, pipes to children and connections to Redis."""
_MOST_DESCRIPTORS: Final = 16_384


def most_connections() -> int:
    """Raise this process's limit of descriptors as far as the system lets it, and return how many clients that serves.

    Without descriptors a server cannot take the connection that asks whether it lives, nor open a file for those that
    it has.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_MOST_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    clients = max(AT_A_TIME, most - _IN_FLIGHT - _OTHERS)
    LOG.info("at most %d connections at once, of %d descriptors", clients, soft)
    return clients
