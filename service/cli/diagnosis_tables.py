"""Results of a diagnosis as a table and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.cli.layout import number, show_table
from service.cli.output import in_full, short

if TYPE_CHECKING:
    from rich.console import Console

    from service.cli.layout import Column, Json


def show_diagnosis(console: Console, results: Json) -> None:
    """Print what a diagnosis found: the norms of every network, and the class of their sequence."""
    full = in_full(console)
    columns: list[Column] = [number("n", "d", "depth", full=full)]
    columns += [
        number(title, ".4g", "joint", field, full=full)
        for title, field in (
            ("R", "R"),
            ("sup", "sup"),
            ("L²", "l2"),
            ("root sum sq.", "root_sum_square"),
            ("of increments", "root_sum_square_increments"),
            ("correlation", "increment_correlation"),
            ("2nd diff.", "second_difference"),
            ("Hölder", "holder"),
        )
    ]
    columns += [number(f"{p}-var.", ".4g", "joint", "p_variation", p, full=full) for p in ("1", "2", "3")]
    show_table(
        console, "Networks, K and b together", columns, sorted(results["networks"], key=lambda row: row["depth"])
    )
    found = results["classification"]
    console.print(f"\nClass: {found['class']}", markup=False)
    for row in found["evidence"]:
        value = short(row["value"], ".4g", full=full)
        supports = f" -> {row['supports']}" if row["supports"] else ""
        console.print(f"  * {row['name']} = {value}{supports}: {row['detail']}", markup=False)
