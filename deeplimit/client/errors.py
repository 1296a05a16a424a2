"""What keeps the service from doing what was asked.

* `ClientError`
    * `Unreachable`: no answer, or the connection was lost
    * `ServiceError`: the service answered with a problem
    * `JobFailed`: the job was carried out and has no results
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from deeplimit.client.shown import escaped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx


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

    @property
    def place(self) -> str:
        """What is at fault, in words."""
        return self.parameter or self.pointer or "(the whole body)"


class ServiceError(ClientError):
    """The service answered with an error.

    Attributes
    ----------
    code
        Stable name of the problem, or ``http_error`` where the answer was no problem document.
    problem
        The whole document as it came; empty where there was none.
    request_id
        Name under which the service's log has the request.
    retry_after_s
        When to try again, where the service says that it is worth it.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        *,
        problem: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.problem = dict(problem or {})
        self.request_id: str | None = self.problem.get("request_id")
        self.retry_after_s = retry_after_s
        super().__init__(status, code, detail, self.errors)

    def __str__(self) -> str:
        lines = (f"\n  {problem.place}: {problem.detail}" for problem in self.errors)
        return escaped(f"{self.status} {self.code}: {self.detail}{''.join(lines)}")

    @classmethod
    def of(cls, response: httpx.Response, retry_after_s: float | None = None) -> Self:
        """Return the error in `response`: a problem of the service, or what some other server answered for it."""
        try:
            problem = response.json()
        except ValueError:
            problem = None
        if not isinstance(problem, dict):
            leads = f" and leads to {response.headers['Location']}" if response.has_redirect_location else ""
            problem = {"detail": f"{response.reason_phrase}: an answer that is not this service's{leads}"}
        entries = [entry for entry in problem.get("errors") or () if isinstance(entry, dict)]
        return cls(
            response.status_code,
            str(problem.get("code", "http_error")),
            str(problem.get("detail") or problem.get("title") or f"HTTP status {response.status_code}"),
            [
                FieldProblem(
                    str(entry.get("pointer", "")),
                    str(entry.get("code", "")),
                    str(entry.get("detail", "")),
                    entry.get("parameter"),
                    tuple(entry.get("remedies") or ()),
                )
                for entry in entries
            ],
            problem=problem,
            retry_after_s=retry_after_s,
        )


class JobFailed(ClientError):  # noqa: N818 - see Unreachable
    """A job failed or was cancelled, so it has no results.

    Attributes
    ----------
    job
        The record of the job as it ended; its `error` says why, and whether submitting it again may help.
    """

    def __init__(self, job: Mapping[str, Any]) -> None:
        self.job = dict(job)
        super().__init__(self.job)

    def __str__(self) -> str:
        name = f" ({self.job['name']})" if self.job.get("name") else ""
        error = self.job.get("error")
        why = f": {error['code']}: {error['detail']}" if error else ""
        again = "; submitting it again may help" if error and error.get("retryable") else ""
        return escaped(f"job {self.job.get('id')}{name} {self.job.get('status')}{why}{again}")
