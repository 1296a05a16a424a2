"""Probes and metrics."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import PlainTextResponse, Response

from service.api.routes.common import Responses, answers, json_response, problems
from service.api.state import JobsOf, State
from service.api.views import Health
from service.jobs.beside import name_stores

router = APIRouter(tags=["service"])

_TEXT: Responses = {200: {"description": "Prometheus text.", "content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get(
    "/livez",
    response_model=None,
    summary="Is the process alive?",
    responses=answers(HTTPStatus.OK, "It is.", "Health") | problems(),
)
async def livez() -> Response:
    """Answer without asking anybody."""
    return json_response(Health(status="alive").model_dump_json())


@router.get(
    "/readyz",
    response_model=None,
    summary="Can jobs be accepted?",
    responses=answers(HTTPStatus.OK, "They can.", "Health") | problems(HTTPStatus.SERVICE_UNAVAILABLE),
)
def readyz(jobs: JobsOf) -> Response:
    """Write to the job store and to the store of objects, and look whether these belong together."""
    jobs.store.ready()
    jobs.artifacts.probe()
    name_stores(jobs.store.redis, jobs.artifacts)
    return json_response(Health(status="ready").model_dump_json())


@router.get(
    "/metrics",
    response_model=None,
    response_class=PlainTextResponse,
    summary="Read the metrics",
    responses=_TEXT | problems(),
)
def metrics(service: State) -> Response:
    """Read jobs by status, queue depth, workers and request durations."""
    return Response(generate_latest(service.registry), media_type=CONTENT_TYPE_LATEST)
