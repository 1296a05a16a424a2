"""Fenced code of a page, in its order, with its class and its line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.markdown import Page

KINDS = ("bash", "python", "json", "output", "yaml", "sh", "mermaid", "text")
"""What docs/index.md says of each is what the tests do with it."""


@dataclass(frozen=True)
class Block:
    """One block.

    Parameters
    ----------
    kind
        First word after the fence: one of `KINDS`.
    refused
        Statuses that the text says a request is refused with: further words after the fence, ``refused=404,409``.
    line
        Of its first line of code, from 1.
    """

    kind: str
    refused: tuple[int, ...]
    text: str
    line: int


def blocks(page: Page) -> list[Block]:
    """Return every fenced or indented block.

    Raises
    ------
    ValueError
        A block has no class, or an unknown one.
    """
    found = []
    for token in page.tokens:
        if token.type not in {"fence", "code_block"}:
            continue
        line = (token.map or [0])[0] + 2
        kind, _, more = token.info.partition(" ")
        said = re.fullmatch(r"(?:refused=(\d{3}(?:,\d{3})*))?", more.strip())
        if kind not in KINDS or said is None:
            raise ValueError(
                f"{page.path.name}:{line}: a block of code is one of {', '.join(KINDS)}, not {token.info!r}"
            )
        statuses = tuple(map(int, (said[1] or "").split(","))) if said[1] else ()
        found.append(Block(kind, statuses, token.content, line))
    return found
