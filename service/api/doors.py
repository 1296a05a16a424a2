"""Who is let in: names of hosts, pages of other origins, requests of one length; and what seals every answer.

A browser sends what any page tells it to, to this machine as well: a page cannot read the answer, but a job would be
cancelled. And a name of somebody else's that is made to mean this machine has a browser take the page for ours.
"""

from __future__ import annotations

import ipaddress
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request

from service.api.observe import REQUEST_ID, request_id_of
from service.api.problems import ProblemError, respond
from service.contract.values.errors import ErrorCode

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from service.config import Settings

EXPOSED = (
    *("Content-Disposition", "ETag", "Idempotency-Replayed", "Location", "Preference-Applied", "Retry-After"),
    REQUEST_ID,
)
"""Headers that a page may read, beside those that any may."""

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""
_OWN: Final = frozenset({b"same-origin", b"none"})
"""What a browser says of a request by our own page, and of one by its user."""
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:@/]+)(:[0-9]*)?")
_AUTHORITY: Final = re.compile(rb"https?://([^/?#]*)", re.IGNORECASE)


class Seal:
    """ASGI middleware, the outermost: no answer is taken for another type, or kept unless it says so itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"]]
                named = {name.lower() for name, _ in headers}
                for name, value in ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")):
                    if name not in named:
                        headers.append((name, value))
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, sealed if scope["type"] == "http" else send)


class Doors:
    """ASGI middleware that refuses who came by a wrong name, from a page of others, or with two lengths.

    A host is known by the names of loopback, by the address that the service listens on (any of the machine's where it
    listens on all), and by ``DEEPLIMIT_HOSTS``. A request that changes something may come from our own page, from those
    of ``DEEPLIMIT_CORS_ORIGINS``, and from what is no browser, which sends neither ``Origin`` nor ``Sec-Fetch-Site``.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = {"localhost", "127.0.0.1", "::1", settings.host.lower(), *_parts((settings.hosts or "").lower())}
        self._everywhere = _is_address(settings.host) and ipaddress.ip_address(settings.host).is_unspecified
        self._origins = {origin.lower() for origin in _parts(settings.cors_origins)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await respond(refusal, Request(scope))(scope, receive, send)

    def _refusal(self, scope: Scope) -> ProblemError | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if b"transfer-encoding" in headers and b"content-length" in headers:
            detail = "A request has a Content-Length or a Transfer-Encoding, not both."
            close = {"Connection": "close"}  # who passed it on may take the rest of it for another request
            return ProblemError(HTTPStatus.BAD_REQUEST, ErrorCode.INVALID_REQUEST, detail, headers=close)
        asked = [headers[b"host"]] if b"host" in headers else []  # HTTP/1.0 may do without, and is no browser's
        if found := _AUTHORITY.match(scope["raw_path"]):  # goes before the header (RFC 9112, 3.2.2)
            asked.append(found[1])
        if not all(map(self._knows, asked)):
            detail = "There is no service by this name here; DEEPLIMIT_HOSTS has the names that it is asked by."
            return ProblemError(HTTPStatus.MISDIRECTED_REQUEST, ErrorCode.WRONG_HOST, detail)
        if scope["method"] not in SAFE and self._foreign(headers):
            detail = "A page of another origin may change nothing here; DEEPLIMIT_CORS_ORIGINS has those that may."
            return ProblemError(HTTPStatus.FORBIDDEN, ErrorCode.FOREIGN_ORIGIN, detail)
        return None

    def _knows(self, asked: bytes) -> bool:
        """Whether a host is ours, whatever its port, which may be forwarded from another."""
        if "*" in self._hosts:
            return True
        found = _HOST.fullmatch(asked.decode("latin-1").strip().lower())
        if found is None:
            return False
        name = found[1].strip("[]").removesuffix(".")
        if name in self._hosts:
            return True
        # an address is nobody else's name, so no page of others can be at it
        return _is_address(name) and (self._everywhere or ipaddress.ip_address(name).is_loopback)

    def _foreign(self, headers: dict[bytes, bytes]) -> bool:
        """Whether a request comes from a page of another origin that is not named.

        A browser's word for where it comes from holds behind a proxy that changes the name of the host as well;
        without it the origin has to have that name.
        """
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if "*" in self._origins or (origin and origin in self._origins):
            return False
        site = headers.get(b"sec-fetch-site")
        if site is not None:
            return site.strip().lower() not in _OWN
        return bool(origin) and origin.partition("://")[2] != headers.get(b"host", b"").decode("latin-1").lower()


def _parts(setting: str | None) -> list[str]:
    return setting.split(",") if setting else []


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


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
