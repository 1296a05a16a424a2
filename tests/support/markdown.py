"""Markdown pages of the repository, taken apart: headings, tables and code."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
_PARSER = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @cached_property
    def tokens(self) -> Sequence[Token]:
        return _PARSER.parse(self.path.read_text())

    @cached_property
    def _inline(self) -> list[Token]:
        return [child for token in self.tokens for child in token.children or ()]

    @property
    def links(self) -> list[str]:
        """Targets of links."""
        return [str(token.attrs["href"]) for token in self._inline if token.type == "link_open"]

    @property
    def code_spans(self) -> list[str]:
        """What stands between backticks in the text."""
        return [token.content for token in self._inline if token.type == "code_inline"]

    @cached_property
    def headings(self) -> list[str]:
        """Their text, without markup."""
        followed = zip(self.tokens, self.tokens[1:], strict=False)
        return [
            "".join(child.content for child in inline.children or ())
            for opened, inline in followed
            if opened.type == "heading_open"
        ]

    @cached_property
    def anchors(self) -> set[str]:
        """Fragments that lead to a heading, by the rule of the common hosts: a heading that comes again is numbered."""
        found: dict[str, int] = {}
        for heading in self.headings:
            slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            found[slug] = found.get(slug, -1) + 1
        return {slug if not time else f"{slug}-{time}" for slug, most in found.items() for time in range(most + 1)}

    def blocks(self, language: str) -> list[str]:
        """Fenced code in one language."""
        return [
            token.content for token in self.tokens if token.type == "fence" and token.info.split()[:1] == [language]
        ]

    def rows(self, first: str) -> list[list[Token]]:
        """Cells of the body of the table whose first column is headed so."""
        rows: list[list[Token]] = []
        for opened, token in pairwise([*self.tokens, *self.tokens[-1:]]):  # the last one may close the table
            if opened.type == "tr_open":
                rows.append([])
            if opened.type in {"th_open", "td_open"}:
                rows[-1].append(token)
            if opened.type == "table_close":
                if rows[0][0].content == first:
                    return rows[1:]
                rows = []
        raise LookupError(first)


def code_of(cell: Token) -> list[str]:
    """Return what stands between backticks in a cell of a table."""
    return [child.content for child in cell.children or () if child.type == "code_inline"]


def tracked(pattern: str = "*") -> list[Path]:
    """Return the files that the repository keeps, by their path in it."""
    command = ["git", "ls-files", "-z", pattern]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [Path(name) for name in names.split("\0") if name]


def tracked_pages() -> list[Page]:
    """Return every Markdown file that the repository keeps."""
    return [Page(ROOT / path) for path in tracked("*.md")]
