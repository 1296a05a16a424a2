"""The client for scripts and notebooks, whose calls return when they are answered."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from deeplimit.client import calls, connection
from deeplimit.client.exchange import RETRIES, TIMEOUT_S, Pause, exchange
from deeplimit.client.following import Following
from deeplimit.client.job import Job
from deeplimit.client.records import Dataset
from deeplimit.client.uploads import upload_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from deeplimit.client.exchange import Call, Outcome

T = TypeVar("T")


class Client:
    """A service of deeplimit; close it, or use it as a context manager.

    A call that meets a broken connection or a service that is busy is repeated with growing pauses: repeating changes
    nothing that the first has not, a submission included. What is in the way in the end is raised: `Unreachable`, or
    `ServiceError` with the problem as the service wrote it.

    Parameters
    ----------
    url
        Where the service is; unless given, ``DEEPLIMIT_URL``, or port 8000 of this machine.
    key
        Sent as a bearer token, where something before the service asks for one.
    timeout
        Seconds without a byte after which the connection counts as lost; uploads, reports and waits have their own.
    retries
        Repetitions of a call.
    """

    def __init__(
        self, url: str | None = None, key: str | None = None, *, timeout: float = TIMEOUT_S, retries: int = RETRIES
    ) -> None:
        self.url = connection.address(url)
        self._timeout = timeout
        self._retries = retries
        self._http = httpx.Client(**connection.settings(self.url, key))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the client itself: copies of what holds it, as scikit-learn makes them, share its connections."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the address and not the key, which has no place in a file."""
        return partial(type(self), self.url, timeout=self._timeout, retries=self._retries), ()

    def __repr__(self) -> str:
        return f"<Client of {self.url}>"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(self, call: Call[T]) -> T:
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
                time.sleep(step.seconds)
                outcome = None
                continue
            try:
                outcome = self._http.request(**step.request(self._timeout))
            except httpx.TransportError as failure:
                outcome = failure

    def submit(self, spec: Mapping[str, Any] | bytes | str, *, idempotency_key: str | None = None) -> Job:
        """Create a job from a specification, or from the text of a JSON document.

        The call carries an idempotency key, its own unless one is given, so that repeating it creates one job.
        """
        return Job(self.ask(calls.submit(spec, idempotency_key)), self)

    def plan(self, spec: Mapping[str, Any] | bytes | str) -> dict[str, Any]:
        """The resolved specification and an estimate of its cost; nothing is queued."""
        return self.ask(calls.plan(spec))

    def job(self, job_id: str) -> Job:
        """Return the job as it is now."""
        return Job(self.ask(calls.job(job_id)), self)

    def jobs(
        self,
        *,
        status: str | None = None,
        kind: str | None = None,
        external_id: str | None = None,
        created_after: str | None = None,
        left_out: Callable[[int], object] | None = None,
    ) -> Iterator[Job]:
        """Yield the jobs, newest first, without their specifications, as they are asked for.

        `left_out` is called with the number of those, in each part of the list, whose records the service cannot read.
        """
        filters = {"status": status, "kind": kind, "external_id": external_id, "created_after": created_after}
        for record in self._pages(lambda cursor: calls.jobs(cursor, filters), left_out):
            yield Job(record, self)

    def follow(self, job_id: str, *, timeout: float | None = None) -> Iterator[Job]:
        """Yield the job now and at every later revision that is seen, the last of them done.

        Each step is a long poll, so a change arrives when it happens. A service that restarts in between is waited for.

        Raises
        ------
        TimeoutError
            The job was not done within `timeout` seconds; it goes on.
        """
        following = Following(job_id, timeout)
        while True:
            record = following.news(self.ask(following.question()))
            if record is not None:
                yield Job(record, self)
            if following.done:
                return
            time.sleep(following.pause())

    def upload(
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
        what = upload_of(data, targets, inputs=list(inputs), inputs_only=inputs_only, **said)
        return Dataset(self.ask(calls.upload(what)))

    def datasets(self, *, left_out: Callable[[int], object] | None = None) -> Iterator[Dataset]:
        """Yield every data set, newest first; `left_out` as for `jobs`."""
        for record in self._pages(calls.datasets, left_out):
            yield Dataset(record)

    def dataset(self, dataset_id: str) -> Dataset:
        """What is known of one data set."""
        return Dataset(self.ask(calls.dataset(dataset_id)))

    def preview(self, dataset_id: str) -> dict[str, Any]:
        """Columns of a data set with their types and ranges, and its first rows."""
        return self.ask(calls.dataset(dataset_id, "/preview"))

    def delete_dataset(self, dataset_id: str) -> None:
        """Delete a data set; jobs that were given it keep their own copy."""
        self.ask(calls.delete_dataset(dataset_id))

    def capabilities(self) -> dict[str, Any]:
        """What can be asked for, and the devices of the workers that are there."""
        return self.ask(calls.capabilities())

    def _pages(self, page: Any, left_out: Callable[[int], object] | None) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            answer = self.ask(page(cursor))
            if left_out is not None and (unread := answer.get("left_out", 0)):
                left_out(unread)
            yield from answer["items"]
            cursor = answer["next_cursor"]
            if cursor is None:
                return
