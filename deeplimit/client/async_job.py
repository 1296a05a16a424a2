"""A job, with the asynchronous client that it was read by."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from deeplimit.client import calls
from deeplimit.client.arrays import histories, keep
from deeplimit.client.progress import progress_of
from deeplimit.client.records import JobRecord
from deeplimit.client.results import Results

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from deeplimit.client.exchange import Call

T = TypeVar("T")


class Asking(Protocol):
    """What a job needs of the client that it was read by."""

    async def ask(self, call: Call[T]) -> T:
        """Carry out a call."""

    def follow(self, job_id: str, *, timeout: float | None = None) -> AsyncIterator[JobRecord]:
        """Yield the job at every revision until it is done."""


class AsyncJob(JobRecord):
    """A job; its fields are as of when it was last read, by :meth:`refresh`, :meth:`wait` or :meth:`cancel`."""

    def __init__(self, record: Mapping[str, Any], client: Asking) -> None:
        super().__init__(record)
        self._client = client

    async def refresh(self) -> Self:
        """Read the job as it is now."""
        self.record = await self._client.ask(calls.job(self.id))
        return self

    async def wait(
        self,
        *,
        progress: bool | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as the client has it
    ) -> Self:
        """Wait until the job is done.

        Parameters
        ----------
        progress
            Whether to show how it gets on; unless said, on a terminal and in a notebook.
        timeout
            Seconds to wait at most; unless said, for as long as it takes.

        Raises
        ------
        JobFailed
            It failed, or was cancelled.
        TimeoutError
            It was not done in time; it goes on.
        """
        with progress_of(progress) as shown:
            async for now in self._client.follow(self.id, timeout=timeout):
                self.record = now.record
                shown.show(self)
        self.check()
        return self

    async def cancel(self) -> Self:
        """Ask for the job to be cancelled."""
        self.record = await self._client.ask(calls.cancel(self.id))
        return self

    async def delete(self) -> None:
        """Remove the job, which has to be done, its record and its artifacts."""
        await self._client.ask(calls.delete(self.id))

    async def results(self) -> Results:
        """Models, diagnostics and provenance of a job that succeeded."""
        return Results(await self._client.ask(calls.results(self.id)))

    async def losses(self) -> dict[str, dict[str, NDArray[np.float64]]]:
        """Objective, its parts and the gradient norm at every iteration, by model and name."""
        return histories(await self._client.ask(calls.losses(self.id)))

    async def parameters(self, model: str, *, grid: int | None = None) -> dict[str, NDArray[Any]]:
        """Fitted parameters of one model: layers, or coefficients and on a `grid` ``grid_K``, ``grid_b``."""
        return await self._client.ask(calls.arrays(self.id, "parameters", model, grid))

    async def predictions(self, model: str) -> dict[str, NDArray[Any]]:
        """Predictions of one model of an evaluation."""
        return await self._client.ask(calls.arrays(self.id, "predictions", model))

    async def states(self, model: str) -> dict[str, NDArray[Any]]:
        """Trajectories of one model of an evaluation."""
        return await self._client.ask(calls.arrays(self.id, "states", model))

    async def plots(self) -> dict[str, Any]:
        """Return which plots there are, and why others are not."""
        return await self._client.ask(calls.plots(self.id))

    async def plot(self, name: str, form: str = "svg") -> bytes:
        """One plot as ``svg``, ``png``, ``pdf``, ``json`` (its data) or ``vega`` (a Vega-Lite specification)."""
        return await self._client.ask(calls.plot(self.id, name, form))

    async def report(self, path: str | Path | None = None) -> Path:
        """Write the report, one HTML file, and return where it is: `path`, or named after the job."""
        content = await self._client.ask(calls.report(self.id))
        return await asyncio.to_thread(keep, content, path, f"deeplimit-{self.id}.html")

    async def export(
        self,
        path: str | Path | None = None,
        *,
        model: str | None = None,
        format: str = "zip",  # noqa: A002 - the parameter's name in the contract
        steps: int | None = None,
    ) -> Path:
        """Write one trained model, to be used elsewhere, and return where it is.

        Parameters
        ----------
        model
            ``discrete-64`` or ``continuum``; unless given, the network of the depth that the verdict answers with.
        format
            ``zip``: weights, code, card, report and metadata. ``onnx``: the graph alone.
        steps
            Of the continuum in ONNX; unless given, those that resolve it.
        """
        name = f"deeplimit-{self.id}{'' if model is None else f'-{model}'}.{format}"
        content = await self._client.ask(calls.export(self.id, model, format, steps))
        return await asyncio.to_thread(keep, content, path, name)
