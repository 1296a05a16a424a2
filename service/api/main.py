"""The HTTP application."""

from __future__ import annotations

import logging
import tempfile
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import redis
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from service.api import problems
from service.api.doors import Cors, Doors, Seal
from service.api.forms import parameters
from service.api.links import Links
from service.api.observe import Observer, RequestMetrics, StoreCollector
from service.api.openapi import document
from service.api.routes import capabilities, datasets, health, jobs, page, plots, results, takeaway
from service.api.routes.offers import Offers
from service.api.state import ServiceState, UploadTurns
from service.api.targets import Targets
from service.api.waiting import Waiters
from service.artifacts import ArtifactStore, StorageError
from service.config import Settings
from service.contract.values.limits import LIMITS, Limits
from service.datasets.datasets import Datasets
from service.datasets.store import DatasetStore
from service.export import onnx_child
from service.jobs.beside import name_stores
from service.jobs.dispatch import Dispatcher
from service.jobs.jobs import Jobs
from service.jobs.planning import child as planning
from service.jobs.plans import Planner
from service.jobs.quick import QuickJobs
from service.jobs.reconciler import Reconciler
from service.jobs.sweeper import Sweeper
from service.jobstore import JobStore, connect, connect_in_loop
from service.rendering import child as rendering
from service.scratch import Scratch
from service.version import VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOG = logging.getLogger(__name__)
DESCRIPTION = "Trains residual networks of growing depth and their continuum limit, and measures whether they converge."


def create_app(settings: Settings | None = None, limits: Limits = LIMITS) -> FastAPI:
    """Make the application, with settings from the environment unless given. It connects when it starts."""
    settings = settings or Settings()
    prefix = settings.root_path or ""
    registry = CollectorRegistry()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        redis_url, client, artifacts = open_stores(settings)
        store = JobStore(
            client,
            lease_s=settings.lease_s,
            max_crashes=settings.max_crashes,
            max_outages=settings.max_outages,
            max_queued=settings.max_queued,
        )
        dispatcher = Dispatcher(redis_url, client)
        waiters = Waiters(connect(redis_url))  # its own: its thread may outlive the others by some seconds
        collector = StoreCollector(store)
        scratch = Scratch(settings.data_dir)
        datasets = Datasets(DatasetStore(client), artifacts, limits, scratch)
        reconciler = Reconciler(store, dispatcher, interval_s=settings.reconcile_s)
        sweeper = Sweeper(store, artifacts, datasets, scratch, interval_s=settings.reconcile_s)
        kept = Jobs(store, artifacts, dispatcher, Planner(store, artifacts, datasets, limits))
        in_loop = connect_in_loop(redis_url)
        ServiceState(
            jobs=kept,
            quick=QuickJobs(kept, in_loop),
            datasets=datasets,
            waiters=waiters,
            scratch=scratch,
            upload_turns=UploadTurns(),
            rendering_turns=anyio.CapacityLimiter(rendering.AT_ONCE),
            planning_turns=anyio.CapacityLimiter(planning.AT_ONCE),
            onnx_turns=anyio.CapacityLimiter(onnx_child.AT_ONCE),
            grid_turns=anyio.CapacityLimiter(parameters.GRIDS_AT_ONCE),
            pictures=rendering.Pictures(),
            offers=Offers(limits),
            links=Links(prefix),
            registry=registry,
        ).install(app)
        registry.register(collector)
        reconciler.start()
        sweeper.start()
        waiters.start(kept)
        try:
            yield
        finally:
            waiters.stop()
            reconciler.stop()
            sweeper.stop()
            dispatcher.close()
            registry.unregister(collector)
            client.close()
            await in_loop.aclose()
            scratch.close()

    app = FastAPI(
        title="deeplimit",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        servers=[{"url": prefix}] if prefix else None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.add_middleware(Targets, prefix=prefix)
    app.add_middleware(Doors, settings=settings)
    app.add_middleware(Observer, metrics=RequestMetrics(registry))
    if settings.cors_origins is not None:  # around these, so that a page can read the answer when our own code fails
        app.add_middleware(Cors, origins=settings.cors_origins.split(","))
    app.add_middleware(Seal)
    problems.install(app)
    routes = (jobs, results, plots, takeaway, datasets, capabilities)
    for router in (module.router for module in routes):
        app.include_router(router)
    app.include_router(health.router)  # probes may add what they like
    if settings.page:
        app.include_router(page.router)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]  # the way FastAPI's manual has it
    return app


class NotConfiguredError(Exception):
    """A setting is missing that the API cannot do without."""


def open_stores(settings: Settings) -> tuple[str, redis.Redis, ArtifactStore]:
    """Open job store and objects, and return them after the address of the former. What is away is waited for later.

    Raises
    ------
    NotConfiguredError, StorageError, StoresApartError
        There is no address, no objects can be kept at theirs, or the two belong to different services.
    """
    if settings.redis_url is None:
        raise NotConfiguredError("DEEPLIMIT_REDIS_URL is not set; `deeplimit serve` sets it")
    artifacts, client = ArtifactStore.of(settings), connect(settings.redis_url)
    with suppress(FileNotFoundError):
        tempfile.gettempdir()  # found by writing, and then remembered: once the disk is full it could not be
    try:
        name_stores(client, artifacts)
    except (redis.RedisError, StorageError) as failure:
        LOG.warning("one of the stores does not answer yet: %s", failure)
    return settings.redis_url, client, artifacts
