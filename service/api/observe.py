"""Around every request: its id, its duration, and the answer when our own code fails."""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

import redis
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.requests import Request

from service.api.problems import internal_error, respond

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from service.jobstore import JobStore

LOG = logging.getLogger(__name__)
REQUEST_ID = "X-Request-ID"
_GIVEN_ID = re.compile(r"[A-Za-z0-9_.-]{1,100}")


class RequestMetrics:
    """Requests by route and status, and how long they took, in seconds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route", "status")
        self._duration = Histogram(
            "deeplimit_http_request_duration_seconds",
            "Duration of requests, waits included.",
            labels,
            registry=registry,
        )
        self._failures = Counter("deeplimit_http_failures", "Requests that failed in our own code.", registry=registry)

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one request, whose scope says after routing which route it took."""
        route = getattr(scope.get("route"), "path", "unknown")
        method = scope["method"] if route != "unknown" else "other"  # anybody can make up a method
        self._duration.labels(method, route, str(status)).observe(seconds)

    def failed(self) -> None:
        """Count a fault of ours."""
        self._failures.inc()


class StoreCollector(Collector):
    """What the job store knows, read when somebody asks for metrics."""

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand: the registry would otherwise collect, and so ask the store, to find out."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield jobs by status, jobs that wait, and live workers."""
        try:
            counts, queued, workers = self._store.counts(), self._store.queued(), self._store.workers()
            set_aside = self._store.strays()
        except redis.RedisError as error:  # the requests are worth showing all the more
            LOG.warning("no metrics of the job store: %s", error)
            return
        jobs = GaugeMetricFamily("deeplimit_jobs", "Jobs by status.", labels=["status"])
        for status, count in counts.items():
            jobs.add_metric([status], count)
        yield jobs
        yield GaugeMetricFamily("deeplimit_queue_depth", "Jobs that wait.", value=queued)
        strays = GaugeMetricFamily(
            "deeplimit_stray_entries", "Entries set aside because no record fits them.", labels=["place"]
        )
        for place, count in set_aside.items():
            strays.add_metric([place], count)
        yield strays
        yield GaugeMetricFamily("deeplimit_workers", "Live workers.", value=len(workers))


class Observer:
    """ASGI middleware, the outermost."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(scope["headers"])
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0
        start = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (REQUEST_ID.lower().encode(), request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:  # the outermost frame of a request: whatever it is, the client gets an answer
            self._metrics.failed()
            LOG.exception("request %s failed", request_id)
            if status:  # too late for another answer
                raise
            await respond(internal_error(), Request(scope))(scope, receive, send_with_id)
        finally:
            self._metrics.observe(scope, status, time.perf_counter() - start)


def request_id_of(headers: list[tuple[bytes, bytes]]) -> str:
    """Return the id that a request gives itself, if it can be one, else a new one."""
    given: Any = next((value for name, value in headers if name == REQUEST_ID.lower().encode()), b"")
    text = given.decode("latin-1")
    return text if _GIVEN_ID.fullmatch(text) else secrets.token_hex(8)
