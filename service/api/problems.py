"""Every error as ``application/problem+json`` (RFC 9457). No answer repeats what was sent."""

from __future__ import annotations

import logging
from dataclasses import asdict
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import redis
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path

from service.artifacts import ArtifactCorruptError, ArtifactNotFoundError, StorageError, is_storage_fault
from service.bounds import NotStartedError
from service.contract.values.errors import ErrorCode, SpecInvalidError
from service.contract.values.strict_json import BodyRefusedError
from service.datasets.datasets import DatasetNotFoundError, NoPreviewError
from service.datasets.store import TooManyDatasets
from service.datasets.uploads.request import UploadRefusedError
from service.jobs.jobs import ModelNotFoundError, ResultsNotReadyError, ResultsUnavailableError
from service.jobstore import (
    IdempotencyKeyReused,
    InvalidCursor,
    JobActive,
    JobFinished,
    JobNotFound,
    QueueFull,
    RecordNotUnderstood,
    StoresApartError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fastapi import FastAPI
    from starlette.requests import Request

    from service.datasets.uploads.request import Refusal

LOG = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"

RETRY_AFTER_S = 1


class ProblemItem(BaseModel):
    """One thing wrong, in the body (``pointer``) or in the query or a header (``parameter`` alone)."""

    model_config = ConfigDict(extra="forbid")

    pointer: str | None = Field(default=None, description="JSON pointer into the body; '' is the whole of it.")
    parameter: str | None = Field(
        default=None,
        description="Name of a query parameter or header: of the one at fault, or beside `pointer` of one that helps.",
    )
    code: str
    detail: str
    column: str | None = Field(
        default=None, description="Of an upload: name of the column at fault, or its position from 0."
    )
    remedies: list[str] | None = Field(
        default=None, description="Of an upload: what to add to the query, any one of them, such as `missing=drop`."
    )


class Problem(BaseModel):
    """What an error answers."""

    model_config = ConfigDict(extra="forbid")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: ErrorCode
    request_id: str
    errors: list[ProblemItem] | None = None


class ProblemError(Exception):
    """An error that has an HTTP answer: a code for programs, and a detail for people that repeats nothing sent."""

    def __init__(
        self,
        status: HTTPStatus,
        code: ErrorCode,
        detail: str,
        *,
        errors: Sequence[ProblemItem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})


_CODES: Mapping[int, tuple[ErrorCode, str]] = MappingProxyType(
    {
        HTTPStatus.BAD_REQUEST: (ErrorCode.INVALID_REQUEST, "The request could not be read."),
        HTTPStatus.NOT_FOUND: (ErrorCode.NOT_FOUND, "There is nothing at this address."),
        HTTPStatus.METHOD_NOT_ALLOWED: (ErrorCode.METHOD_NOT_ALLOWED, "This address does not take this method."),
    }
)


_RETRY = MappingProxyType({"Retry-After": str(RETRY_AFTER_S)})


def respond(error: ProblemError, request: Request) -> Response:
    """Answer an error, under the request's id."""
    problem = Problem(
        title=error.status.phrase,
        status=error.status,
        detail=error.detail,
        code=error.code,
        request_id=request.scope.get("state", {}).get("request_id", ""),
        errors=error.errors or None,
    )
    content = problem.model_dump_json(exclude_none=True)
    return Response(content, error.status, headers=error.headers, media_type=MEDIA_TYPE)


def of_spec(error: SpecInvalidError) -> ProblemError:
    """Return the 422 for a body that breaks the contract."""
    items = [ProblemItem(**asdict(item)) for item in error.errors]
    first, *others = error.errors
    no_device = first.code == ErrorCode.DEVICE_UNAVAILABLE and not others
    code = ErrorCode.DEVICE_UNAVAILABLE if no_device else ErrorCode.INVALID_SPEC
    count = f"{len(items)} errors" if others else "1 error"
    detail = f"The specification has {count}; the first, at {first.pointer or 'the whole body'}: {first.detail}."
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, code, detail, errors=items)


