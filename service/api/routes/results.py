"""Results of a job: models and diagnostics, losses, and arrays: fitted parameters, predictions, states."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Query
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.api.forms import arrays as forms
from service.api.forms import parameters
from service.api.forms.pieces import Pieces, mapped, numbers_in, of_npz, of_object, shapes_in
from service.api.problems import invalid_parameter
from service.api.routes.common import Responses, Route, answers, choose_form, problems, ref
from service.api.routes.finished import HEADERS, Finished, FinishedOf
from service.api.state import JobsOf, LinksOf, ScratchOf, ServiceState, State
from service.contract import names
from service.contract.job import ArtifactRef
from service.contract.kinds import KINDS
from service.contract.model_name import CONTINUUM
from service.contract.train.data_names import DataNames
from service.contract.train.resolved import ResolvedTrainSpec
from service.contract.values.limits import LIMITS
from service.contract.values.media_types import JSON, NPZ, SAFETENSORS
from service.jobs.jobs import Jobs, ResultsUnavailableError, kind_of, stored
from service.scratch import Scratch

router = APIRouter(prefix="/v1/jobs/{job_id}/results", tags=["results"], route_class=Route)

ENDINGS: Mapping[str, str] = MappingProxyType({SAFETENSORS: "safetensors", NPZ: "npz"})
"""Endings of the files that arrays are sent as."""
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_OTHERS = answers(HTTPStatus.NOT_MODIFIED, "The client has it.", None, HEADERS) | problems(
    HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
)


def _results(jobs: Jobs, job_id: str) -> dict[str, Any]:
    results: dict[str, Any] = json.loads(jobs.artifact(job_id, names.RESULTS))
    return results


def _array_answers(description: str, *schemas: str) -> Responses:
    content = {JSON: {"schema": ref(*schemas)}, SAFETENSORS: _BINARY, NPZ: _BINARY}
    ok = answers(HTTPStatus.OK, f"{description}, in the form that `Accept` asks for.", content, (*HEADERS, "Vary"))
    return ok | _OTHERS | problems(HTTPStatus.NOT_ACCEPTABLE)


def _send(
    finished: Finished,
    jobs: Jobs,
    file: str,
    numbers: int,
    forms_of: Mapping[str, Callable[[], bytes | Pieces]],
) -> Response:
    """Answer with so many numbers in the form asked for; ``file`` is the name of a binary one, without its ending."""
    form = choose_form(finished.accept, numbers, jobs.limits.json_numbers)
    headers = {"Vary": "Accept"}
    if form in ENDINGS:
        headers["Content-Disposition"] = f'attachment; filename="{file}.{ENDINGS[form]}"'
    return finished.answer(forms_of[form](), form, headers)


@router.get(
    "",
    response_model=None,
    summary="Read the results",
    responses=answers(
        HTTPStatus.OK,
        "Results, by the kind of job.",
        {JSON: {"schema": ref(*(kind.results.__name__ for kind in KINDS.values()))}},
        HEADERS,
    )
    | _OTHERS,
)
def get_results(job_id: str, jobs: JobsOf, links: LinksOf, finished: FinishedOf) -> Response:
    """Read every model's fit, the convergence diagnostics and the provenance; or what another kind of job found."""
    results, path = _results(jobs, job_id), links.results(job_id)
    kind = kind_of(jobs.get(job_id))
    for model in results[kind.models] if kind.models is not None else ():
        for part in kind.arrays:
            if model.get(part) is not None:
                model[part] = {"href": f"{path}/{part}?model={model['model']}", **model[part]}
    shown = {"self": path, "job": links.job(job_id)} | {name: f"{path}/{name}" for name in kind.documents}
    return finished.answer(forms.to_json({"job_id": job_id, **results, "links": shown}))


@router.get(
    "/losses",
    response_model=None,
    summary="Read the losses",
    responses=answers(HTTPStatus.OK, "Histories of every fit.", "Losses", HEADERS) | _OTHERS,
)
def get_losses(job_id: str, jobs: JobsOf, finished: FinishedOf) -> Response:
    """Read, per model and iteration, the objective and its parts; and the metrics at the end."""
    return finished.answer(of_object(jobs.artifacts, jobs.reference(job_id, names.LOSSES)))


@router.get(
    "/diagnostics",
    response_model=None,
    summary="Read the convergence diagnostics",
    responses=answers(HTTPStatus.OK, "The same object as in the results.", "Diagnostics", HEADERS) | _OTHERS,
)
def get_diagnostics(job_id: str, jobs: JobsOf, finished: FinishedOf) -> Response:
    """Read whether and how fast the study converges."""
    results = _results(jobs, job_id)
    if "diagnostics" not in results:
        raise ResultsUnavailableError
    return finished.answer(forms.to_json(results["diagnostics"]))


@router.get(
    "/parameters",
    response_model=None,
    summary="Read fitted parameters",
    responses=_array_answers("The parameters of one model", "DiscreteParameters", "ContinuumParameters"),
)
async def get_parameters(
    *,
    job_id: str,
    service: State,
    finished: FinishedOf,
    model: Annotated[str, Query(max_length=100, description="`discrete-64`, or `continuum`.")],
    grid: Annotated[
        int | None,
        Query(ge=2, le=LIMITS.grid, description="Points for values of the continuum, both ends included."),
    ] = None,
) -> Response:
    """Read the fitted parameters of one model as JSON, safetensors or NPZ."""
    jobs = service.jobs
    if grid is None:
        return await run_in_threadpool(_send_parameters, finished, jobs, job_id, model)
    kept, numbers, on_grid = await run_in_threadpool(_sizes, jobs, job_id, model, grid)
    send = partial(_send_grid, finished, service, model, grid, kept, numbers)
    turns = service.grid_turns if on_grid > jobs.limits.json_numbers else None
    return await anyio.to_thread.run_sync(send, limiter=turns)


