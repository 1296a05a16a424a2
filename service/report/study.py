"""The report of a train job: which depth, and whether to believe it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.report.data import data_facts, data_name, network_of, varied
from service.report.parts import Report, Table
from service.report.study_details import details_of
from service.report.texts import NOTHING, at, number
from service.report.verdict import METRICS, answer_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.report.parts import Json, Picture


def present(spec: Json, results: Json, pictures: Sequence[Picture]) -> Report:
    """Return what is told of a train job, from its resolved specification, its results and its drawings."""
    diagnostics = results["diagnostics"]
    name = data_name(spec["data"])
    return Report(
        title=f"How deep a network for {name}",
        question=f"How deep does a residual network for {name} have to be,"
        " and do networks of growing depth settle on one limit?",
        facts=[
            *data_facts(spec["data"], results.get("data")),
            ("Varied", varied(spec)),
            ("Network", network_of(spec)),
        ],
        answer=answer_of(diagnostics["verdict"]),
        tables=[depths_table(results)],
        pictures=pictures,
        details=details_of(results),
    )


def metric_of(models: Sequence[Json]) -> str:
    """Return the metric that models are measured by."""
    return next((m for m in ("accuracy", "r2") for model in models if m in (model.get("train") or {})), "accuracy")


def depths_table(results: Json) -> Table:
    """Return a row for each depth: minimum, its distance from the limit's, the one that was predicted, the metrics."""
    minima = {row["depth"]: row for row in at(results, "diagnostics", "minima", "depths") or ()}
    models = results["models"]
    metric = metric_of(models)
    rows = []
    notes = []
    for model in models:
        row = minima.get(model.get("depth"), {})
        slope, n = row.get("predicted_slope"), model.get("depth")
        predicted = slope / n if n and isinstance(slope, float | int) else None
        rows.append(
            [
                str(n) if n else "∞ (continuum)",
                number(model.get("objective"), ".8f"),
                number(row.get("gap"), ".3e"),
                number(predicted, ".3e"),
                *(number(at(model, part, metric), ".4f") for part in ("train", "validation")),
                model["status"].replace("_", " "),
            ]
        )
        notes += [
            f"{model['model']}: {part} {name} is withheld: {reason}."
            for part in ("train", "validation")
            for name, reason in (at(model, part, "withheld") or {}).items()
        ]
    notes += [
        f"Depth {depth}: the gap is withheld: {why}."
        for depth, row in minima.items()
        if (why := at(row, "withheld", "gap"))
    ]
    notes += dict.fromkeys(why for model in models for why in (model.get("withheld") or {}).values())
    name = METRICS[metric].capitalize()
    columns = ["Depth n", "Minimum E", "Gap E − E∞", "Predicted gap", f"{name}, training", f"{name}, validation", "Fit"]
    kept = [k for k in range(len(columns)) if any(row[k] != NOTHING for row in rows)]
    return Table(
        "Each depth beside the continuum limit. The predicted gap is what depth n alone says of its own.",
        [columns[k] for k in kept],
        [[row[k] for k in kept] for row in rows],
        notes,
    )
