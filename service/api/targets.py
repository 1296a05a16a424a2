"""Requests that are plain ones said otherwise: HEAD, a target in absolute form, a path below a proxy's prefix."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ORIGIN = re.compile(rb"https?://[^/]*", re.IGNORECASE)


class Targets:
    """ASGI middleware that hands requests on as the plain ones that they stand for.

    A target in absolute form, as clients of proxies send it (RFC 9112, 3.2.2), stands for its path. A path that starts
    with ``prefix`` stands for the rest, so that a proxy may take the prefix off or leave it. HEAD stands for GET, whose
    headers it answers without the body.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        plain = {**scope, **self._path(scope["raw_path"])}
        head = scope["method"] == "HEAD"
        if head:
            plain["method"] = "GET"

        async def send_head(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        try:
            await self._app(plain, receive, send_head if head else send)
        finally:
            if "route" in plain:  # who counts requests reads it
                scope["route"] = plain["route"]

    def _path(self, raw: bytes) -> dict[str, str | bytes]:
        path = _ORIGIN.sub(b"", raw, 1) or b"/"
        if self._prefix and (path + b"/").startswith(self._prefix + b"/"):
            path = path.removeprefix(self._prefix) or b"/"
        return {} if path == raw else {"raw_path": path, "path": unquote(path.decode("ascii"))}
