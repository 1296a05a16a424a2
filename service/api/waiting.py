"""Waiting for a job's next revision, woken by one subscription for all who wait in this process.

An announcement says which revision a job has now and how it stands, so that nobody is woken who waits for something
else; those who are woken by the same one share one read of the record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from service.contract.job import Revision
from service.jobstore import RevisionFeed

if TYPE_CHECKING:
    from collections.abc import Iterable

    import redis

    from service.jobs.jobs import Jobs
    from service.jobstore import KeptJob

Enough = Callable[[Revision], bool]
"""Says of a revision whether it is what is waited for."""


@dataclass(eq=False)
class _Waiter:
    enough: Enough
    answer: asyncio.Future[KeptJob]
    woken: bool = True


@dataclass
class _Watched:
    """Those who wait for one job, and the one task that reads its record for them."""

    waiters: set[_Waiter] = field(default_factory=set)
    reading: asyncio.Task[None] | None = None


class Waiters:
    """Those who wait, by job. The client is for the subscription alone."""

    def __init__(self, client: redis.Redis) -> None:
        self._feed = RevisionFeed(client, self._hear)
        self._watched: dict[str, _Watched] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: Jobs | None = None
        self._closed = False

    def start(self, jobs: Jobs) -> None:
        """Be ready to read these jobs. Call it in the event loop that will wait."""
        self._loop, self._jobs = asyncio.get_running_loop(), jobs
        self._feed.start()

    def stop(self) -> None:
        """Wake everybody for the last time."""
        self._closed = True
        self._feed.stop()
        self._wake(None)

    async def wait(self, job_id: str, seconds: float, enough: Enough) -> KeptJob:
        """Read a job as soon as it is what the caller waits for, or as it is when the time is over.

        Raises
        ------
        JobNotFound
            There is no such job, or no longer.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        self._feed.listen(seconds)
        try:
            async with asyncio.timeout_at(deadline):
                return await self._read(job_id, enough)
        except TimeoutError:  # read once more: an announcement may have been lost
            return await self._read(job_id, lambda _: True)

    async def _read(self, job_id: str, enough: Enough) -> KeptJob:
        """Read a job now and whenever the feed says that it is worth it, until it is what the caller waits for."""
        waiter = _Waiter(enough, asyncio.get_running_loop().create_future())
        watched = self._watched.setdefault(job_id, _Watched())
        watched.waiters.add(waiter)
        self._look(job_id, watched)
        try:
            return await waiter.answer
        finally:
            watched.waiters.discard(waiter)
            if not watched.waiters and self._watched.get(job_id) is watched:
                del self._watched[job_id]

    def _look(self, job_id: str, watched: _Watched) -> None:
        if watched.reading is None:
            watched.reading = asyncio.get_running_loop().create_task(self._serve(job_id, watched))

    async def _serve(self, job_id: str, watched: _Watched) -> None:
        """Read the record for all who were woken, and again for those who were woken meanwhile."""
        assert self._jobs is not None  # noqa: S101 - for the type checker: nobody waits before the start
        while woken := [waiter for waiter in watched.waiters if waiter.woken]:
            for waiter in woken:
                waiter.woken = False  # before the read, so that a revision after it is heard
            try:
                job = await run_in_threadpool(self._jobs.kept, job_id)
            except Exception as failure:  # noqa: BLE001 - each of those who wait raises it
                for answer in _open(woken):
                    answer.set_exception(failure)
                continue
            record = job.record
            now = Revision(job_id=job_id, revision=record.revision, status=record.status)
            for answer in _open(waiter for waiter in woken if self._closed or waiter.enough(now)):
                answer.set_result(job)
        watched.reading = None

    def _hear(self, revision: Revision | None) -> None:
        """Pass a revision on from the subscription's thread to the event loop."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, revision)

    def _wake(self, revision: Revision | None) -> None:
        """Wake those who wait for this revision; for None everybody, as announcements may have been missed."""
        if revision is None:
            heard = list(self._watched.items())
        else:
            watched = self._watched.get(revision.job_id)
            heard = [] if watched is None else [(revision.job_id, watched)]
        for job_id, watched in heard:
            for waiter in watched.waiters:
                waiter.woken = waiter.woken or revision is None or waiter.enough(revision)
            if any(waiter.woken for waiter in watched.waiters):
                self._look(job_id, watched)


def _open(waiters: Iterable[_Waiter]) -> list[asyncio.Future[KeptJob]]:
    """Return where answers go, but for those whose requests were given up."""
    return [waiter.answer for waiter in waiters if not waiter.answer.done()]
