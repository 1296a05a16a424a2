"""Answers under a tag of their content: what a job that has succeeded left behind."""

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain
from typing import Annotated

from fastapi import Depends, Header
from starlette.responses import Response, StreamingResponse

from service.api.forms.pieces import PIECE, Pieces, compressed, of_bytes
from service.api.negotiate import matches, takes_gzip
from service.contract.values.media_types import HTML, JSON, NPZ, PDF, PNG, SAFETENSORS, SVG, VEGA_LITE

FOR_GOOD = "private, max-age=31536000, immutable"
"""Of arrays in binary forms and of drawings, which hold a model's numbers, or show them, and nothing else."""
KEPT = frozenset({NPZ, SAFETENSORS, SVG, VEGA_LITE, PNG, PDF})
ASK_FIRST = "private, no-cache"
"""Of all else: links start with the prefix of the day, and a later version may say more."""
TEXTS = frozenset({JSON, HTML, SVG, VEGA_LITE})
"""What is compressed. Arrays in binary forms hardly get smaller."""
LARGE = 4096
"""Bytes from which on text is compressed."""
LEVEL = 6
HEADERS = ("ETag", "Cache-Control")
"""What every such answer carries."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a client wants such an answer: in which form, compressed or not, and only if it does not have it."""

    if_none_match: Annotated[str | None, Header(description="An ETag; 304 where it is that of the answer.")] = None
    accept: Annotated[str, Header(include_in_schema=False)] = ""
    accept_encoding: Annotated[str, Header(include_in_schema=False)] = ""

    def answer(
        self, content: bytes | Pieces, media_type: str = JSON, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Answer with content under a tag of what is sent; binary arrays and drawings alone are kept for good.

        What is more than one piece is sent piece by piece.
        """
        sent = {**(headers or {}), "Cache-Control": FOR_GOOD if media_type in KEPT else ASK_FIRST}
        pieces = content if isinstance(content, Pieces) else of_bytes(content)
        tag, compress = pieces.sha256, False
        if media_type in TEXTS and pieces.size >= LARGE:
            sent["Vary"] = ", ".join(filter(None, (sent.get("Vary"), "Accept-Encoding")))
            compress = takes_gzip(self.accept_encoding)
        sent["ETag"] = f'"{tag}-gzip"' if compress else f'"{tag}"'  # a strong tag is of the bytes on the wire
        if matches(self.if_none_match, sent["ETag"]):
            pieces.give_up()
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=sent)
        if compress:
            sent["Content-Encoding"] = "gzip"
        if pieces.size > PIECE:
            if not compress:
                sent["Content-Length"] = str(pieces.size)
            begun = _begun(pieces.read())
            return StreamingResponse(compressed(begun, LEVEL) if compress else begun, 200, sent, media_type)
        whole = b"".join(pieces.read())
        if compress:
            whole = gzip.compress(whole, LEVEL, mtime=0)
        return Response(whole, headers=sent, media_type=media_type)


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Read the first piece: what is not there has another answer."""
    first = next(pieces)
    return chain([first], pieces)


FinishedOf = Annotated[Finished, Depends(Finished)]
