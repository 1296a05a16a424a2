"""Results of a job: models and diagnostics, fitted parameters, losses."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service import parameters as forms
from service.contract import names
from service.contract.errors import ErrorCode
from service.contract.limits import LIMITS
from service.jobs import SAFETENSORS, Jobs
from service.negotiate import accepted
from service.problems import ProblemError, invalid_parameter
from service.routes.common import JobsOf, answers, json_response, problems, ref
from service.views import job_path

router = APIRouter(prefix="/v1/jobs/{job_id}/results", tags=["results"])

JSON = "application/json"
NPZ = "application/x-npz"
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
    responses=answers(HTTPStatus.OK, "Results.", "Results") | _ERRORS,
)
def get_results(job_id: str, jobs: JobsOf) -> Response:
    """Read every model's fit, the convergence diagnostics and the provenance."""
    results = _results(jobs, job_id)
    path = f"{job_path(job_id)}/results"
    for model in results["models"]:
        if model.get("parameters") is not None:
            model["parameters"] = {"href": f"{path}/parameters?model={model['model']}", **model["parameters"]}
    links = {
        "self": path,
        "job": job_path(job_id),
        "losses": f"{path}/losses",
        "diagnostics": f"{path}/diagnostics",
    }
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
    return json_response(_write(_results(jobs, job_id)["diagnostics"]))


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
    if grid is not None and model != "continuum":
        raise invalid_parameter("grid", "is for the continuum")
    try:
        found = forms.read(content, grid)
    except forms.GridTooLargeError:
        raise invalid_parameter("grid", f"gives more than {forms.MOST_GRID_NUMBERS} numbers", "too_large") from None
    chosen = _choose(request.headers.get("accept", ""), found.numbers, jobs.limits.json_numbers)
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


def _choose(accept: str, numbers: int, most: int) -> str:
    """Return the form to answer in. Binary forms are never sent to who did not name them."""
    acceptable = accepted(accept, (JSON, SAFETENSORS, NPZ))
    for offer, exact in acceptable:
        if offer == JSON and numbers <= most:
            return offer
        if offer != JSON and exact:
            return offer
    if any(offer == JSON for offer, _ in acceptable):
        detail = f"{numbers} numbers are more than the {most} that are sent as JSON; accept {SAFETENSORS} or {NPZ}."
    else:
        detail = f"The forms are {JSON}, {SAFETENSORS} and {NPZ}."
    raise ProblemError(HTTPStatus.NOT_ACCEPTABLE, ErrorCode.NOT_ACCEPTABLE, detail)
