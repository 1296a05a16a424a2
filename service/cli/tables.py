"""Results of a job as tables and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from service.cli.layout import make_table
from service.cli.other_kinds import show_other_kind
from service.cli.output import fixed, is_number, short
from service.cli.plot import gap_plot
from service.cli.progress import describe, measures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console
    from rich.table import Table

Json = dict[str, Any]

ROOMY: Final = 100
"""Columns of a terminal from which on tables get more space between theirs."""
ORDERS: Final = "n·gap is the slope; predicted: from depth n alone; states, lift: orders of their errors"
CHECKS: Final = {True: "met", False: "missed", None: "undecided"}
VERDICTS: Final = {True: "converges", False: "does not converge", None: "undecided"}


def show_results(console: Console, results: Json) -> None:
    """Print models, convergence table, slopes and verdict; on a terminal a plot of the gaps as well."""
    if "models" not in results:
        show_other_kind(console, results)
        return
    full = not console.is_terminal
    diagnostics: Json = results.get("diagnostics") or {}
    for title, table, remark in (
        ("Models", models_table(results["models"], full=full), ""),
        ("Convergence", convergence_table(diagnostics, full=full), ORDERS),
    ):
        if table.row_count:
            table.padding = (0, 1) if console.width >= ROOMY else (0, 0)
            console.print(f"\n{title}", style="bold")
            console.print(table)
            if remark:
                console.print(remark, style="dim")
    for line in [*withheld(diagnostics), *summary(diagnostics, full=full), *beyond_rates(diagnostics, full=full)]:
        console.print(line, markup=False)
    if console.is_terminal and (plot := gap_plot(diagnostics.get("minima") or {})):
        console.print(plot, markup=False)
    for line in ["", *failing_assumptions(diagnostics), *verdict(diagnostics)]:
        console.print(line, markup=False)


def job_lines(job: Json) -> list[str]:
    """A job in a few lines: status, what it is doing, why it failed."""
    name = f" ({job['name']})" if job.get("name") else ""
    lines = [f"job {job['id']}{name}: {job['status']}, attempt {job['attempt']}"]
    if (progress := job.get("progress")) and not job["done"]:
        lines.append(f"{progress['fraction']:.0%}  {describe(job)}  {measures(job)}")
    if error := job.get("error"):
        again = "; submitting it again may help" if error["retryable"] else ""
        lines.append(f"{error['code']}: {error['detail']}{again}")
    return lines


def models_table(models: Sequence[Json], *, full: bool) -> Table:
    """One row per trained model: how it ended, and what it took."""
    columns: list[tuple[str, Callable[[Json], str]]] = [
        ("model", lambda m: str(m["model"])),
        ("status", lambda m: str(m["status"])),
        ("objective", lambda m: fixed(m.get("objective"), full=full)),
        ("loss L", lambda m: short(m.get("terminal_loss"), ".6f", full=full)),
        ("|g|", lambda m: short(m.get("gradient_norm"), ".1e", full=full)),
        ("iter.", lambda m: short(m.get("iterations"), "d", full=full)),
        ("accuracy", lambda m: short((m.get("train") or {}).get("accuracy"), ".4f", full=full)),
        ("r2", lambda m: short((m.get("train") or {}).get("r2"), ".4f", full=full)),
        ("seconds", lambda m: short(m.get("wall_time_s"), ".2f", full=full)),
    ]
    return make_table(columns, models, left=2)


def convergence_table(diagnostics: Json, *, full: bool) -> Table:
    """One row per depth: objective, gap, slope, distances and their observed orders."""
    rows = [
        {part: _row(diagnostics, part, depth) for part in _PARTS}
        for depth in (row["depth"] for row in _rows(diagnostics, "minima"))
    ]

    def number(part: str, form: str, *path: str) -> Callable[[Json], str]:
        return lambda row: short(_at(row[part], *path), form, full=full)

    columns: list[tuple[str, Callable[[Json], str]]] = [
        ("n", number("minima", "d", "depth")),
        ("E_n", lambda row: fixed(row["minima"].get("objective"), full=full)),
        ("gap", number("minima", ".3e", "gap")),
        ("order", number("minima", ".3f", "order")),
        ("n·gap", number("minima", ".6f", "slope")),
        ("predicted", number("minima", ".6f", "predicted_slope")),
        ("TL²", number("minimisers", ".2e", "tl2", "total")),
        ("order", number("minimisers", ".3f", "order", "total")),
        ("states", number("states", ".3f", "order")),
        ("lift", number("lift", ".3f", "order")),
    ]
    return make_table(columns, rows, left=0)


def summary(diagnostics: Json, *, full: bool) -> list[str]:
    """The limit by every route there is, and predicted against observed slope."""
    minima: Json = diagnostics.get("minima") or {}
    rows: list[Json] = minima.get("depths") or [{}]
    last = rows[-1]
    depth, slope, predicted = (last.get(key) for key in ("depth", "slope", "predicted_slope"))
    limits = [
        ("trained as a continuum", minima.get("continuum")),
        ("Richardson extrapolation of the last two depths", minima.get("richardson")),
    ]
    if is_number(depth) and is_number(predicted) and is_number(last.get("objective")):
        limits.append((f"predicted from depth {depth} alone", last["objective"] - predicted / depth))
    lines = [f"E_∞ = {fixed(value, full=full)}  {route}" for route, value in limits if value is not None]
    slopes = [
        (f"observed, n (E_n - E_∞) at n = {depth}", slope),
        (f"predicted from depth {depth} alone", predicted),
        ("predicted from the continuum", minima.get("predicted_slope")),
    ]
    lines += [f"slope = {short(value, '.6f', full=full)}  {route}" for route, value in slopes if value is not None]
    if is_number(slope) and slope and is_number(predicted):
        lines.append(f"predicted and observed slope differ by {abs(predicted / slope - 1):.2%}")
    return lines


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
        lines.append(f"{wanted} takes depth {advice['depth']}  by {advice['basis']}")
    if check is not None:
        found = f"trained at depth {check['depth']}: " if check["depth"] is not None else ""
        value = check["gap" if by_gap else "prediction_error"]
        measured = f", {short(value, '.2e', full=full)}" if value is not None else ""
        reason = f"  ({check['detail']})" if check["detail"] else ""
        lines.append(f"{wanted}: {found}{CHECKS[check['met']]}{measured}{reason}")
    return lines


def withheld(diagnostics: Json) -> list[str]:
    """Why a value is not given, by part and row."""
    return [
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


def _at(row: Json, *path: str) -> Any:
    value: Any = row
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
