"""Tables of a terminal: columns that say something, in a plain frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from deeplimit.client.shown import escaped
from service.cli.output import NOTHING, short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

Json = dict[str, Any]
Column = tuple[str, "Callable[[Json], str]"]
"""A title, and the text of a row's cell below it."""


def at(row: Json, *path: str) -> Any:
    """Return what stands at the end of a path of keys, None where the path breaks off."""
    value: Any = row
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def number(title: str, form: str, *path: str, full: bool) -> Column:
    """A column of numbers by a format specification, or in full."""
    return title, lambda row: short(at(row, *path), form, full=full)


def make_table(columns: Sequence[Column], rows: Sequence[Json], *, left: int) -> Table:
    """A table without the columns in which no row has anything; the first `left` columns are words."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    cells = [[escaped(text(row)) for row in rows] for _, text in columns]
    kept = [k for k, column in enumerate(cells) if any(cell != NOTHING for cell in column)]
    for k in kept:
        table.add_column(columns[k][0], justify="left" if k < left else "right", no_wrap=True)
    for row in range(len(rows)):
        table.add_row(*(cells[k][row] for k in kept))
    return table


def show_table(console: Console, title: str, columns: Sequence[Column], rows: Sequence[Json], *, left: int = 0) -> None:
    """Print a table below its title, unless it has no rows."""
    if rows:
        console.print(f"\n{title}", style="bold", markup=False)
        console.print(make_table(columns, rows, left=left))