def of_upload(refusals: Sequence[Refusal]) -> ProblemError:
    """Return the 422 for an upload, or for parameters, that do not hold up, with every reason and what helps."""
    first, *others = refusals
    code, start = ErrorCode.INVALID_DATASET, "The upload is not taken: "
    if first.parameter is not None:
        code, start = ErrorCode.INVALID_PARAMETER, f"The parameter {first.parameter} "
    more = f"; and {len(others)} more, in `errors`" if others else ""
    helps = _together(refusals) if others else ()
    advice = f". Try {'&'.join(helps)}" if helps else ""
    detail = f"{start}{first.detail}{more}{advice}."
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, code, detail, errors=list(map(_of_refusal, refusals)))


def _of_refusal(refusal: Refusal) -> ProblemItem:
    helps = refusal.remedies[0].partition("=")[0] if refusal.remedies else None
    return ProblemItem(
        pointer="" if refusal.parameter is None else None,
        parameter=refusal.parameter or helps,
        code=refusal.code,
        detail=refusal.detail,
        column=refusal.column,
        remedies=list(refusal.remedies) or None,
    )


def _together(refusals: Sequence[Refusal]) -> list[str]:
    """Return one remedy for each parameter that helps, in the order in which they are named."""
    chosen: dict[str, str] = {}
    for refusal in refusals:
        for remedy in refusal.remedies[:1]:
            chosen.setdefault(remedy.partition("=")[0], remedy)
    return list(chosen.values())


def invalid_parameter(name: str, detail: str, code: str = "invalid") -> ProblemError:
    """Return the 422 for a query parameter or header that breaks a rule; the detail says what it must be."""
    item = ProblemItem(parameter=name, code=code, detail=detail)
    text = f"The parameter {name} {detail}."
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, ErrorCode.INVALID_PARAMETER, text, errors=[item])


def internal_error() -> ProblemError:
    """Return the 500 for a fault of ours; the log has it under the request's id."""
    return ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, ErrorCode.INTERNAL_ERROR, "The service failed.")


def install(app: FastAPI) -> None:
    """Answer every error of an application as a problem."""

    def on_http(request: Request, error: Any) -> Response:
        status = HTTPStatus(error.status_code)
        code, detail = _CODES.get(status, (ErrorCode.HTTP_ERROR, f"{status.phrase}."))
        return respond(ProblemError(status, code, detail, headers=_headers(app, error, request)), request)

    app.add_exception_handler(HTTPException, on_http)
    for kind, problem_of in _PROBLEMS.items():
        app.add_exception_handler(kind, _answer_with(problem_of))


def _answer_with(problem_of: Callable[[Any], ProblemError]) -> Callable[[Request, Any], Response]:
    return lambda request, error: respond(problem_of(error), request)


def _headers(app: FastAPI, error: HTTPException, request: Request) -> dict[str, str]:
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        described = _methods(app, request.url.path)  # files of the page are not
        headers["Allow"] = ", ".join(described) or "GET, HEAD"
    return headers


def _methods(app: FastAPI, path: str) -> list[str]:
    """Every method that a path takes; the framework's own header names those of the first route alone."""
    methods: set[str] = set()
    for template, operations in app.openapi()["paths"].items():
        if compile_path(template)[0].match(path):
            methods |= {method.upper() for method in operations}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


def _of_parameters(error: RequestValidationError) -> ProblemError:
    items = []
    for item in error.errors():
        kind, detail = ("required", "is required") if item["type"] == "missing" else (item["type"], item["msg"])
        items.append(ProblemItem(parameter=str(item["loc"][1]), code=kind, detail=detail))
    detail = f"The parameter {items[0].parameter} is wrong: {items[0].detail}."
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, ErrorCode.INVALID_PARAMETER, detail, errors=items)


def _of_store(error: redis.RedisError) -> ProblemError:
    LOG.warning("the job store failed: %s", error)
    detail = "The job store does not answer."
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, ErrorCode.STORE_UNAVAILABLE, detail, headers=_RETRY)


def _of_storage(error: StorageError | OSError) -> ProblemError:
    if not is_storage_fault(error):
        raise error
    LOG.warning("objects cannot be read or written: %s", error)
    detail = "The store of objects is full, read-only or away; nothing was done."
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, ErrorCode.OBJECTS_UNAVAILABLE, detail, headers=_RETRY)


