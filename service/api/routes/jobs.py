"""Jobs: create, list, read, cancel, delete."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Any, Final

import anyio
import anyio.to_thread
from fastapi import APIRouter, Header, Query, Request
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.api.bodies import read_json
from service.api.negotiate import etag_of, matches, wait_of
from service.api.problems import RETRY_AFTER_S
from service.api.routes.common import Flag, Prefer, Route, answers, json_response, one_of, problems, ref
from service.api.state import JobsOf, LinksOf, ServiceState, State, state_of
from service.api.views import dry_run_json, job_json, page_json
from service.contract.job import JobRecord, JobStatus, Revision
from service.contract.kinds import KINDS
from service.contract.values.limits import LIMITS
from service.contract.values.media_types import JSON
from service.jobs.planning.child import LARGE
from service.jobstore import JobQuery

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=Route)

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_RETRY_AFTER = str(RETRY_AFTER_S)
_REQUESTS = {name: kind.request.__name__ for name, kind in KINDS.items()}
_SPECIFICATION: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {JSON: {"schema": one_of("kind", _REQUESTS)}}},
}
_REFUSED = problems(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def _rfc3339(value: object) -> object:
    if isinstance(value, str) and not _RFC3339.fullmatch(value):
        raise PydanticCustomError("not_a_time", "must be a time such as 2026-01-31T12:00:00Z")
    return value


Time = Annotated[AwareDatetime, BeforeValidator(_rfc3339), WithJsonSchema({"type": "string", "format": "date-time"})]


def _kind_name(value: str) -> str:
    if value not in KINDS:
        *most, last = (f"'{name}'" for name in KINDS)
        raise PydanticCustomError("literal_error", f"Input should be {', '.join(most)} or {last}")
    return value


KindName = Annotated[str, AfterValidator(_kind_name), WithJsonSchema({"type": "string", "enum": [*KINDS]})]


def _headers(record: JobRecord) -> dict[str, str]:
    headers = {"ETag": etag_of(record.revision), "Cache-Control": "private, no-cache"}  # asked for again by its tag
    if not record.done:
        headers["Retry-After"] = _RETRY_AFTER
    return headers


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    response_model=None,
    summary="Create a job",
    openapi_extra=_SPECIFICATION,
    responses=answers(
        HTTPStatus.ACCEPTED, "Queued.", "Job", ("Location", "Retry-After", "ETag", "Idempotency-Replayed")
    )
    | answers(
        HTTPStatus.OK,
        "Done within `Prefer: wait`; or the outcome of a dry run.",
        {JSON: {"schema": ref("Job", "DryRun")}},
    )
    | _REFUSED,
)
async def create_job(
    *,
    request: Request,
    dry_run: Annotated[Flag, Query(description="Answer as `POST /v1/jobs/plan` does; nothing is queued.")] = False,
    prefer: Prefer = None,
    idempotency_key: Annotated[
        str | None,
        Header(min_length=1, max_length=255, description="Same key and same body: the same job."),
    ] = None,
) -> Response:
    """Queue a study, an evaluation or a diagnosis. The answer is sent when the job is committed."""
    service = state_of(request)
    jobs = service.jobs
    body = await read_json(request, jobs.limits.body_bytes)
    if dry_run:
        return await _dry_run(service, body)
    quick = await service.quick.submit(body) if idempotency_key is None else None
    if quick is None:
        limiter = _limiter(service, body)
        job, replayed = await anyio.to_thread.run_sync(jobs.submit, body, idempotency_key, limiter=limiter)
    else:
        job, replayed = quick, False
    record = job.record
    headers = {"Location": service.links.job(record.id)}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    seconds = wait_of(prefer, jobs.limits.wait_s)
    if seconds:
        headers["Preference-Applied"] = f"wait={seconds}"
        job = await service.waiters.wait(record.id, seconds, lambda latest: latest.done)
        record = job.record
    status = HTTPStatus.OK if seconds and record.done else HTTPStatus.ACCEPTED
    return json_response(job_json(job, service.links), status, headers | _headers(record))


def _limiter(service: ServiceState, body: bytes) -> anyio.CapacityLimiter | None:
    """Return the turns that a body has to wait for where it is large; there are the framework's threads for others."""
    return service.planning_turns if len(body) >= LARGE else None


