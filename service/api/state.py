"""What the routes work with: made when the application starts, and reached from a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import anyio
from fastapi import Depends, Request

from service.api.links import Links
from service.contract.data.dataset import UploadFormat
from service.datasets.datasets import Datasets
from service.datasets.uploads import child as uploads
from service.jobs.jobs import Jobs
from service.scratch import Scratch

if TYPE_CHECKING:
    from fastapi import FastAPI
    from prometheus_client import CollectorRegistry

    from service.api.routes.offers import Offers
    from service.api.waiting import Waiters
    from service.jobs.quick import QuickJobs
    from service.rendering.child import Pictures


class UploadTurns:
    """Turns of uploads to be read. Small CSVs have turns of their own, so that none waits for what takes long."""

    def __init__(self) -> None:
        self.small = anyio.CapacityLimiter(uploads.SMALL_AT_ONCE)
        self.large = anyio.CapacityLimiter(uploads.AT_ONCE)

    def of(self, kind: UploadFormat, size: int) -> anyio.CapacityLimiter:
        """Return whose turns an upload of so many bytes takes."""
        return self.small if kind is UploadFormat.CSV and size <= uploads.SMALL else self.large


@dataclass(frozen=True, slots=True)
class ServiceState:
    """The parts of a running service; turns bound how much is done at once of what takes much."""

    jobs: Jobs
    quick: QuickJobs
    datasets: Datasets
    waiters: Waiters
    scratch: Scratch
    upload_turns: UploadTurns
    rendering_turns: anyio.CapacityLimiter
    planning_turns: anyio.CapacityLimiter
    onnx_turns: anyio.CapacityLimiter
    grid_turns: anyio.CapacityLimiter
    pictures: Pictures
    offers: Offers
    links: Links
    registry: CollectorRegistry

    def install(self, app: FastAPI) -> None:
        """Give an application this state."""
        app.state.service = self


def state_of(request: Request) -> ServiceState:
    """Return what an application works with."""
    state: ServiceState = request.app.state.service
    return state


# asynchronous, as FastAPI would send plain ones through its thread pool
async def _state(request: Request) -> ServiceState:
    return state_of(request)


async def _jobs(request: Request) -> Jobs:
    return state_of(request).jobs


async def _datasets(request: Request) -> Datasets:
    return state_of(request).datasets


async def _scratch(request: Request) -> Scratch:
    return state_of(request).scratch


async def _links(request: Request) -> Links:
    return state_of(request).links


State = Annotated[ServiceState, Depends(_state)]
JobsOf = Annotated[Jobs, Depends(_jobs)]
ScratchOf = Annotated[Scratch, Depends(_scratch)]
DatasetsOf = Annotated[Datasets, Depends(_datasets)]
LinksOf = Annotated[Links, Depends(_links)]