def _of_stores_apart(error: StoresApartError) -> ProblemError:
    LOG.error("%s", error)
    detail = "The store of objects is not the one that belongs to the job store."
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, ErrorCode.OBJECTS_UNAVAILABLE, detail, headers=_RETRY)


def _of_missing(error: ArtifactNotFoundError) -> ProblemError:
    LOG.warning("an object is gone: %s", error)
    return ProblemError(HTTPStatus.NOT_FOUND, ErrorCode.NOT_FOUND, "The object is gone: its job is being deleted.")


def _of_corrupt(error: ArtifactCorruptError) -> ProblemError:
    LOG.error("an object does not hold what was written: %s", error)
    detail = "An object of the job or data set does not hold what was written: restore it, or make it again."
    return ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, ErrorCode.INTERNAL_ERROR, detail)


def _of_not_started(error: NotStartedError) -> ProblemError:
    LOG.warning("the system refused a process: %s", error)
    detail = "The machine is out of processes, memory or descriptors for now."
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, ErrorCode.SERVICE_UNAVAILABLE, detail, headers=_RETRY)


def _refusal(status: HTTPStatus, code: ErrorCode, detail: str, *, later: bool = False) -> Callable[[Any], ProblemError]:
    """How a refusal that needs no words about its case is said; `later` asks the client to try again."""
    return lambda _: ProblemError(status, code, detail, headers=_RETRY if later else None)


_PROBLEMS: Mapping[type[Exception], Callable[[Any], ProblemError]] = MappingProxyType(
    {
        ProblemError: lambda error: error,
        BodyRefusedError: lambda error: ProblemError(HTTPStatus.BAD_REQUEST, error.code, error.detail),
        SpecInvalidError: of_spec,
        UploadRefusedError: lambda error: of_upload(error.refusals),
        RequestValidationError: _of_parameters,
        InvalidCursor: lambda _: invalid_parameter("cursor", "must be the next_cursor of a page"),
        redis.RedisError: _of_store,
        ArtifactCorruptError: _of_corrupt,
        ArtifactNotFoundError: _of_missing,
        StorageError: _of_storage,
        StoresApartError: _of_stores_apart,
        OSError: _of_storage,
        NotStartedError: _of_not_started,
        JobNotFound: _refusal(HTTPStatus.NOT_FOUND, ErrorCode.JOB_NOT_FOUND, "There is no such job."),
        ModelNotFoundError: _refusal(HTTPStatus.NOT_FOUND, ErrorCode.MODEL_NOT_FOUND, "The job has no such model."),
        ResultsUnavailableError: _refusal(
            HTTPStatus.NOT_FOUND, ErrorCode.RESULTS_UNAVAILABLE, "The job ended without such results."
        ),
        ResultsNotReadyError: _refusal(
            HTTPStatus.CONFLICT, ErrorCode.RESULTS_NOT_READY, "The job has not ended yet.", later=True
        ),
        JobFinished: _refusal(HTTPStatus.CONFLICT, ErrorCode.JOB_FINISHED, "The job has ended already."),
        RecordNotUnderstood: _refusal(
            HTTPStatus.CONFLICT,
            ErrorCode.RECORD_NOT_UNDERSTOOD,
            "The record is damaged, or a later version of the service wrote it: this one can do nothing with it.",
        ),
        JobActive: _refusal(HTTPStatus.CONFLICT, ErrorCode.JOB_ACTIVE, "The job has not ended; cancel it first."),
        IdempotencyKeyReused: _refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            ErrorCode.IDEMPOTENCY_KEY_REUSED,
            "The idempotency key was used with another body.",
        ),
        DatasetNotFoundError: _refusal(HTTPStatus.NOT_FOUND, ErrorCode.DATASET_NOT_FOUND, "There is no such data set."),
        NoPreviewError: lambda error: ProblemError(HTTPStatus.NOT_FOUND, ErrorCode.NO_PREVIEW, str(error)),
        TooManyDatasets: _refusal(
            HTTPStatus.CONFLICT, ErrorCode.TOO_MANY_DATASETS, "As many data sets are kept as may; delete one first."
        ),
        QueueFull: _refusal(
            HTTPStatus.SERVICE_UNAVAILABLE, ErrorCode.QUEUE_FULL, "As many jobs wait as may.", later=True
        ),
    }
)
"""What each error of the layers below says over HTTP."""
