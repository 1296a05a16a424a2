"""The report of an evaluation: how trained models do on data, at other depths, by other solvers and under noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.report.data import data_name
from service.report.parts import Answer, Finding, Report, Section, Table
from service.report.texts import NOTHING, at, count, number, yes
from service.report.verdict import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.report.parts import Json, Picture

CONSISTENT: Final = {
    True: "does not depend on the solver",
    False: "depends on the solver",
    None: "may or may not depend on the solver: undecided",
}


def present(spec: Json, results: Json, pictures: Sequence[Picture]) -> Report:
    """Return what is told of an evaluation, from its resolved specification and its results."""
    models, data = results["evaluations"], results["data"]
    trained = data_name(spec["trained"]["data"])
    own = spec["data"]["source"] == "job"
    on = "the data that they were trained on" if own else data_name(spec["data"])
    return Report(
        title=f"Models for {trained}, evaluated on {on if not own else 'their own data'}",
        question=f"How do networks that were trained for {trained} do on {on}?",
        facts=[
            ("Models", ", ".join(model["model"] for model in models)),
            ("Samples", f"{data['samples']}, {'with' if data['targets'] else 'without'} targets"),
            ("Asked for", ", ".join(spec["outputs"])),
            ("Trained by the job", results["evaluated_job_id"]),
        ],
        answer=Answer(_summary(models, targets=data["targets"]), findings=_findings(models)),
        tables=[_models_table(models)],
        pictures=pictures,
        details=[section for section in _details(results) if not section.empty],
    )


def _metric(models: Sequence[Json]) -> str:
    return next((m for m in ("accuracy", "r2") for model in models if m in (model.get("metrics") or {})), "accuracy")


def _summary(models: Sequence[Json], *, targets: bool) -> str:
    name = _metric(models)
    measured = [(value, model["model"]) for model in models if (value := at(model, "metrics", name)) is not None]
    if not measured:
        without = "The data have no targets" if not targets else "No metric can be given, or none was asked for"
        return f"{without}: predictions of {count(len(models), 'model')} were computed."
    values = [value for value, _ in measured]
    best = max(measured)[1]
    if len(measured) == 1:
        return f"{best} reaches {METRICS[name]} {number(values[0])}."
    if min(values) == max(values):
        return f"All {len(measured)} models reach {METRICS[name]} {number(values[0])}."
    return (
        f"{METRICS[name]} is between {number(min(values))} and {number(max(values))}; {best} has the best.".capitalize()
    )


def _findings(models: Sequence[Json]) -> list[Finding]:
    findings = []
    for model in models:
        if solvers := model.get("solvers"):
            reason = solvers.get("advice") or at(solvers, "withheld", "consistent")
            text = f"What {model['model']} predicts {CONSISTENT[solvers['consistent']]}."
            findings.append(Finding(text, solvers["consistent"], reason))
    return findings


def _models_table(models: Sequence[Json]) -> Table:
    name = _metric(models)
    rows = [
        [
            model["model"],
            number(model.get("depth") or model.get("steps"), "d"),
            number(at(model, "metrics", "terminal_loss"), ".6f"),
            number(at(model, "metrics", name), ".4f"),
        ]
        for model in models
    ]
    reasons = {
        f"{model['model']}: {field} is withheld: {why}."
        for model in models
        for field, why in {**(at(model, "withheld") or {}), **(at(model, "metrics", "withheld") or {})}.items()
        if field in {"metrics", "r2"}
    }
    columns = ["Model", "Layers or steps", "Loss", METRICS[name]]
    return Table("Each model on the data", columns, rows, sorted(reasons))


def _details(results: Json) -> list[Section]:
    sampled = Table(
        "Depths that were never trained: the continuum, sampled, against the continuum",
        ["Depth n", "State error", "Order", "Prediction error", "Order"],
        [
            [
                str(row["depth"]),
                *(number(row[part][field], form) for part in ("states", "predictions") for field, form in _ERRORS),
            ]
            for row in at(results, "sampled", "depths") or ()
        ],
    )
    return [
        Section("Depths sampled from the continuum", [sampled]),
        Section(
            "Other solvers", [_solvers(m["model"], m["solvers"]) for m in results["evaluations"] if m.get("solvers")]
        ),
        Section(
            "Noise on the inputs",
            [_noise(m["model"], m["robustness"]) for m in results["evaluations"] if m.get("robustness")],
        ),
    ]


_ERRORS: Final = (("sup_error", ".3e"), ("order", ".3f"))


def _solvers(model: str, found: Json) -> Table:
    rows = [
        [
            f"{row['solver'].replace('_', ' ')}, {row['steps']}",
            number(row["state_error"], ".2e"),
            number(row["state_order"], ".2f"),
            number(row["prediction_change"], ".2e"),
            number(row.get("relative_change"), ".2e"),
            number(row["changed_labels"], ".4f"),
            yes(row["agrees"]),
        ]
        for row in found["table"]
    ]
    columns = [
        "Solver, steps",
        "State error",
        "Order",
        "Prediction change",
        "Of its spread",
        "Changed labels",
        "Agrees",
    ]
    return Table(f"{model} against the resolved flow", columns, rows)


def _noise(model: str, found: Json) -> Table:
    name = next(
        (m for m in ("accuracy", "r2") for row in found["levels"] if m in (row.get("metrics") or {})), "accuracy"
    )
    rows = [
        [
            number(row["noise"]),
            number(row["rms_change"], ".3e"),
            number(row["sup_change"], ".3e"),
            number(row["changed_labels"], ".4f"),
            number(at(row, "metrics", name), ".4f") if row.get("metrics") else NOTHING,
        ]
        for row in found["levels"]
    ]
    columns = ["Noise", "Change, root mean square", "Largest change", "Changed labels", METRICS[name]]
    return Table(f"{model}, {found['repeats']} draws a level", columns, rows)
