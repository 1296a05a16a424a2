"""Whether job store and objects belong together: both hold the same id, given to them when they were first met."""

import secrets
from typing import Protocol

import redis

from service.jobstore import keys


class StoresApartError(Exception):
    """The objects are not those of the job store: whoever used both would make results that nobody else finds."""


class Objects(Protocol):
    """The store of objects, as much of it as this is about."""

    location: str

    def identity(self) -> str | None:
        """Return the id that it holds."""

    def identify(self, identity: str) -> str:
        """Have it hold an id unless it has one, and return the one that it holds."""


def check_together(client: redis.Redis, objects: Objects) -> None:
    """Compare the ids of job store and objects, and give them one where neither has any.

    A job store without an id takes that of the objects: it is new, or was lost.

    Raises
    ------
    StoresApartError
        They are different, or only the job store has one.
    redis.RedisError
        The server cannot be reached.
    """
    known = client.get(keys.STORE)
    found = objects.identity()
    if found is None and known is None:
        found = objects.identify(secrets.token_hex(16))
    if found is not None:
        client.set(keys.STORE, found, nx=True)
        known = client.get(keys.STORE)
    if found != known:
        raise StoresApartError(
            f"the objects in {objects.location} are not those of the jobs in Redis: every API and worker on one Redis"
            " must have the same DEEPLIMIT_ARTIFACTS_URL or DEEPLIMIT_DATA_DIR"
        )
