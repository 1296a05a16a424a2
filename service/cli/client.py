"""A client of the HTTP API: what the command line uses, and a script may.

The errors it raises:

* `ClientError`
    * `Unreachable`: no answer, or the connection was lost
    * `Refused`: the service answered with a problem
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

import httpx

from service.contract.values.media_types import JSON

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

Json = dict[str, Any]

WAIT_S: Final = 20
"""Longest single wait asked of the service; a watched job is asked for again and again."""
TIMEOUT_S: Final = 15.0
UPLOAD_S: Final = 180.0
"""An upload is answered when it has been read."""
CONNECT_RETRIES: Final = 5
"""Refused connections are tried again after 0, 0.5, 1, 2 and 4 s: long enough for a service that restarts."""
LOST_ANSWERS: Final = 5


class ClientError(Exception):
    """Something kept the service from doing what was asked."""


class Unreachable(ClientError):  # noqa: N818 - says what is the matter; ClientError is the family's name
    """Nothing answered, or the connection was lost."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One entry of a problem's ``errors``: a code for programs, and a detail for people.

    Attributes
    ----------
    pointer
        JSON pointer into the body; empty for a rule over the whole of it.
    parameter
        Name of the query parameter or header at fault, or of one that helps.
    remedies
        What to add to the query of an upload, any one of them: ``missing=drop``.
    """

    pointer: str
    code: str
    detail: str
    parameter: str | None = None
    remedies: tuple[str, ...] = ()


class Refused(ClientError):  # noqa: N818 - see Unreachable
    """The service answered with an error.

    Attributes
    ----------
    code
        Stable name of the problem, or ``http_error`` where the answer was no problem document.
    request_id
        Name under which the service's log has the request.
    retry_after_s
        When to try again, where the service says that it is worth it.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after_s: float | None = None) -> None:
        self.status = status
        self.retry_after_s = retry_after_s
        self.code = str(problem.get("code", "http_error"))
        self.detail = str(problem.get("detail") or problem.get("title") or f"HTTP status {status}")
        self.request_id: str | None = problem.get("request_id")
        self.errors = tuple(
            FieldProblem(
                str(entry.get("pointer", "")),
                str(entry.get("code", "")),
                str(entry.get("detail", "")),
                entry.get("parameter"),
                tuple(entry.get("remedies") or ()),
            )
            for entry in problem.get("errors") or ()
        )
        super().__init__(f"{status} {self.code}: {self.detail}")

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        """The error in `response`, whose status is 400 or more."""
        try:
            problem = response.json()
        except ValueError:
            problem = None
        if not isinstance(problem, dict):
            problem = {"detail": f"{response.reason_phrase}: an answer that is not this service's"}
        unavailable = response.status_code == httpx.codes.SERVICE_UNAVAILABLE
        retry_after = response.headers.get("Retry-After", "")
        return cls(response.status_code, problem, float(retry_after) if unavailable and retry_after.isdigit() else None)


