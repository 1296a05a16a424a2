"""Results of a job: models and diagnostics, fitted parameters, losses."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.api.forms import parameters as forms
from service.api.problems import invalid_parameter
from service.api.routes.common import answers, choose_form, json_response, problems, ref
from service.api.state import JobsOf
from service.api.views import job_path
from service.contract import names
from service.contract.kinds import KINDS
from service.contract.model_name import CONTINUUM
from service.contract.values.limits import LIMITS
from service.contract.values.media_types import JSON, NPZ, SAFETENSORS
from service.jobs.jobs import Jobs, ResultsUnavailableError

router = APIRouter(prefix="/v1/jobs/{job_id}/results", tags=["results"])

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_ERRORS = problems(
    HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
)


def _results(jobs: Jobs, job_id: str) -> dict[str, Any]:
    results: dict[str, Any] = json.loads(jobs.artifact(job_id, names.RESULTS))
    return results


def _write(body: object) -> bytes:
    return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()


@router.get(
    "",
    response_model=None,
    summary="Read the results",
    responses=_ERRORS
    | {
        200: {
            "description": "Results, by the kind of job.",
            "content": {JSON: {"schema": {"anyOf": [ref(kind.results.__name__) for kind in KINDS.values()]}}},
        }
    },
)
def get_results(job_id: str, jobs: JobsOf) -> Response:
    """Read every model's fit, the convergence diagnostics and the provenance; or what another kind of job found."""
    results, path = _results(jobs, job_id), f"{job_path(job_id)}/results"
    kind = KINDS[jobs.get(job_id).kind]
    for model in results[kind.models] if kind.models is not None else ():
        for part in kind.arrays:
            if model.get(part) is not None:
                model[part] = {"href": f"{path}/{part}?model={model['model']}", **model[part]}
    links = {"self": path, "job": job_path(job_id)} | {name: f"{path}/{name}" for name in kind.documents}
    return json_response(_write({"job_id": job_id, **results, "links": links}))


@router.get(
    "/losses",
    response_model=None,
    summary="Read the losses",
    responses=answers(HTTPStatus.OK, "Histories of every fit.", "Losses") | _ERRORS,
)
def get_losses(job_id: str, jobs: JobsOf) -> Response:
    """Read, per model and iteration, the objective and its parts; and the metrics at the end."""
    return json_response(jobs.artifact(job_id, names.LOSSES))


@router.get(
    "/diagnostics",
    response_model=None,
    summary="Read the convergence diagnostics",
    responses=answers(HTTPStatus.OK, "The same object as in the results.", "Diagnostics") | _ERRORS,
)
def get_diagnostics(job_id: str, jobs: JobsOf) -> Response:
    """Read whether and how fast the study converges."""
    results = _results(jobs, job_id)
    if "diagnostics" not in results:
        raise ResultsUnavailableError
    return json_response(_write(results["diagnostics"]))


@router.get(
    "/parameters",
    response_model=None,
    summary="Read fitted parameters",
    responses={
        200: {
            "description": "The parameters of one model, in the form that `Accept` asks for.",
            "content": {
                JSON: {"schema": {"anyOf": [ref("DiscreteParameters"), ref("ContinuumParameters")]}},
                SAFETENSORS: _BINARY,
                NPZ: _BINARY,
            },
        }
    }
    | _ERRORS
    | problems(HTTPStatus.NOT_ACCEPTABLE),
)
def get_parameters(
    request: Request,
    job_id: str,
    jobs: JobsOf,
    model: Annotated[str, Query(max_length=100, description="`discrete-64`, or `continuum`.")],
    grid: Annotated[
        int | None,
        Query(ge=2, le=LIMITS.grid, description="Points for values of the continuum, both ends included."),
    ] = None,
) -> Response:
    """Read the fitted parameters of one model as JSON, safetensors or NPZ."""
    content = jobs.artifact(job_id, names.parameters_key(model))
    if grid is not None and model != CONTINUUM:
        raise invalid_parameter("grid", "is for the continuum")
    try:
        found = forms.read(content, grid)
    except forms.GridTooLargeError:
        raise invalid_parameter("grid", f"gives more than {forms.MOST_GRID_NUMBERS} numbers", "too_large") from None
    chosen = choose_form(request.headers.get("accept", ""), found.numbers, jobs.limits.json_numbers)
    headers = {"Vary": "Accept"}
    if chosen == JSON:
        return Response(forms.to_json(found), headers=headers, media_type=JSON)
    file = f"{model}.{'npz' if chosen == NPZ else 'safetensors'}"
    headers["Content-Disposition"] = f'attachment; filename="{file}"'
    if chosen == NPZ:
        content = forms.to_npz(found)
    elif found.grid:
        content = forms.to_safetensors(found)
    return Response(content, headers=headers, media_type=chosen)
