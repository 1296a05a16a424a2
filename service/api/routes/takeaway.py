"""A finished job to read and to take away: its report, and its models as files."""

from __future__ import annotations

import json
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Query
from starlette.responses import Response

from service.api.problems import ProblemError, invalid_parameter
from service.api.routes.common import Route, answers, problems
from service.api.routes.finished import HEADERS, FinishedOf
from service.api.state import JobsOf, State
from service.contract import names
from service.contract.model_name import CONTINUUM
from service.contract.values.errors import ErrorCode
from service.contract.values.media_types import BYTES, HTML, ZIP
from service.export.archive import archive, exported_parameters
from service.export.choice import chosen_model
from service.export.onnx_child import OnnxUnavailableError, to_onnx
from service.export.onnx_size import TooLargeError
from service.jobs.jobs import Jobs, ResultsUnavailableError, kind_of, stored
from service.report.render import SECURITY, Source, render

if TYPE_CHECKING:
    from collections.abc import Iterator

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"], route_class=Route)

_TEXT = {"schema": {"type": "string"}}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_OTHERS = answers(HTTPStatus.NOT_MODIFIED, "The client has it.", None, HEADERS) | problems(
    HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
)


class Format(StrEnum):
    """What a model is taken away as."""

    ZIP = "zip"
    ONNX = "onnx"


def _source(jobs: Jobs, job_id: str) -> Source:
    results = jobs.artifact(job_id, names.RESULTS)
    record = jobs.get(job_id)

    def read(key: str) -> bytes | None:
        return jobs.artifacts.get(record.artifacts[key]) if key in record.artifacts else None

    index = read(names.PLOTS)
    plots: dict[str, Any] | None = json.loads(index) if index is not None else None
    return Source(record, results, plots, lambda plot: read(names.plot_key(plot, "svg")))


@contextmanager
def _shown(source: Source) -> Iterator[None]:
    """Around the making of what shows a job: raise `RecordNotUnderstood` where its record or its results do not fit.

    They are read as they are, so that fields of later versions do no harm, and checked where that fails.
    """
    with stored():
        try:
            yield
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            kind = kind_of(source.record)
            kind.resolved.model_validate(source.record.spec)
            kind.results.model_validate_json(source.results)
            raise


@router.get(
    "/report",
    response_model=None,
    response_class=Response,
    summary="Read the report",
    responses=answers(HTTPStatus.OK, "One HTML page that needs nothing else.", {HTML: _TEXT}, HEADERS) | _OTHERS,
)
def get_report(job_id: str, jobs: JobsOf, finished: FinishedOf) -> Response:
    """Read a finished job as a page for people: question, answer, pictures, table, details and provenance."""
    headers = {
        "Content-Security-Policy": f"{SECURITY}; frame-ancestors 'self'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    source = _source(jobs, job_id)
    with _shown(source):
        page = render(source)
    return finished.answer(page.encode(), HTML, headers)


@router.get(
    "/export",
    response_model=None,
    response_class=Response,
    summary="Take a model away",
    responses=answers(
        HTTPStatus.OK,
        "A zip with weights, code, card, report and metadata; or an ONNX file.",
        {ZIP: _BINARY, BYTES: _BINARY},
        (*HEADERS, "Content-Disposition"),
    )
    | problems(HTTPStatus.NOT_ACCEPTABLE)
    | _OTHERS,
)
async def get_export(
    *,
    job_id: str,
    service: State,
    finished: FinishedOf,
    model: Annotated[
        str | None,
        Query(
            max_length=100,
            description="`discrete-64`, or `continuum`. The network of the depth that the verdict answers with unless"
            " said, if it was trained, or else the deepest one.",
        ),
    ] = None,
    form: Annotated[Format, Query(alias="format", description="`zip`, or `onnx` for the graph alone.")] = Format.ZIP,
    steps: Annotated[
        int | None,
        Query(ge=1, le=4096, description="Of the continuum in ONNX; those that resolve it unless said."),
    ] = None,
) -> Response:
    """Take a trained model away, to run it without this service."""
    prepare = partial(_taken, service.jobs, job_id, model, form, steps)
    chosen, content = await anyio.to_thread.run_sync(prepare)
    if form is Format.ONNX:
        write = partial(_onnx, chosen, content, steps)
        content = await anyio.to_thread.run_sync(write, limiter=service.onnx_turns)
    file = f'attachment; filename="deeplimit-{job_id}-{chosen}.{form}"'
    headers = {"Content-Disposition": file, "X-Content-Type-Options": "nosniff"}
    return finished.answer(content, BYTES if form is Format.ONNX else ZIP, headers)


def _taken(jobs: Jobs, job_id: str, model: str | None, form: Format, steps: int | None) -> tuple[str, bytes]:
    """Return which model is taken away, and its zip, or the parameters file that ONNX is written from."""
    source = _source(jobs, job_id)
    if not kind_of(source.record).exported:
        raise ResultsUnavailableError
    models = names.models_with_parameters(source.record.artifacts)
    if model is None:
        model = chosen_model(json.loads(source.results), models)
    if steps is not None and (form is not Format.ONNX or model != CONTINUUM):
        raise invalid_parameter("steps", "is for the continuum in ONNX")
    parameters = jobs.artifact(job_id, names.parameters_key(model))
    with _shown(source):
        return model, archive(source, parameters) if form is Format.ZIP else exported_parameters(source, parameters)[1]


def _onnx(model: str, parameters: bytes, steps: int | None) -> bytes:
    """Return a parameters file as ONNX.

    Raises
    ------
    ProblemError
        422 with the most steps that a continuum may take, or 406 where there is no other way than another format.
    """
    try:
        return to_onnx(parameters, steps)
    except TooLargeError as large:
        if model == CONTINUUM and large.most:
            text = f"must be given and at most {large.most}, or the model is too large as ONNX; the zip has model.py"
            raise invalid_parameter("steps", text) from None
        why = "The model is too large as ONNX. Take the zip, and use model.py."
    except OnnxUnavailableError as unavailable:
        why = str(unavailable)
    raise ProblemError(HTTPStatus.NOT_ACCEPTABLE, ErrorCode.NOT_ACCEPTABLE, why)
