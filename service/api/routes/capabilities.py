"""What this service offers, and its limits."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import Response

from service.api.routes.common import Route, answers, problems
from service.api.routes.finished import HEADERS, FinishedOf
from service.api.state import State

router = APIRouter(tags=["service"], route_class=Route)


@router.get(
    "/v1/capabilities",
    response_model=None,
    summary="Read what is offered",
    responses=answers(HTTPStatus.OK, "Kinds of job, data sets, limits, devices.", "Capabilities", HEADERS)
    | answers(HTTPStatus.NOT_MODIFIED, "The client has it.", None, HEADERS)
    | problems(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
def get_capabilities(service: State, finished: FinishedOf) -> Response:
    """Read the kinds of job with their JSON Schema, activations, losses, data sets, limits and devices."""
    return service.offers.answer(service.jobs.store.workers(), finished)
