"""Jobs below whose name objects may lie that no record names: what a request or an attempt wrote that was cut off.

A job's objects are written before its record, and an attempt's before its end, and no write covers both. So an id is
announced before the objects that a job is given are written, and by the script that ends a job which had several
attempts or has no results. It is settled when these objects have been looked through.
"""

from collections.abc import Sequence
from typing import Final

import redis

from service.jobstore import keys, scripts
from service.jobstore.times import seconds_to_microseconds

AT_ONCE: Final = 100


class Unsettled:
    """The announcements of jobs in one Redis server; every method may raise ``redis.RedisError``."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._scripts = scripts.load(client, __package__)

    def announce(self, job_id: str) -> None:
        """Say that objects are about to be written for a job that is still to be made."""
        self._scripts["announce"](args=[job_id])

    def entries(self, lost_after_s: float, *, beside: int = 0) -> Sequence[tuple[str, int | None]]:
        """Jobs to look through, some of them: a hundred, and `beside` more.

        A job without a record counts as one that is never made `lost_after_s` seconds after its announcement.

        Returns
        -------
        Sequence
            Ids, each with the fence of the attempt whose results stay, 0 for none; None where there is no such job.
        """
        reply = self._scripts["unsettled"](args=[seconds_to_microseconds(lost_after_s), AT_ONCE + beside])
        return [(job_id, int(fence) if fence else None) for job_id, fence in reply]

    def settle(self, job_id: str) -> None:
        """Withdraw an announcement: nothing lies there that no record names."""
        self._redis.zrem(keys.UNSETTLED_JOBS, job_id)