class Client:
    """The calls of the API at ``http://host:port`` as methods; close it, or use it as a context manager.

    Jobs and results are the JSON objects of the contract, as dictionaries.
    """

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.base_url,
            timeout=TIMEOUT_S,
            headers={"Accept": JSON},
            transport=httpx.HTTPTransport(retries=CONNECT_RETRIES),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(self, spec: Mapping[str, Any] | bytes, *, idempotency_key: str | None = None) -> Json:
        """Create a job from a specification, or from the bytes of a JSON document; return the Job.

        The call carries an idempotency key, its own unless one is given, and is repeated once if the answer is lost.
        """
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        try:
            return self._post_spec(spec, headers=headers)
        except Unreachable as lost:
            if not isinstance(lost.__cause__, httpx.ReadError | httpx.ReadTimeout | httpx.RemoteProtocolError):
                raise
            return self._post_spec(spec, headers=headers)

    def dry_run(self, spec: Mapping[str, Any] | bytes) -> Json:
        """The resolved specification and an estimate of its cost; nothing is queued."""
        return self._post_spec(spec, params={"dry_run": "true"})

    def job(self, job_id: str) -> Json:
        """The Job as it is now."""
        return self._json("GET", _path(job_id))

    def follow(self, job_id: str) -> Iterator[Json]:
        """Yield the Job now and at every later revision that is seen, the last of them done.

        Each step is a long poll, so a change arrives when it happens. A service that restarts in between is waited for.
        """
        headers: dict[str, str] = {}
        lost = 0
        while True:
            try:
                response = self._send("GET", _path(job_id), headers=headers, timeout=TIMEOUT_S + WAIT_S)
            except (Unreachable, Refused) as error:
                lost += 1
                if lost > LOST_ANSWERS or (isinstance(error, Refused) and error.retry_after_s is None):
                    raise
                if isinstance(error, Refused):
                    time.sleep(min(error.retry_after_s or 0.0, WAIT_S))  # the service asks for it
                continue
            lost = 0
            if response.status_code == httpx.codes.NOT_MODIFIED:
                continue
            headers = {"Prefer": f"wait={WAIT_S}"}
            if "ETag" in response.headers:
                headers["If-None-Match"] = response.headers["ETag"]
            job: Json = response.json()
            yield job
            if job["done"]:
                return

    def wait(self, job_id: str) -> Json:
        """The Job once it is done."""
        *_, last = self.follow(job_id)
        return last

    def capabilities(self) -> Json:
        """What can be asked for, and the devices of the workers that are there."""
        return self._json("GET", "/v1/capabilities")

    def cancel(self, job_id: str) -> Json:
        """Ask for the job to be cancelled; return the Job."""
        return self._json("POST", _path(job_id, "/cancel"))

    def delete(self, job_id: str) -> None:
        """Remove a finished job, its record and its artifacts."""
        self._send("DELETE", _path(job_id))

    def results(self, job_id: str) -> Json:
        """Models, diagnostics and provenance."""
        return self._json("GET", _path(job_id, "/results"))

    def losses(self, job_id: str) -> Json:
        """Objective, its parts and the gradient norm, per model and iteration."""
        return self._json("GET", _path(job_id, "/results/losses"))

    def parameters(self, job_id: str, model: str, *, grid: int | None = None) -> Json:
        """Fitted parameters of one model; `grid` points of the continuum's, if asked for."""
        params = {"model": model} | ({} if grid is None else {"grid": str(grid)})
        return self._json("GET", _path(job_id, "/results/parameters"), params=params)

    def predictions(self, job_id: str, model: str) -> Json:
        """Predictions of one evaluated model."""
        return self._json("GET", _path(job_id, "/results/predictions"), params={"model": model})

    def states(self, job_id: str, model: str) -> Json:
        """Trajectories of one evaluated model."""
        return self._json("GET", _path(job_id, "/results/states"), params={"model": model})

    def upload(
        self,
        content: bytes,
        media_type: str,
        *,
        name: str | None = None,
        targets: Sequence[str] = (),
        inputs: Sequence[str] = (),
        inputs_only: bool = False,
        header: str | None = None,
        missing: str | None = None,
        categorical: str | None = None,
    ) -> Json:
        """Upload a data set, or the weights of a network, and return what is known of it.

        Repeating it is harmless: the same content is kept once.
        """
        params: dict[str, Any] = {"targets": list(targets), "inputs": list(inputs)}
        said = {"name": name, "header": header, "missing": missing, "categorical": categorical}
        params |= {parameter: value for parameter, value in said.items() if value is not None}
        if inputs_only:
            params["inputs_only"] = "true"
        headers = {"Content-Type": media_type}
        return self._json("POST", "/v1/datasets", content=content, headers=headers, params=params, timeout=UPLOAD_S)

    def datasets(self) -> Iterator[Json]:
        """Yield every data set, newest first."""
        cursor: str | None = None
        while True:
            page = self._json("GET", "/v1/datasets", params={} if cursor is None else {"cursor": cursor})
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def dataset(self, dataset_id: str) -> Json:
        """What is known of one data set."""
        return self._json("GET", _dataset_path(dataset_id))

    def preview(self, dataset_id: str) -> Json:
        """Columns and first rows of one data set of samples."""
        return self._json("GET", f"{_dataset_path(dataset_id)}/preview")

    def delete_dataset(self, dataset_id: str) -> None:
        """Delete a data set; jobs that were given it keep their own copy."""
        self._send("DELETE", _dataset_path(dataset_id))

    def _post_spec(self, spec: Mapping[str, Any] | bytes, **options: Any) -> Json:
        body = spec if isinstance(spec, bytes) else json.dumps(spec, allow_nan=False).encode()
        headers = options.pop("headers", {}) | {"Content-Type": JSON}
        return self._json("POST", "/v1/jobs", content=body, headers=headers, **options)

    def _json(self, method: str, path: str, **options: Any) -> Json:
        answer: Json = self._send(method, path, **options).json()
        return answer

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise Unreachable(f"no answer from {self.base_url} ({error})") from error
        if response.is_error:
            raise Refused.of(response)
        return response


def _path(job_id: str, below: str = "") -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}{below}"


def _dataset_path(dataset_id: str) -> str:
    return f"/v1/datasets/{quote(dataset_id, safe='')}"