def _send_parameters(finished: Finished, jobs: Jobs, job_id: str, model: str) -> Response:
    kept = jobs.reference(job_id, names.parameters_key(model))

    def fitted() -> parameters.FittedParameters:
        return parameters.read(jobs.artifacts.get(kept))

    forms_of: dict[str, Callable[[], bytes | Pieces]] = {
        JSON: lambda: fitted().to_json(),
        SAFETENSORS: lambda: of_object(jobs.artifacts, kept),
        NPZ: lambda: fitted().to_npz(),
    }
    return _send(finished, jobs, model, numbers_in(jobs.artifacts, kept), forms_of)


def _sizes(jobs: Jobs, job_id: str, model: str, grid: int) -> tuple[ArtifactRef, int, int]:
    """Return the parameters of a continuum, how many numbers an answer with them on a grid has, and the grid alone."""
    kept = jobs.reference(job_id, names.parameters_key(model))
    if model != CONTINUUM:
        raise invalid_parameter("grid", "is for the continuum")
    shapes = shapes_in(jobs.artifacts, kept)
    on_grid = parameters.numbers_on(grid, shapes)
    if on_grid > parameters.MOST_GRID_NUMBERS:
        detail = f"gives more than {parameters.MOST_GRID_NUMBERS} numbers"
        raise invalid_parameter("grid", detail, "too_large")
    return kept, on_grid + sum(map(math.prod, shapes.values())), on_grid


def _send_grid(
    finished: Finished, service: ServiceState, model: str, grid: int, kept: ArtifactRef, numbers: int
) -> Response:
    jobs = service.jobs

    def fitted() -> parameters.FittedParameters:
        with stored():
            return parameters.read(jobs.artifacts.get(kept), grid)

    forms_of: dict[str, Callable[[], bytes | Pieces]] = {
        JSON: lambda: fitted().to_json(),
        SAFETENSORS: lambda: fitted().to_safetensors(service.scratch),
        NPZ: lambda: fitted().to_npz(),
    }
    return _send(finished, jobs, model, numbers, forms_of)


EvaluatedName = Annotated[str, Query(max_length=100, description="`discrete-64`, `continuum`, or `sampled-256`.")]


@router.get(
    "/predictions",
    response_model=None,
    summary="Read predictions",
    responses=_array_answers("Predictions of one model", "ModelPredictions"),
)
def get_predictions(
    job_id: str, jobs: JobsOf, scratch: ScratchOf, finished: FinishedOf, model: EvaluatedName
) -> Response:
    """Read the predictions of one evaluated model, in the user's units, as JSON, safetensors or NPZ."""
    return _send_output(finished, jobs, scratch, job_id, "predictions", model, _names_of_classes(jobs, job_id))


@router.get(
    "/states",
    response_model=None,
    summary="Read states",
    responses=_array_answers("Trajectories of one model", "ModelStates"),
)
def get_states(job_id: str, jobs: JobsOf, scratch: ScratchOf, finished: FinishedOf, model: EvaluatedName) -> Response:
    """Read the trajectories of one evaluated model, in its own units, as JSON, safetensors or NPZ."""
    return _send_output(finished, jobs, scratch, job_id, "states", model)


def _names_of_classes(jobs: Jobs, job_id: str) -> Callable[[Mapping[str, NDArray[Any]]], dict[str, Any]]:
    """Return what names the classes and the labels of an evaluation's predictions."""
    trained = jobs.get(job_id).spec.get("trained")
    with stored():
        classes = None if trained is None else DataNames.of(ResolvedTrainSpec.model_validate(trained)).classes

    def named(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        labels = arrays.get("labels")
        if classes is None or labels is None:
            return {"class_names": classes, "label_names": None}
        # The two classes of the logistic loss are -1 and 1.
        signs = bool((labels < 0).any()) or arrays["predictions"].shape[1] == 1
        return {"class_names": classes, "label_names": [classes[(k + 1) // 2 if signs else k] for k in labels.tolist()]}

    return named


def _no_names(_: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    return {}


def _send_output(
    finished: Finished,
    jobs: Jobs,
    scratch: Scratch,
    job_id: str,
    output: str,
    model: str,
    named: Callable[[Mapping[str, NDArray[Any]]], dict[str, Any]] = _no_names,
) -> Response:
    """Answer with what an evaluation computed, and in JSON with what ``named`` says of it."""
    kept = jobs.reference(job_id, names.output_key(output, model))

    def to_json() -> bytes:
        arrays = forms.of_file(jobs.artifacts.get(kept))
        return forms.to_json({"model": model, **forms.as_lists(arrays), **named(arrays)})

    def to_npz() -> Pieces:
        with scratch.folder() as folder:
            copy = folder / "copy.safetensors"
            jobs.artifacts.get_file(kept, copy)
            return of_npz(mapped(copy))

    forms_of: dict[str, Callable[[], bytes | Pieces]] = {
        JSON: to_json,
        SAFETENSORS: lambda: of_object(jobs.artifacts, kept),
        NPZ: to_npz,
    }
    return _send(finished, jobs, f"{output}-{model}", numbers_in(jobs.artifacts, kept), forms_of)
