"""A data set as a person reads it: its columns as a table, and its first rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich import box
from rich.table import Table

from deeplimit.client.shown import escaped
from service.cli.layout import show_table
from service.cli.output import NOTHING

if TYPE_CHECKING:
    from rich.console import Console

Json = dict[str, Any]

_DIGITS: Final = 6
_CLASSES: Final = 12
"""Classes of a column that are named."""
_ROW_COLUMNS: Final = 12
"""Columns of which the first rows are shown; of more, the first and the targets."""


def show_preview(console: Console, preview: Json, *, rows: bool) -> None:
    """Print the columns and, where asked for, the first rows."""
    columns = [
        ("column", lambda column: escaped(_name(column))),
        ("role", lambda column: column["role"]),
        ("type", lambda column: column["type"]),
        ("minimum", lambda column: _number(column["minimum"])),
        ("maximum", lambda column: _number(column["maximum"])),
        ("mean", lambda column: _number(column["mean"])),
        ("missing", lambda column: str(column["missing"]) if column["missing"] else NOTHING),
        ("classes", _classes),
    ]
    listed = [column | {"place": place} for place, column in enumerate(preview["columns"])]
    show_table(console, f"{preview['samples']} samples", columns, listed, left=3)
    if preview["more_columns"]:
        console.print(f"and {preview['more_columns']} more columns", markup=False)
    if rows:
        _show_rows(console, preview)


def _name(column: Json) -> str:
    return f"({column['place']})" if column["name"] is None else column["name"] or '""'


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.{_DIGITS}g}"


def _classes(column: Json) -> str:
    classes = column["classes"]
    if not classes:
        return NOTHING
    shown = ", ".join(f"{escaped(one['name'])} ({one['samples']})" for one in classes[:_CLASSES])
    more = len(classes) - _CLASSES + column["more_classes"]
    return f"{shown} and {more} more" if more > 0 else shown


def _show_rows(console: Console, preview: Json) -> None:
    columns = list(enumerate(preview["columns"]))
    inputs = [place for place, column in columns if column["role"] == "input"]
    targets = [place for place, column in columns if column["role"] == "target"][:_ROW_COLUMNS]
    shown = inputs[: _ROW_COLUMNS - min(len(targets), _ROW_COLUMNS // 2)] + targets
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for place in shown:
        table.add_column(escaped(_name(preview["columns"][place] | {"place": place})), justify="right", no_wrap=True)
    for row in preview["rows"]:
        table.add_row(*(escaped(str(row[place])) for place in shown))
    few = f", {len(shown)} of {len(columns) + preview['more_columns']} columns" if len(shown) < len(columns) else ""
    console.print(f"\nfirst {len(preview['rows'])} rows{few}", style="bold", markup=False)
    console.print(table)
