"""The page for people: its files, as they lie in ``service/page``, and the policy that they run under."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache, cached_property
from http import HTTPStatus
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends, Header
from starlette.responses import HTMLResponse, Response

from service.api.negotiate import matches, takes_gzip
from service.api.problems import ProblemError
from service.api.routes.common import answers, problems
from service.api.state import LinksOf
from service.contract.values.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

router = APIRouter(tags=["service"])

INDEX: Final = "index.html"
MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "html": "text/html; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "css": "text/css; charset=utf-8",
        "svg": "image/svg+xml",
        "csv": "text/csv; charset=utf-8",
    }
)
"""What is served, by its ending; other files of the folder are for who reads it."""
_RULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "default-src": "'none'",
        "script-src": "'self'",
        "connect-src": "'self'",
        # Inline styles: a report that is fetched with a key stands in a frame that inherits this policy.
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' blob: data:",
        "frame-src": "'self' blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
)
POLICY: Final = "; ".join(f"{name} {sources}" for name, sources in _RULES.items())
"""Scripts are files of this service, nothing is evaluated, and no other host is asked for anything."""
_VERSIONED: Final = re.compile(r"-\d+\.\d+\.\d+\.")
_LARGE: Final = 1024
_GZIP_LEVEL: Final = 9


@dataclass(frozen=True)
class PageFile:
    """One file: its bytes, compressed once when that is first asked for, and the tags of both."""

    name: str
    content: bytes

    @cached_property
    def compressed(self) -> bytes | None:
        """The content by gzip, or ``None`` where it is too small to gain by it."""
        return gzip.compress(self.content, _GZIP_LEVEL, mtime=0) if len(self.content) >= _LARGE else None

    @cached_property
    def tag(self) -> str:
        """Hash of the content."""
        return hashlib.sha256(self.content).hexdigest()

    def answer(self, if_none_match: str | None, accept_encoding: str) -> Response:
        """Answer with the content, or 304 to who has it."""
        # A name with a version in it never means anything else.
        keep = "public, max-age=31536000, immutable" if _VERSIONED.search(self.name) else "no-cache"
        headers = {
            "Cache-Control": keep,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Content-Security-Policy": POLICY,
        }
        content, tag = self.content, self.tag
        if self.compressed is not None and takes_gzip(accept_encoding):
            content, tag = self.compressed, f"{self.tag}-gzip"
            headers["Content-Encoding"] = "gzip"
        headers["ETag"] = f'"{tag}"'
        if matches(if_none_match, headers["ETag"]):
            headers.pop("Content-Encoding", None)
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(content, headers=headers, media_type=MEDIA_TYPES[self.name.rpartition(".")[2]])


@cache
def files() -> Mapping[str, PageFile]:
    """Read every file of the page, by its path below ``service/page``."""
    found: dict[str, PageFile] = {}

    def read(folder: Traversable, at: str) -> None:
        for entry in folder.iterdir():
            path = f"{at}{entry.name}"
            if entry.is_dir():
                read(entry, f"{path}/")
            elif entry.name.rpartition(".")[2] in MEDIA_TYPES:
                found[path] = PageFile(path, entry.read_bytes())

    read(resources.files("service") / "page", "")
    return MappingProxyType(found)


@cache
def index(prefix: str) -> PageFile:
    """Return the first file as it is below a proxy's prefix; without one its addresses are relative as they stand."""
    content = files()[INDEX].content
    if prefix:
        content = re.sub(rb'(href|src)="page/', rf'\1="{prefix}/page/'.encode(), content)
    return PageFile(INDEX, content)


def _found(path: str) -> PageFile:
    file = files().get(path)
    if file is None or path == INDEX:  # which has one address, where its links hold
        raise ProblemError(HTTPStatus.NOT_FOUND, ErrorCode.NOT_FOUND, "There is nothing at this address.")
    return file


IfNoneMatch = Annotated[str | None, Header(description="An ETag; 304 where it is that of the answer.")]
AcceptEncoding = Annotated[str, Header(include_in_schema=False)]


@router.get(
    "/",
    response_model=None,
    response_class=HTMLResponse,
    summary="Open the page",
    responses=answers(
        HTTPStatus.OK,
        "The page for people, which calls the API from a browser.",
        {"text/html": {"schema": {"type": "string"}}},
        ("ETag", "Cache-Control", "Content-Security-Policy"),
    )
    | answers(HTTPStatus.NOT_MODIFIED, "The client has it.", None, ("ETag", "Cache-Control"))
    | problems(HTTPStatus.UNPROCESSABLE_ENTITY),
)
def get_page(links: LinksOf, if_none_match: IfNoneMatch = None, accept_encoding: AcceptEncoding = "") -> Response:
    """Read the page for people: submit, watch, read and compare studies in a browser."""
    return index(links.prefix).answer(if_none_match, accept_encoding)


@router.get("/page/{path:path}", response_model=None, include_in_schema=False)
def get_page_file(
    file: Annotated[PageFile, Depends(_found)], if_none_match: IfNoneMatch = None, accept_encoding: AcceptEncoding = ""
) -> Response:
    """Read a script, a style or another file of the page."""
    return file.answer(if_none_match, accept_encoding)
