"""Small specifications that refer to nothing, from body to job without leaving the event loop.

To hand a request to a thread and back takes longer than to plan such a job.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from service.jobs.planning.prepared import prepare

if TYPE_CHECKING:
    import redis.asyncio

    from service.contract.values.limits import Limits
    from service.jobs.jobs import Jobs
    from service.jobstore import KeptJob

LARGEST: Final = 8 * 2**10
"""Bytes of a body that is planned in the event loop: that takes a few milliseconds at the worst."""


class _RefersError(Exception):
    """The specification refers to something, which takes a thread to look up."""


@dataclass(frozen=True, slots=True)
class _Nothing:
    """What a specification may refer to here (`service.contract.plan.References`)."""

    limits: Limits

    def dataset(self, dataset_id: str) -> NoReturn:
        raise _RefersError(dataset_id)

    def job(self, job_id: str) -> NoReturn:
        raise _RefersError(job_id)

    def results(self, record: Any) -> NoReturn:
        raise _RefersError(record)


class QuickJobs:
    """Queues jobs in an event loop, by a client of that loop."""

    def __init__(self, jobs: Jobs, client: redis.asyncio.Redis) -> None:
        self._jobs = jobs
        self._client = client
        self._nothing = _Nothing(jobs.limits)

    async def submit(self, body: bytes) -> KeptJob | None:
        """Queue the job that a JSON body specifies, or return None where `Jobs.submit` has to: nothing was done then.

        Raises
        ------
        BodyRefusedError, SpecInvalidError, QueueFull
            Nothing was queued.
        """
        if len(body) > LARGEST:
            return None
        try:
            plan = prepare(body, self._nothing)
        except _RefersError:
            return None
        if plan.given or plan.cuda_at is not None:
            return None
        return await self._jobs.store.create_in_loop(
            self._client,
            plan.job(),
            body_sha256=hashlib.sha256(body).hexdigest(),
            hint=self._jobs.hint(),
        )
