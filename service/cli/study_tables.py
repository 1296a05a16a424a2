"""Results of a train job as tables and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.cli.answer import show_answer
from service.cli.layout import make_table, number
from service.cli.output import fixed, in_full, is_number, short
from service.cli.plot import gap_plot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from service.cli.layout import Column, Json

ROOMY: Final = 100
"""Columns of a terminal from which on tables get more space between theirs."""
ORDERS: Final = "n·gap is the slope; predicted: from depth n alone; states, lift: orders of their errors"
DETAILS: Final = "Details, in the terms of docs/mathematics.md"
PARTS: Final = {"train": "training", "validation": "validation"}
"""What metrics are of, by the field that holds them."""
CHECKS: Final = {True: "met", False: "missed", None: "undecided"}
VERDICTS: Final = {True: "converges", False: "does not converge", None: "undecided"}


def show_study(console: Console, results: Json) -> None:
    """Print the answer, tables, then the details; on a terminal a plot of the gaps as well."""
    full = in_full(console)
    diagnostics: Json = results.get("diagnostics") or {}
    show_answer(console, diagnostics.get("verdict") or {}, results.get("data"))
    for title, table, remark in (
        ("How good the models are", quality_table(results["models"], full=full), ""),
        ("How training ended", models_table(results["models"], full=full), ""),
        ("How the networks approach the limit", convergence_table(diagnostics, full=full), ORDERS),
    ):
        if table.row_count:
            table.padding = (0, 1) if console.width >= ROOMY else (0, 0)
            console.print(f"\n{title}", style="bold")
            console.print(table)
            if remark:
                console.print(remark, style="dim")
    if console.is_terminal and (plot := gap_plot(diagnostics.get("minima") or {})):
        console.print(plot, markup=False)
    details = [
        *withheld(diagnostics),
        *summary(diagnostics, full=full),
        *beyond_rates(diagnostics, full=full),
        *failing_assumptions(diagnostics),
        *verdict(diagnostics),
    ]
    if details:
        console.print(f"\n{DETAILS}", style="bold", markup=False)
    for line in details:
        console.print(line, markup=False)


def quality_table(models: Sequence[Json], *, full: bool) -> Table:
    """One row per trained model: what it does on the data that it was trained on, and on those held out."""
    columns: list[Column] = [("model", lambda m: str(m["model"]))]
    for name, key, form in (("accuracy", "accuracy", ".4f"), ("R²", "r2", ".4f"), ("loss L", "terminal_loss", ".6f")):
        columns += [number(f"{name}\n{PARTS[part]}", form, part, key, full=full) for part in PARTS]
    return make_table(columns, models, left=1)


def models_table(models: Sequence[Json], *, full: bool) -> Table:
    """One row per trained model: how it ended, and what it took."""
    columns: list[Column] = [
        ("model", lambda m: str(m["model"])),
        ("status", lambda m: str(m["status"])),
        ("objective", lambda m: fixed(m.get("objective"), full=full)),
        number("|g|", ".1e", "gradient_norm", full=full),
        number("iter.", "d", "iterations", full=full),
        number("seconds", ".2f", "wall_time_s", full=full),
    ]
    return make_table(columns, models, left=2)


def convergence_table(diagnostics: Json, *, full: bool) -> Table:
    """One row per depth: objective, gap, slope, distances and their observed orders."""
    rows = [
        {part: _row(diagnostics, part, depth) for part in _PARTS}
        for depth in (row["depth"] for row in _rows(diagnostics, "minima"))
    ]

    columns: list[Column] = [
        number("n", "d", "minima", "depth", full=full),
        ("E_n", lambda row: fixed(row["minima"].get("objective"), full=full)),
        number("gap", ".3e", "minima", "gap", full=full),
        number("order", ".3f", "minima", "order", full=full),
        number("n·gap", ".6f", "minima", "slope", full=full),
        number("predicted", ".6f", "minima", "predicted_slope", full=full),
        number("TL²", ".2e", "minimisers", "tl2", "total", full=full),
        number("order", ".3f", "minimisers", "order", "total", full=full),
        number("states", ".3f", "states", "order", full=full),
        number("lift", ".3f", "lift", "order", full=full),
    ]
    return make_table(columns, rows, left=0)


def summary(diagnostics: Json, *, full: bool) -> list[str]:
    """The limit by every route there is, and predicted against observed slope."""
    minima: Json = diagnostics.get("minima") or {}
    rows: list[Json] = minima.get("depths") or [{}]
    last = rows[-1]
    depth, slope, predicted = (last.get(key) for key in ("depth", "slope", "predicted_slope"))
    limits = [
        ("trained as a continuum", minima.get("continuum"), None),
        ("Richardson extrapolation of the last two depths", minima.get("richardson"), minima.get("richardson_error")),
    ]
    if is_number(depth) and is_number(predicted) and is_number(last.get("objective")):
        limits.append((f"predicted from depth {depth} alone", last["objective"] - predicted / depth, None))
    lines = [
        f"E_∞ = {fixed(value, full=full)}{_within(error)}  {route}"
        for route, value, error in limits
        if value is not None
    ]
    slopes = [
        (f"observed, n (E_n - E_∞) at n = {depth}", slope, None),
        (f"predicted from depth {depth} alone", predicted, last.get("predicted_slope_error")),
        ("predicted from the continuum", minima.get("predicted_slope"), minima.get("predicted_slope_error")),
    ]
    lines += [
        f"slope = {short(value, '.6f', full=full)}{_within(error)}  {route}"
        for route, value, error in slopes
        if value is not None
    ]
    if is_number(slope) and slope and is_number(predicted):
        lines.append(f"predicted and observed slope differ by {abs(predicted / slope - 1):.2%}")
    return lines


def _within(error: object) -> str:
    return f" ± {error:.1e}" if is_number(error) else ""


def beyond_rates(diagnostics: Json, *, full: bool) -> list[str]:
    """The class of the depth sequence, what depth a gap or a prediction error needs, and the branches."""
    lines = []
    if diagnostics.get("classification"):
        lines.append(f"class of the depth sequence: {diagnostics['classification']['class']}")
    for advice in diagnostics.get("depth_advice") or ():
        lines += _advice(advice, full=full)
    for branch in diagnostics.get("branches") or ():
        ends = list(branch["objectives"].items())[-1:]
        where = "".join(f", E = {fixed(value, full=full)} at {place}" for place, value in ends)
        mark = "  <- verdict" if branch["verdict"] else ""
        lines.append(f"branch {branch['branch']}: {branch['starts']} starts, {branch['status']}{where}{mark}")
    return lines


def _advice(advice: Json, *, full: bool) -> list[str]:
    """What depth is advised, and what training found there where the job asked for it."""
    by_gap, check = advice["gap"] is not None, advice.get("check")
    error = advice["gap"] if by_gap else advice["wanted_prediction_error"]
    wanted = f"a {'gap' if by_gap else 'prediction error'} of {short(error, '.2e', full=full)}"
    lines = []
    if advice["depth"] is not None:
        low, high = advice.get("depth_interval") or (advice["depth"], advice["depth"])
        between = f" ({low} to {high})" if low < high else ""
        lines.append(f"{wanted} takes depth {advice['depth']}{between}  by {advice['basis']}")
    elif check is None:
        lines.append(f"{wanted}: no depth advised  ({(advice.get('withheld') or {}).get('depth', 'not predicted')})")
    if check is not None:
        found = f"trained at depth {check['depth']}: " if check["depth"] is not None else ""
        value = check["gap" if by_gap else "prediction_error"]
        measured = f", {short(value, '.2e', full=full)}" if value is not None else ""
        reason = f"  ({check['detail']})" if check["detail"] else ""
        lines.append(f"{wanted}: {found}{CHECKS[check['met']]}{measured}{reason}")
    return lines


def withheld(diagnostics: Json) -> list[str]:
    """Why a value is not given, by part and row."""
    parts = [f"{part} withheld: {reason}" for part, reason in (diagnostics.get("withheld") or {}).items()]
    return parts + [
        f"{part}{place}: {field} withheld: {reason}"
        for part in _PARTS
        for place, found in [
            ("", diagnostics.get(part) or {}),
            *((f", depth {row.get('depth')}", row) for row in _rows(diagnostics, part)),
        ]
        for field, reason in (found.get("withheld") or {}).items()
    ]


def failing_assumptions(diagnostics: Json) -> list[str]:
    """The assumptions of the theorem that this problem does not meet."""
    return [
        f"assumption {entry['name']} does not hold: {entry['detail']}"
        for entry in diagnostics.get("assumptions") or ()
        if entry["holds"] is False
    ]


def verdict(diagnostics: Json) -> list[str]:
    """The verdict and its statements."""
    found: Json | None = diagnostics.get("verdict")
    if found is None:
        return []
    return [f"Verdict: {VERDICTS[found['converges']]}", *(f"  * {statement}" for statement in found["statements"])]


_PARTS: Final = ("minima", "minimisers", "states", "lift")


def _rows(diagnostics: Json, part: str) -> list[Json]:
    rows: list[Json] | None = (diagnostics.get(part) or {}).get("depths")
    return rows or []


def _row(diagnostics: Json, part: str, depth: int) -> Json:
    return next((row for row in _rows(diagnostics, part) if row["depth"] == depth), {})
