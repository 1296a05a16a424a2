"""Data sets: upload, list, read, delete."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from service.api.bodies import check_charset, check_encoding, media_type_of, parameters_of, receive
from service.api.dataset_examples import CSV
from service.api.problems import ProblemError, invalid_parameter
from service.api.routes.common import Flag, Route, answers, json_response, problems
from service.api.state import DatasetsOf, LinksOf, State
from service.api.views import dataset_of, dataset_page_json
from service.contract.data.dataset import MEDIA_TYPES, UploadFormat
from service.contract.data.reading import Categorical, HeaderRow, Missing
from service.contract.values.errors import ErrorCode
from service.contract.values.labels import is_plain
from service.contract.values.limits import LIMITS
from service.contract.values.media_types import BYTES
from service.datasets.uploads.request import LONGEST_NAME, Choice

router = APIRouter(prefix="/v1/datasets", tags=["data sets"], route_class=Route)

CHOSEN_NAMES = 1000
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_TEXT: dict[str, Any] = {"schema": {"type": "string"}, "example": CSV}


def _plain(text: str) -> str:
    if not is_plain(text, breaks=False):
        raise PydanticCustomError("control_character", "must not hold control characters")
    return text


Name = Annotated[str, Field(min_length=1, max_length=LIMITS.name_length), AfterValidator(_plain)]
ChosenName = Annotated[str, Query(max_length=LONGEST_NAME)]


def _format(request: Request, named: UploadFormat | None) -> UploadFormat:
    """Return how an upload is written, by its media type or as it is named."""
    typed = MEDIA_TYPES.get(media_type_of(request, [*MEDIA_TYPES, BYTES]))
    check_encoding(request)
    check_charset(request)
    if typed is not None and named is not None and named is not typed:
        raise invalid_parameter(
            "format", f"is {named}, and the Content-Type that of {typed}; leave one away", "conflict"
        )
    found = named or typed
    if found is None:
        raise invalid_parameter("format", f"is required with {BYTES}: {', '.join(UploadFormat)}", "required")
    return found


def _header(request: Request, named: HeaderRow | None, kind: UploadFormat) -> HeaderRow | None:
    """Return whether a CSV has a header, as the query says or the media type does (RFC 4180)."""
    told = {*parameters_of(request, "header"), *filter(None, [named])}
    if len(told) > 1:
        detail = f"the query and the Content-Type say {' and '.join(sorted(map(repr, map(str, told))))}; say one"
        raise invalid_parameter("header", detail, "conflict")
    if not told:
        return None
    (header,) = told
    if kind is not UploadFormat.CSV:
        raise invalid_parameter("header", "is about the first row of a CSV, and the upload is none")
    if header not in set(HeaderRow):
        raise invalid_parameter("header", f"is {' or '.join(HeaderRow)}, in the Content-Type too")
    return HeaderRow(header)


_PROBLEMS = problems(
    HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
)
"""Of one data set."""


@router.post(
    "",
    response_model=None,
    status_code=HTTPStatus.CREATED,
    summary="Upload a data set",
    openapi_extra={
        "requestBody": {
            "required": True,
            # In this order: generators take the first, and with it nothing is taken for another format.
            "content": {
                BYTES: _BINARY,
                **{name: _TEXT if kind is UploadFormat.CSV else _BINARY for name, kind in MEDIA_TYPES.items()},
            },
        }
    },
    responses=answers(HTTPStatus.CREATED, "Kept.", "Dataset", ("Location",))
    | answers(HTTPStatus.OK, "The same content is there already, under the name it had.", "Dataset", ("Location",))
    | problems(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)
async def create_dataset(
    *,
    request: Request,
    service: State,
    name: Annotated[Name | None, Query(description="For people.")] = None,
    targets: Annotated[
        list[ChosenName],
        Query(
            max_length=CHOSEN_NAMES,
            description="Columns of a table that are targets, the last unless said (refused where another is likelier);"
            " or the array, `targets` or `y`.",
        ),
    ] = [],  # noqa: B006 - FastAPI copies it
    inputs: Annotated[
        list[ChosenName],
        Query(
            max_length=CHOSEN_NAMES,
            description="Columns of a table that are inputs, all others unless said; or the array: `inputs`, `X`, `x`.",
        ),
    ] = [],  # noqa: B006 - likewise
    file_format: Annotated[
        UploadFormat | None, Query(alias="format", description=f"For a Content-Type that names none, {BYTES}.")
    ] = None,
    inputs_only: Annotated[Flag, Query(description="There are no targets: for predictions only.")] = False,
    header: Annotated[
        HeaderRow | None,
        Query(
            description="Whether the first row of a CSV names its columns; decided by the cells unless said, here or as"
            " text/csv; header=absent."
        ),
    ] = None,
    missing: Annotated[
        Missing,
        Query(
            description="Rows with a missing value: refuse the upload, drop them and say how many, or take a missing"
            " target as a label of its own."
        ),
    ] = Missing.REFUSE,
    categorical: Annotated[
        Categorical,
        Query(
            description="Columns of text among the inputs of a table: refuse the upload, drop them and say which, or"
            " encode each as a column of 0 and 1 for each of its texts, named `column=text`; truth values likewise."
        ),
    ] = Categorical.REFUSE,
) -> Response:
    """Upload samples to train or evaluate on, or the weights K and b of a network to diagnose.

    CSV: commas between cells, points in decimals, UTF-8; columns without a header are named 0, 1, …. A single column
    of targets with any text becomes classes, in the order of the sorted labels. NPZ and safetensors: arrays of samples,
    or `K` (depth, d, d) and `b` (depth, d); no other array matters. Parquet: flat columns of numbers; a target may be
    text, and a data frame's index is no column. A first column that numbers the rows of a table is left out. What
    cannot be taken is told with every column at fault, and what helps. Nothing is unpickled. The id is the hash of the
    content, so an upload can be repeated.
    """
    datasets = service.datasets
    kind = _format(request, file_format)
    row = _header(request, header, kind)
    choice = Choice(
        inputs=tuple(inputs),
        targets=tuple(targets),
        inputs_only=inputs_only,
        header=row,
        missing=missing,
        categorical=categorical,
    )
    if targets and inputs_only:
        raise invalid_parameter("inputs_only", "cannot be true where targets are named")
    with service.scratch.folder() as folder:
        upload = folder / "upload"
        with upload.open("wb") as file:
            await receive(request, datasets.limits.upload_bytes, file.write)
        create = partial(datasets.create, upload, kind, choice, name)
        async with service.upload_turns.of(kind, upload.stat().st_size):
            if await request.is_disconnected():
                raise ProblemError(HTTPStatus.BAD_REQUEST, ErrorCode.INVALID_REQUEST, "The client is gone.")
            # Not the pool that every other route runs in: uploads that are being read would fill it.
            record, existing = await anyio.to_thread.run_sync(create, limiter=anyio.CapacityLimiter(1))
    headers = {"Location": service.links.dataset(record.id)}
    status = HTTPStatus.OK if existing else HTTPStatus.CREATED
    return json_response(dataset_of(record, service.links).model_dump_json(), status, headers)


@router.get(
    "",
    response_model=None,
    summary="List data sets",
    responses=answers(HTTPStatus.OK, "A page, newest first.", "DatasetPage")
    | problems(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
def list_datasets(
    datasets: DatasetsOf,
    links: LinksOf,
    limit: Annotated[int, Query(ge=1, le=LIMITS.page)] = 50,
    cursor: Annotated[str | None, Query(max_length=100, description="`next_cursor` of the page before.")] = None,
) -> Response:
    """List data sets, newest first."""
    return json_response(dataset_page_json(datasets.list(limit=limit, cursor=cursor), links))


@router.get(
    "/{dataset_id}",
    response_model=None,
    summary="Read a data set",
    responses=answers(HTTPStatus.OK, "What is known of it.", "Dataset") | _PROBLEMS,
)
def get_dataset(dataset_id: str, datasets: DatasetsOf, links: LinksOf) -> Response:
    """Read what is known of a data set: its size, and what its targets are."""
    return json_response(dataset_of(datasets.get(dataset_id), links).model_dump_json())


@router.get(
    "/{dataset_id}/preview",
    response_model=None,
    summary="Look at a data set",
    responses=answers(HTTPStatus.OK, "Its columns and its first rows.", "DatasetPreview") | _PROBLEMS,
)
async def preview_dataset(dataset_id: str, service: State) -> Response:
    """Look at the columns of a data set, with their ranges and classes, and at its first rows; weights have none."""
    datasets = service.datasets
    content = await anyio.to_thread.run_sync(datasets.preview, dataset_id)
    if content is None:  # uploaded by an earlier version: it is read again, which waits its turn as an upload does
        content = await anyio.to_thread.run_sync(datasets.look, dataset_id, limiter=service.upload_turns.large)
    return json_response(content)


@router.delete(
    "/{dataset_id}",
    response_model=None,
    status_code=HTTPStatus.NO_CONTENT,
    summary="Delete a data set",
    responses=answers(HTTPStatus.NO_CONTENT, "It is gone; jobs that were given it keep their own copy.") | _PROBLEMS,
)
def delete_dataset(dataset_id: str, datasets: DatasetsOf) -> Response:
    """Delete a data set. It does not matter which jobs use it."""
    datasets.delete(dataset_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)
