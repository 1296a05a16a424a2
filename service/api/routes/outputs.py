"""What an evaluation computed: predictions and states."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.api.forms import arrays as arrays_out
from service.api.forms.parameters import as_lists
from service.api.routes.common import Responses, choose_form, problems, ref
from service.api.state import JobsOf
from service.contract import names
from service.contract.values.media_types import JSON, NPZ, SAFETENSORS
from service.jobs.jobs import Jobs

router = APIRouter(prefix="/v1/jobs/{job_id}/results", tags=["results"])

_BINARY = {"schema": {"type": "string", "format": "binary"}}
ModelName = Annotated[str, Query(max_length=100, description="`discrete-64`, `continuum`, or `sampled-256`.")]


def _answers(schema: str, description: str) -> Responses:
    content = {JSON: {"schema": ref(schema)}, SAFETENSORS: _BINARY, NPZ: _BINARY}
    found: Responses = {200: {"description": description, "content": content}}
    return found | problems(
        HTTPStatus.NOT_FOUND,
        HTTPStatus.NOT_ACCEPTABLE,
        HTTPStatus.CONFLICT,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    )


@router.get(
    "/predictions",
    response_model=None,
    summary="Read predictions",
    responses=_answers("ModelPredictions", "Predictions of one model, in the form that `Accept` asks for."),
)
def get_predictions(request: Request, job_id: str, jobs: JobsOf, model: ModelName) -> Response:
    """Read the predictions of one evaluated model, in the user's units, as JSON, safetensors or NPZ."""
    names_of_classes = jobs.get(job_id).spec.get("trained", {}).get("data", {}).get("class_names")
    return _send(request, jobs, job_id, "predictions", model, class_names=names_of_classes)


@router.get(
    "/states",
    response_model=None,
    summary="Read states",
    responses=_answers("ModelStates", "Trajectories of one model, in the form that `Accept` asks for."),
)
def get_states(request: Request, job_id: str, jobs: JobsOf, model: ModelName) -> Response:
    """Read the trajectories of one evaluated model, in its own units, as JSON, safetensors or NPZ."""
    return _send(request, jobs, job_id, "states", model)


def _send(request: Request, jobs: Jobs, job_id: str, output: str, model: str, **more: Any) -> Response:
    """Answer with the arrays in the form that is asked for, and with ``more`` beside them in JSON."""
    content = jobs.artifact(job_id, names.output_key(output, model))
    arrays = arrays_out.read(content)
    chosen = choose_form(request.headers.get("accept", ""), arrays_out.count(arrays), jobs.limits.json_numbers)
    headers = {"Vary": "Accept"}
    if chosen == JSON:
        body = {"model": model} | {name: as_lists(array) for name, array in arrays.items()} | more
        text = json.dumps(body, allow_nan=False, separators=(",", ":"))
        return Response(text, headers=headers, media_type=JSON)
    file = f"{output}-{model}.{'npz' if chosen == NPZ else 'safetensors'}"
    headers["Content-Disposition"] = f'attachment; filename="{file}"'
    return Response(arrays_out.to_npz(arrays) if chosen == NPZ else content, headers=headers, media_type=chosen)
