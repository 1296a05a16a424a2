"""What a report is made of: texts, tables and pictures, without any HTML but that of drawings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markupsafe import Markup

Json = dict[str, Any]
Facts = Sequence[tuple[str, str]]
"""Terms, each with what is said of it."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column names its rows; ``notes`` stand below it."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found; ``holds`` is None where it is undecided.

    The documentation explains it at ``href``, if that is an address, or else in the repository at ``reference``.
    """

    text: str
    holds: bool | None = None
    advice: str | None = None
    href: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the job answers: a sentence, more of them, and the findings that carry it."""

    summary: str
    sentences: Sequence[str] = ()
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing with its caption, or the reason why there is none."""

    title: str
    svg: Markup | None = None
    description: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Details, folded until somebody wants them."""

    title: str
    tables: Sequence[Table] = ()
    findings: Sequence[Finding] = ()
    facts: Facts = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to unfold."""
        return not (self.findings or self.facts or any(table.rows for table in self.tables))


@dataclass(frozen=True, slots=True)
class Report:
    """All of a report that depends on the kind of job."""

    title: str
    question: str
    facts: Facts
    answer: Answer
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    details: Sequence[Section] = field(default=())
