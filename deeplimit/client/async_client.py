"""The client for programs with an event loop, that of asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from deeplimit.client import calls, connection
from deeplimit.client.async_job import AsyncJob
from deeplimit.client.exchange import RETRIES, TIMEOUT_S, Pause, exchange
from deeplimit.client.following import Following
from deeplimit.client.records import Dataset
from deeplimit.client.uploads import upload_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from types import TracebackType

    from deeplimit.client.exchange import Call, Outcome

T = TypeVar("T")


class AsyncClient:
    """As :class:`deeplimit.Client`, with methods to be awaited, and iterators for ``async for``."""

    def __init__(
        self, url: str | None = None, key: str | None = None, *, timeout: float = TIMEOUT_S, retries: int = RETRIES
    ) -> None:
        self.url = connection.address(url)
        self._timeout = timeout
        self._retries = retries
        self._http = httpx.AsyncClient(**connection.settings(self.url, key))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncClient of {self.url}>"

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def ask(self, call: Call[T]) -> T:
        """Carry out a call of :mod:`deeplimit.client.calls`."""
        steps = exchange(call, self.url, self._retries)
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                answer: T = end.value
                return answer
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                outcome = None
                continue
            try:
                outcome = await self._http.request(**step.request(self._timeout))
            except httpx.TransportError as failure:
                outcome = failure

    async def submit(self, spec: Mapping[str, Any] | bytes | str, *, idempotency_key: str | None = None) -> AsyncJob:
        """Create a job from a specification, or from the text of a JSON document.

        The call carries an idempotency key, its own unless one is given, so that repeating it creates one job.
        """
        return AsyncJob(await self.ask(calls.submit(spec, idempotency_key)), self)

    async def plan(self, spec: Mapping[str, Any] | bytes | str) -> dict[str, Any]:
        """The resolved specification and an estimate of its cost; nothing is queued."""
        return await self.ask(calls.plan(spec))

    async def job(self, job_id: str) -> AsyncJob:
        """Return the job as it is now."""
        return AsyncJob(await self.ask(calls.job(job_id)), self)

    async def jobs(
        self,
        *,
        status: str | None = None,
        kind: str | None = None,
        external_id: str | None = None,
        created_after: str | None = None,
        left_out: Callable[[int], object] | None = None,
    ) -> AsyncIterator[AsyncJob]:
        """Yield the jobs, newest first, without their specifications, as they are asked for.

        `left_out` is called with the number of those, in each part of the list, whose records the service cannot read.
        """
        filters = {"status": status, "kind": kind, "external_id": external_id, "created_after": created_after}
        async for record in self._pages(lambda cursor: calls.jobs(cursor, filters), left_out):
            yield AsyncJob(record, self)

    async def follow(
        self,
        job_id: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - as the client has it
    ) -> AsyncIterator[AsyncJob]:
        """Yield the job now and at every later revision that is seen, the last of them done.

        Each step is a long poll, so a change arrives when it happens. A service that restarts in between is waited for.

        Raises
        ------
        TimeoutError
            The job was not done within `timeout` seconds; it goes on.
        """
        following = Following(job_id, timeout)
        while True:
            record = following.news(await self.ask(following.question()))
            if record is not None:
                yield AsyncJob(record, self)
            if following.done:
                return
            await asyncio.sleep(following.pause())

    async def upload(
        self,
        data: Any,
        targets: Any = None,
        *,
        name: str | None = None,
        inputs: Sequence[str] = (),
        inputs_only: bool = False,
        header: str | None = None,
        missing: str | None = None,
        categorical: str | None = None,
        format: str | None = None,  # noqa: A002 - the parameter's name in the contract
    ) -> Dataset:
        """Upload a data set, or the weights of a network, and return what is known of it.

        Parameters
        ----------
        data, targets
            A file by its path, bytes with their `format`, arrays ``upload(X, y)``, arrays by name in a mapping, or a
            data frame and the name of its targets, ``upload(frame, "species")``.
        name, inputs, inputs_only, header, missing, categorical
            As the parameters of ``POST /v1/datasets``.
        """
        said = {"name": name, "header": header, "missing": missing, "categorical": categorical, "format": format}
        what = await asyncio.to_thread(upload_of, data, targets, inputs=list(inputs), inputs_only=inputs_only, **said)
        return Dataset(await self.ask(calls.upload(what)))

    async def datasets(self, *, left_out: Callable[[int], object] | None = None) -> AsyncIterator[Dataset]:
        """Yield every data set, newest first; `left_out` as for `jobs`."""
        async for record in self._pages(calls.datasets, left_out):
            yield Dataset(record)

    async def dataset(self, dataset_id: str) -> Dataset:
        """What is known of one data set."""
        return Dataset(await self.ask(calls.dataset(dataset_id)))

    async def preview(self, dataset_id: str) -> dict[str, Any]:
        """Columns of a data set with their types and ranges, and its first rows."""
        return await self.ask(calls.dataset(dataset_id, "/preview"))

    async def delete_dataset(self, dataset_id: str) -> None:
        """Delete a data set; jobs that were given it keep their own copy."""
        await self.ask(calls.delete_dataset(dataset_id))

    async def capabilities(self) -> dict[str, Any]:
        """What can be asked for, and the devices of the workers that are there."""
        return await self.ask(calls.capabilities())

    async def _pages(self, page: Any, left_out: Callable[[int], object] | None) -> AsyncIterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            answer = await self.ask(page(cursor))
            if left_out is not None and (unread := answer.get("left_out", 0)):
                left_out(unread)
            for record in answer["items"]:
                yield record
            cursor = answer["next_cursor"]
            if cursor is None:
                return
