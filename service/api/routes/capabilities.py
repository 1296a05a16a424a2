"""What this service offers, and its limits."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import Response

from service.api.routes.common import Route, answers, json_response, problems
from service.api.state import JobsOf
from service.api.views import BuiltinSet, Capabilities, Worker
from service.contract.data.dataset import MEDIA_TYPES
from service.contract.data.sources import BUILTINS
from service.contract.kinds import KINDS
from service.contract.train.request import Activation, BasisChoice
from service.contract.train.resolve import PAIRS
from service.contract.values.media_types import BYTES
from service.version import VERSION

router = APIRouter(tags=["service"], route_class=Route)


@router.get(
    "/v1/capabilities",
    response_model=None,
    summary="Read what is offered",
    responses=answers(HTTPStatus.OK, "Kinds of job, data sets, limits, devices.", "Capabilities")
    | problems(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
def get_capabilities(jobs: JobsOf) -> Response:
    """Read the kinds of job with their JSON Schema, activations, losses, data sets, limits and devices."""
    workers = jobs.store.workers()
    sets = {
        str(name): BuiltinSet(
            features=known.features,
            samples=known.samples,
            targets=known.targets,
            classes=len(known.counts(known.samples or 0)) or None,
        )
        for name, known in BUILTINS.items()
    }
    capabilities = Capabilities(
        version=VERSION,
        kinds={name: kind.request.model_json_schema() for name, kind in KINDS.items()},
        activations=list(Activation),
        losses={str(loss): output for output, loss in PAIRS.items()},
        bases=list(BasisChoice),
        datasets=sets,
        upload_media_types=[*MEDIA_TYPES, BYTES],
        limits=jobs.limits,
        devices=sorted({device for worker in workers for device in worker.devices}),
        workers=[Worker(id=worker.id, devices=list(worker.devices)) for worker in workers],
    )
    return json_response(capabilities.model_dump_json())
