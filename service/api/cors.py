"""Pages of other origins: what their browsers may ask, and a refusal of it that says why like every other error."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request

from service.api.observe import REQUEST_ID, request_id_of
from service.api.problems import ProblemError, respond
from service.contract.values.errors import ErrorCode

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.responses import Response
    from starlette.types import ASGIApp

EXPOSED = (
    *("Content-Disposition", "ETag", "Idempotency-Replayed", "Location", "Preference-Applied", "Retry-After"),
    REQUEST_ID,
)
"""Headers that a page may read, beside those that any may."""


class Cors(CORSMiddleware):
    """Lets pages of some origins, or of all (``*``), call the API; there are no credentials to send."""

    def __init__(self, app: ASGIApp, origins: list[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "HEAD", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer what a browser asks before a call, with 400 where the call is not allowed."""
        answer = super().preflight_response(request_headers)
        if answer.status_code == HTTPStatus.OK:
            return answer
        request_id = request_id_of(request_headers.raw)
        answer.headers[REQUEST_ID] = request_id
        kept = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        # Starlette's words: "Disallowed CORS origin, method"
        detail = (
            f"{bytes(answer.body).decode()}; DEEPLIMIT_CORS_ORIGINS and the methods of the API say what is allowed."
        )
        problem = ProblemError(HTTPStatus.BAD_REQUEST, ErrorCode.INVALID_REQUEST, detail, headers=kept)
        return respond(problem, Request({"type": "http", "state": {"request_id": request_id}}))
