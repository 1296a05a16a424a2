"""Results of an evaluation as tables and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.cli.answer import named
from service.cli.layout import number, show_table
from service.cli.output import in_full, short

if TYPE_CHECKING:
    from rich.console import Console

    from service.cli.layout import Json


OWN = ", those of the job itself: trained on and held out together"


def show_evaluation(console: Console, results: Json) -> None:
    """Print what an evaluation found: metrics, sampled depths, solvers, noise, and where the arrays are."""
    full = in_full(console)
    models: list[Json] = results["evaluations"]
    data = results["data"]
    targets = "" if data["targets"] else ", without targets"
    own = OWN if data["source"] == "job" else ""
    console.print(f"job {results['evaluated_job_id']} on {data['samples']} samples{own}{targets}", markup=False)
    if data.get("classes"):
        console.print(f"classes: {named(data['classes'])}", markup=False)
    show_table(
        console,
        "How good the models are on these samples",
        [
            ("model", lambda m: str(m["model"])),
            number("accuracy", ".4f", "metrics", "accuracy", full=full),
            number("R²", ".4f", "metrics", "r2", full=full),
            number("loss L", ".6f", "metrics", "terminal_loss", full=full),
        ],
        models,
        left=1,
    )
    for model in models:
        absent = {**(model.get("withheld") or {}), **((model.get("metrics") or {}).get("withheld") or {})}
        for name in ("metrics", "r2"):
            if name in absent:
                console.print(f"{name} of {model['model']} withheld: {absent[name]}", markup=False)
    show_table(
        console,
        "Sampled from the continuum, never trained",
        [
            number("n", "d", "depth", full=full),
            number("states", ".3e", "states", "sup_error", full=full),
            number("order", ".3f", "states", "order", full=full),
            number("predictions", ".3e", "predictions", "sup_error", full=full),
            number("order", ".3f", "predictions", "order", full=full),
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
    show_table(
        console,
        f"Solvers, {model['model']}",
        [
            ("solver", lambda row: str(row["solver"])),
            number("steps", "d", "steps", full=full),
            number("states", ".2e", "state_error", full=full),
            number("order", ".2f", "state_order", full=full),
            number("predictions", ".2e", "prediction_change", full=full),
            number("relative", ".2e", "relative_change", full=full),
            number("labels", ".4f", "changed_labels", full=full),
            ("agrees", lambda row: "yes" if row["agrees"] else "no"),
        ],
        found["table"],
        left=1,
    )
    words = {True: "do not depend on the solver", False: "depend on the solver", None: "are undecided"}
    reference, spreads = found["reference"], found.get("spreads") or [found["spread"]]
    output = reference.get("output") or 0
    change = short(reference.get("relative_change"), ".2e", full=full)
    console.print(
        f"{model['model']}: predictions {words[found['consistent']]}; the reference changes output {output} by {change}"
        f" of its spread, {short(spreads[output], '.3g', full=full)}, which is the most",
        markup=False,
    )
    reason = found.get("advice") or (found.get("withheld") or {}).get("consistent")
    if reason:
        console.print(f"{model['model']}: {reason}", markup=False)


def _show_noise(console: Console, model: Json, *, full: bool) -> None:
    found: Json | None = model.get("robustness")
    if not found:
        return
    show_table(
        console,
        f"Noise on the inputs, {model['model']}, {found['repeats']} draws",
        [
            number("noise", ".3g", "noise", full=full),
            number("rms change", ".3e", "rms_change", full=full),
            number("largest", ".3e", "sup_change", full=full),
            number("labels", ".4f", "changed_labels", full=full),
            number("accuracy", ".4f", "metrics", "accuracy", full=full),
            number("r2", ".4f", "metrics", "r2", full=full),
        ],
        found["levels"],
    )
