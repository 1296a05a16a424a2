"""What a request says of its body, and reading the body as it streams, up to a limit."""

from __future__ import annotations

import gzip
import zlib
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from service.api.problems import ProblemError
from service.contract.values.errors import ErrorCode
from service.contract.values.media_types import JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.requests import Request

DRAIN = 4
"""Limits' worth of a body that is too large are read and dropped before the connection is cut."""


def media_type_of(request: Request, offered: Collection[str]) -> str:
    """Return the media type of a body, or raise ProblemError 415 where it is none of those offered."""
    media_type, *_ = _content_type(request)
    if media_type in offered:
        return media_type
    detail = f"Send {'one of ' if len(offered) > 1 else ''}{', '.join(offered)}."
    raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, ErrorCode.UNSUPPORTED_MEDIA_TYPE, detail)


def check_charset(request: Request) -> None:
    """Raise ProblemError 400 for a body of text that says it is in another encoding than UTF-8."""
    if any(charset not in {"utf-8", "utf8", "us-ascii"} for charset in parameters_of(request, "charset")):
        raise ProblemError(HTTPStatus.BAD_REQUEST, ErrorCode.WRONG_ENCODING, "The body must be in UTF-8.")


def parameters_of(request: Request, name: str) -> list[str]:
    """Return what the ``Content-Type`` gives for one of its parameters, in small letters."""
    pairs = (part.partition("=") for part in _content_type(request)[1:])
    return [value.strip('" ') for found, _, value in pairs if found.strip() == name]


def _content_type(request: Request) -> list[str]:
    return [part.strip().lower() for part in request.headers.get("content-type", "").split(";")]


def check_encoding(request: Request, *taken: str) -> str:
    """Return the ``Content-Encoding`` of a body, or raise ProblemError 415 where it is none of those taken.

    ``x-gzip`` is gzip (RFC 9110, 8.4.1.3).
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    encoding = "gzip" if encoding == "x-gzip" else encoding
    if encoding in {"identity", *taken}:
        return encoding
    some = f", or with {' or '.join(taken)}" if taken else ""
    detail = f"Send the body as it is, without a Content-Encoding{some}."
    headers = {"Accept-Encoding": ", ".join(taken) or "identity"}
    raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, ErrorCode.UNSUPPORTED_MEDIA_TYPE, detail, headers=headers)


def _too_large(limit: int) -> ProblemError:
    detail = f"The body may have at most {limit} bytes."
    headers = {"Connection": "close"}
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, ErrorCode.BODY_TOO_LARGE, detail, headers=headers)


async def receive(request: Request, limit: int, take: Callable[[bytes], object]) -> None:
    """Read a body as it streams, at most `limit` bytes, and give each part to `take`.

    Raises
    ------
    ProblemError
        400 for an empty body or one that breaks off, 413 over the limit.
    """
    too_large = _too_large(limit)
    announced = request.headers.get("content-length", "")
    over = announced.isdecimal() and int(announced[:20]) > limit
    if over and "expect" in request.headers:  # the client asks first, so it has sent nothing yet
        raise too_large
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            over = over or size > limit
            if not over:
                take(chunk)
            elif size > DRAIN * limit:
                raise too_large
            # else read on without keeping it: most clients read no answer before they have sent all
    except ClientDisconnect:
        raise ProblemError(HTTPStatus.BAD_REQUEST, ErrorCode.INVALID_REQUEST, "The body broke off.") from None
    if over:
        raise too_large
    if not size:
        raise ProblemError(HTTPStatus.BAD_REQUEST, ErrorCode.EMPTY_BODY, "The body is empty.")


async def read_json(request: Request, limit: int) -> bytes:
    """Read a JSON body whole, at most `limit` bytes as it comes and without gzip; it is not decoded.

    Raises
    ------
    ProblemError
        415 for another media type or ``Content-Encoding``, 400 for another charset, an empty body or one that is not
        the gzip it is said to be, 413 over the limit.
    """
    media_type_of(request, [JSON])
    check_charset(request)
    encoding = check_encoding(request, "gzip")
    chunks: list[bytes] = []
    await receive(request, limit, chunks.append)
    body = b"".join(chunks)
    return await run_in_threadpool(_gunzip, body, limit) if encoding == "gzip" else body


def _gunzip(body: bytes, limit: int) -> bytes:
    try:
        plain = gzip.GzipFile(fileobj=BytesIO(body)).read(limit + 1)  # of all members (RFC 1952, 2.2)
    except (EOFError, OSError, zlib.error):
        detail = "The body is not the gzip that its Content-Encoding says, or breaks off."
        raise ProblemError(HTTPStatus.BAD_REQUEST, ErrorCode.INVALID_REQUEST, detail) from None
    if len(plain) > limit:
        raise _too_large(limit)
    return plain
