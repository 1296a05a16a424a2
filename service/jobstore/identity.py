"""Whether job store and objects belong together: both hold the same id, which the API gives them."""

import secrets
from typing import Protocol

import redis

from service.jobstore import keys


class StoresApartError(Exception):
    """The objects are not those of the job store: whoever used both would make results that nobody else finds."""


class StoresUnnamedError(Exception):
    """One of the stores has no id yet, so that nothing says whether they belong together."""


class Objects(Protocol):
    """The store of objects, as much of it as this is about."""

    location: str

    def identity(self) -> str | None:
        """Return the id that it holds."""

    def identify(self, identity: str) -> str:
        """Have it hold an id unless it has one, and return the one that it holds."""


def check_together(client: redis.Redis, objects: Objects, *, name: bool) -> bool:
    """Compare the ids of job store and objects.

    Parameters
    ----------
    name
        Whether to give them an id where neither has any, and to give that of the objects to a job store without one,
        which is new or was lost. It is for the API, whose objects are the right ones: a worker on another directory
        would have the API refused if it came first.

    Returns
    -------
    bool
        Whether the job store was given the id of objects that were there before it.

    Raises
    ------
    StoresApartError
        They are different, or only the job store has one.
    StoresUnnamedError
        The job store has none, and is not to be given one.
    redis.RedisError
        The server cannot be reached.
    """
    known = client.get(keys.STORE)
    found = objects.identity()
    anew = known is None and found is not None
    if known is None:
        if not name:
            raise StoresUnnamedError("the job store has no id yet, which an API gives it that is started")
        found = found or objects.identify(secrets.token_hex(16))
        client.set(keys.STORE, found, nx=True)
        known = client.get(keys.STORE)
    if found != known:
        raise StoresApartError(
            f"the objects in {objects.location} are not those of the jobs in Redis: every API and worker on one Redis"
            " must have the same DEEPLIMIT_ARTIFACTS_URL or DEEPLIMIT_DATA_DIR. If they are the right ones all the"
            f" same, put their object store-id back, or delete the key {keys.STORE} in Redis and start the API first"
        )
    return anew
