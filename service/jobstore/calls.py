"""Calls of the job store's scripts: what one refuses is raised, and the job that it answers with is read."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import redis
from redis.commands.core import Script

from service.jobstore import keys, records, scripts
from service.jobstore.errors import (
    IdempotencyKeyReused,
    IllegalTransition,
    JobActive,
    JobFinished,
    JobLate,
    JobNotFound,
    JobStoreError,
    QueueFull,
    RecordNotUnderstood,
    StaleFence,
)

REFUSALS: Final[Mapping[str, type[JobStoreError]]] = MappingProxyType(
    {
        "unknown": JobNotFound,
        "finished": JobFinished,
        "active": JobActive,
        "stale": StaleFence,
        "illegal": IllegalTransition,
        "not_understood": RecordNotUnderstood,
        "reused": IdempotencyKeyReused,
        "full": QueueFull,
        "late": JobLate,
    }
)
"""What a script answers instead of a change, and how it is raised."""


class Calls:
    """The scripts of the job store, by name."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._scripts = scripts.load(client, __package__)

    def __getitem__(self, name: str) -> Script:
        return self._scripts[name]

    def change(self, script: str, *args: str | int) -> tuple[str, Mapping[str, str]]:
        """Run a script, and return its answer and the fields of the job's hash, if it gave any; raise a refusal."""
        code, *flat = self._scripts[script](args=list(args))
        refuse(code, *flat)
        return code, records.from_flat(flat[0]) if flat else {}

    def fields(self, job_id: str) -> Mapping[str, str]:
        """Read the fields of a job's hash; none where there is no such job.

        Raises
        ------
        RecordNotUnderstood
            What is there is no hash.
        """
        return hash_of(self._redis, keys.JOB + job_id)


def hash_of(client: redis.Redis, key: str) -> Mapping[str, str]:
    """Read a hash; it is empty where there is nothing.

    Raises
    ------
    RecordNotUnderstood
        What is there is no hash.
    """
    try:
        found: Mapping[str, str] = client.hgetall(key)  # type: ignore[assignment]  # sync client
    except redis.ResponseError as failure:
        if not is_of_another_type(failure):
            raise
        raise RecordNotUnderstood from failure
    return found


def refuse(code: str, flat: Sequence[str] = (), *_: Any) -> None:
    """Raise what a script's answer refuses, if it does, with the job's record where it came with it."""
    if code in REFUSALS:
        raise REFUSALS[code](records.decode(records.from_flat(flat)) if flat else None)


def is_of_another_type(failure: Exception) -> bool:
    """Whether the server refused a command because a key holds something of another type."""
    return isinstance(failure, redis.ResponseError) and str(failure).startswith("WRONGTYPE")
