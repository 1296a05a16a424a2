"""Results of evaluations and diagnoses as tables and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.cli.layout import make_table
from service.cli.output import short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

Json = dict[str, Any]
Column = tuple[str, "Callable[[Json], str]"]


def show_other_kind(console: Console, results: Json) -> None:
    """Print what an evaluation or a diagnosis found."""
    full = not console.is_terminal
    if "evaluations" in results:
        _show_evaluation(console, results, full=full)
    else:
        _show_diagnosis(console, results, full=full)


def _show_evaluation(console: Console, results: Json, *, full: bool) -> None:
    models: list[Json] = results["evaluations"]
    data = results["data"]
    targets = "" if data["targets"] else ", without targets"
    console.print(f"job {results['evaluated_job_id']} on {data['samples']} samples{targets}", markup=False)
    _print(
        console,
        "Models",
        [
            ("model", lambda m: str(m["model"])),
            _number("loss L", ".6f", "metrics", "terminal_loss", full=full),
            _number("accuracy", ".4f", "metrics", "accuracy", full=full),
            _number("r2", ".4f", "metrics", "r2", full=full),
        ],
        models,
        left=1,
    )
    _print(
        console,
        "Sampled from the continuum, never trained",
        [
            _number("n", "d", "depth", full=full),
            _number("states", ".3e", "states", "sup_error", full=full),
            _number("order", ".3f", "states", "order", full=full),
            _number("predictions", ".3e", "predictions", "sup_error", full=full),
            _number("order", ".3f", "predictions", "order", full=full),
        ],
        (results.get("sampled") or {}).get("depths") or [],
    )
    for model in models:
        _show_solvers(console, model, full=full)
        _show_noise(console, model, full=full)
    for model in models:
        for part in ("predictions", "states"):
            if model.get(part):
                console.print(f"{part} of {model['model']}: {model[part]['href']}", markup=False)


def _show_solvers(console: Console, model: Json, *, full: bool) -> None:
    found: Json | None = model.get("solvers")
    if not found:
        return
    _print(
        console,
        f"Solvers, {model['model']}",
        [
            ("solver", lambda row: str(row["solver"])),
            _number("steps", "d", "steps", full=full),
            _number("states", ".2e", "state_error", full=full),
            _number("order", ".2f", "state_order", full=full),
            _number("predictions", ".2e", "prediction_change", full=full),
            _number("labels", ".4f", "changed_labels", full=full),
            ("agrees", lambda row: "yes" if row["agrees"] else "no"),
        ],
        found["table"],
        left=1,
    )
    words = {True: "do not depend on the solver", False: "depend on the solver", None: "are undecided"}
    change = short(found["reference"]["prediction_change"], ".2e", full=full)
    console.print(
        f"{model['model']}: predictions {words[found['consistent']]}; "
        f"the reference changes them by {change} of {short(found['spread'], '.3g', full=full)}",
        markup=False,
    )


def _show_noise(console: Console, model: Json, *, full: bool) -> None:
    found: Json | None = model.get("robustness")
    if not found:
        return
    _print(
        console,
        f"Noise on the inputs, {model['model']}, {found['repeats']} draws",
        [
            _number("noise", ".3g", "noise", full=full),
            _number("rms change", ".3e", "rms_change", full=full),
            _number("largest", ".3e", "sup_change", full=full),
            _number("labels", ".4f", "changed_labels", full=full),
            _number("accuracy", ".4f", "metrics", "accuracy", full=full),
            _number("r2", ".4f", "metrics", "r2", full=full),
        ],
        found["levels"],
    )


def _show_diagnosis(console: Console, results: Json, *, full: bool) -> None:
    columns: list[Column] = [_number("n", "d", "depth", full=full)]
    columns += [
        _number(title, ".4g", "joint", field, full=full)
        for title, field in (
            ("R", "R"),
            ("sup", "sup"),
            ("L²", "l2"),
            ("root sum sq.", "root_sum_square"),
            ("correlation", "increment_correlation"),
            ("2nd diff.", "second_difference"),
            ("Hölder", "holder"),
        )
    ]
    columns += [_number(f"{p}-var.", ".4g", "joint", "p_variation", p, full=full) for p in ("1", "2", "3")]
    _print(console, "Networks, K and b together", columns, sorted(results["networks"], key=lambda row: row["depth"]))
    found = results["classification"]
    console.print(f"\nClass: {found['class']}", markup=False)
    for row in found["evidence"]:
        value = short(row["value"], ".4g", full=full)
        supports = f" -> {row['supports']}" if row["supports"] else ""
        console.print(f"  * {row['name']} = {value}{supports}: {row['detail']}", markup=False)


def _number(title: str, form: str, *path: str, full: bool) -> Column:
    def text(row: Json) -> str:
        value: Any = row
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return short(value, form, full=full)

    return title, text


def _print(console: Console, title: str, columns: Sequence[Column], rows: Sequence[Json], *, left: int = 0) -> None:
    if rows:
        console.print(f"\n{title}", style="bold", markup=False)
        console.print(make_table(columns, rows, left=left))