@router.post(
    "/plan",
    response_model=None,
    summary="Resolve a job and estimate its cost",
    openapi_extra=_SPECIFICATION,
    responses=answers(HTTPStatus.OK, "What the specification comes to.", "DryRun") | _REFUSED,
)
async def plan_job(request: Request, service: State) -> Response:
    """Check a specification, fill in every default and estimate the cost. Nothing is queued."""
    return await _dry_run(service, await read_json(request, service.jobs.limits.body_bytes))


async def _dry_run(service: ServiceState, body: bytes) -> Response:
    plan = await anyio.to_thread.run_sync(service.jobs.plan, body, limiter=_limiter(service, body))
    return json_response(dry_run_json(plan))


@router.get(
    "",
    response_model=None,
    summary="List jobs",
    responses=answers(HTTPStatus.OK, "A page, newest first.", "JobPage")
    | problems(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
def list_jobs(
    *,
    jobs: JobsOf,
    links: LinksOf,
    limit: Annotated[int, Query(ge=1, le=LIMITS.page)] = 50,
    cursor: Annotated[str | None, Query(max_length=100, description="`next_cursor` of the page before.")] = None,
    status: JobStatus | None = None,
    kind: KindName | None = None,
    external_id: Annotated[str | None, Query(max_length=LIMITS.name_length)] = None,
    created_after: Time | None = None,
) -> Response:
    """List jobs, newest first, without their specifications."""
    query = JobQuery(
        limit=limit, cursor=cursor, status=status, kind=kind, external_id=external_id, created_after=created_after
    )
    return json_response(page_json(jobs.list(query), links))


@router.get(
    "/{job_id}",
    response_model=None,
    summary="Read a job",
    responses=answers(HTTPStatus.OK, "The job.", "Job", ("ETag", "Retry-After"))
    | answers(HTTPStatus.NOT_MODIFIED, "The revision is the one named.", None, ("ETag", "Retry-After"))
    | problems(
        HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
    ),
)
async def get_job(
    job_id: str,
    service: State,
    prefer: Prefer = None,
    if_none_match: Annotated[str | None, Header(description="An ETag; 304 while it is the current one.")] = None,
) -> Response:
    """Read a job; with `Prefer: wait=N` once its revision differs from `If-None-Match`, or without that once done."""

    def enough(latest: Revision) -> bool:
        if latest.done:
            return True
        return if_none_match is not None and not matches(if_none_match, etag_of(latest.revision))

    jobs = service.jobs
    seconds = wait_of(prefer, jobs.limits.wait_s)
    if seconds:
        job = await service.waiters.wait(job_id, seconds, enough)
    else:
        job = await run_in_threadpool(jobs.kept, job_id)
    record = job.record
    headers = _headers(record)
    if seconds:
        headers["Preference-Applied"] = f"wait={seconds}"
    if matches(if_none_match, etag_of(record.revision)):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return json_response(job_json(job, service.links), headers=headers)


@router.post(
    "/{job_id}/cancel",
    response_model=None,
    status_code=HTTPStatus.ACCEPTED,
    summary="Cancel a job",
    responses=answers(HTTPStatus.ACCEPTED, "Its fit is being stopped.", "Job", ("Retry-After", "ETag"))
    | answers(HTTPStatus.OK, "It is cancelled.", "Job", ("ETag",))
    | problems(
        HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
    ),
)
def cancel_job(job_id: str, jobs: JobsOf, links: LinksOf) -> Response:
    """Cancel a waiting job, or stop a running one. Repeating it changes nothing."""
    job = jobs.cancel(job_id)
    status = HTTPStatus.OK if job.record.done else HTTPStatus.ACCEPTED
    return json_response(job_json(job, links), status, _headers(job.record))


@router.delete(
    "/{job_id}",
    response_model=None,
    status_code=HTTPStatus.NO_CONTENT,
    summary="Delete a job",
    responses=answers(HTTPStatus.NO_CONTENT, "Record and artifacts are gone.")
    | problems(
        HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
    ),
)
def delete_job(job_id: str, jobs: JobsOf) -> Response:
    """Delete a job that has ended, with its artifacts."""
    jobs.delete(job_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)
