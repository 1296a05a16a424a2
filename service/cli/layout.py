"""Tables of a terminal: columns that say something, in a plain frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from service.cli.output import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Json = dict[str, Any]


def make_table(columns: Sequence[tuple[str, Callable[[Json], str]]], rows: Sequence[Json], *, left: int) -> Table:
    """A table without the columns in which no row has anything; the first `left` columns are words."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    cells = [[text(row) for row in rows] for _, text in columns]
    kept = [k for k, column in enumerate(cells) if any(cell != NOTHING for cell in column)]
    for k in kept:
        table.add_column(columns[k][0], justify="left" if k < left else "right", no_wrap=True)
    for row in range(len(rows)):
        table.add_row(*(cells[k][row] for k in kept))
    return table
