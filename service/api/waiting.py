"""Waiting for a job's next revision, woken by one subscription for all who wait in this process."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from service.jobstore import RevisionFeed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

    from service.contract.job import JobRecord, Revision
    from service.jobs.jobs import Jobs
    from service.jobstore import KeptJob


class Waiters:
    """Those who wait, by job. The client is for the subscription alone."""

    def __init__(self, client: redis.Redis) -> None:
        self._feed = RevisionFeed(client, self._hear)
        self._events: dict[str, set[asyncio.Event]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def start(self) -> None:
        """Be ready. Call it in the event loop that will wait."""
        self._loop = asyncio.get_running_loop()
        self._feed.start()

    def stop(self) -> None:
        """Wake everybody for the last time."""
        self._closed = True
        self._feed.stop()
        self._wake(None)

    async def wait(self, jobs: Jobs, job_id: str, seconds: float, enough: Callable[[JobRecord], bool]) -> KeptJob:
        """Read a job as soon as it is what the caller waits for, or as it is when the time is over.

        Raises
        ------
        JobNotFound
            There is no such job, or no longer.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        self._feed.listen(seconds)
        with self._watch(job_id) as event:
            while True:
                event.clear()  # before the read, so that a revision after it is heard
                job = await run_in_threadpool(jobs.kept, job_id)
                if self._closed or enough(job.record):
                    return job
                try:
                    async with asyncio.timeout_at(deadline):
                        await event.wait()
                except TimeoutError:
                    return job

    @contextmanager
    def _watch(self, job_id: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._events.setdefault(job_id, set()).add(event)
        try:
            yield event
        finally:
            others = self._events[job_id]
            others.discard(event)
            if not others:
                del self._events[job_id]

    def _hear(self, revision: Revision | None) -> None:
        """Pass a revision on from the subscription's thread to the event loop."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, None if revision is None else revision.job_id)

    def _wake(self, job_id: str | None) -> None:
        watched = self._events.values() if job_id is None else [self._events.get(job_id, set())]
        for events in watched:
            for event in events:
                event.set()
