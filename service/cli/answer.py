"""The answer of a study: which depth, and whether to believe it, before any table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deeplimit.client.shown import escaped

if TYPE_CHECKING:
    from rich.console import Console

    from service.cli.layout import Json

MOST_NAMES = 12
"""Names of columns or classes that are shown."""


def show_answer(console: Console, verdict: Json, data: Json | None) -> None:
    """Print summary, depth, what to change and the other main findings, as far as the results have them."""
    if verdict.get("summary"):
        console.print(verdict["summary"], style="bold", markup=False)
    for line in [*answer_lines(verdict), *data_lines(data)]:
        console.print(line, markup=False)


def answer_lines(verdict: Json) -> list[str]:
    """The main findings but the summary; what to change stands below the depth."""
    lines = []
    change = (verdict.get("answer") or {}).get("change")
    for finding in verdict.get("findings") or ():
        if finding["level"] != "main" or finding["code"] == "summary":
            continue
        lines.append(f"  * {finding['text']}")
        if finding["code"] == "use_depth" and change:
            lines.append(f"    To change: {change}")
    return lines


def data_lines(data: Json | None) -> list[str]:
    """What the models were trained on: how many samples of what, by name where there are names."""
    if not data:
        return []
    samples = data["samples"]
    held_out = f", {samples['validation']} held out for validation" if samples["validation"] else ""
    line = f"  Data: {samples['train']} samples to train on{held_out}; {data['features']} inputs"
    for words, key in (("", "inputs"), ("; target ", "targets"), ("; classes ", "classes")):
        if names := data.get(key):
            line += f" ({named(names)})" if not words else f"{words}{named(names)}"
    return [line]


def named(names: list[str]) -> str:
    """Names in a row, the first of them where there are many, each on one line and with control characters escaped."""
    shown = [escaped(" ".join(name.split())) for name in names[:MOST_NAMES]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
