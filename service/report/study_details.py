"""The folded parts of a study's report: what the verdict rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from service.report.parts import Finding, Section, Table
from service.report.texts import NOTHING, at, listed, number, withheld, yes
from service.report.verdict import all_findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.report.parts import Json

Columns = "Sequence[tuple[str, tuple[str, ...], str]]"

FITS: Final = (
    ("Status", ("status",), ""),
    ("Objective", ("objective",), ".9f"),
    ("Loss", ("terminal_loss",), ".6f"),
    ("Gradient norm", ("gradient_norm",), ".1e"),
    ("Iterations", ("iterations",), "d"),
    ("Evaluations", ("evaluations",), "d"),
    ("Seconds", ("wall_time_s",), ".2f"),
)
RATES: Final = (
    ("Order of minima", ("minima", "order"), ".3f"),
    ("n · gap", ("minima", "slope"), ".6f"),
    ("Predicted", ("minima", "predicted_slope"), ".6f"),
    ("TL² distance", ("minimisers", "tl2", "total"), ".2e"),
    ("Order", ("minimisers", "order", "total"), ".3f"),
    ("State error", ("states", "sup_error"), ".2e"),
    ("Order of states", ("states", "order"), ".3f"),
    ("Prediction error", ("predictions", "sup_error"), ".2e"),
    ("Order of lift", ("lift", "order"), ".3f"),
)
CERTIFICATES: Final = (
    ("Least curvature", ("lambda_min",), ".3e"),
    ("Its error", ("lambda_min_error",), ".1e"),
    ("Kind", ("kind",), ""),
    ("Optimisation error", ("optimisation_error",), ".1e"),
)
PARTS: Final = ("minima", "minimisers", "states", "predictions", "recovery", "lift", "certificates", "regularity")


def details_of(results: Json) -> list[Section]:
    """Return every folded part that has something in it."""
    found = results["diagnostics"]
    sections = (
        Section("Every finding", findings=all_findings(found["verdict"])),
        Section("How each model was fitted", [_table("Fits", "Model", "model", FITS, results["models"])]),
        Section("Rates", [_rates(found)]),
        Section("The depth that an error needs", [_advice(found.get("depth_advice") or ())]),
        Section("Certificates of the minima", [_certificates(found.get("certificates") or {})]),
        Section("Branches", [_branches(found)]),
        Section("Assumptions of the theorem", findings=_assumptions(found)),
        Section("What the weights tend to", [evidence_table(found.get("classification"))]),
        Section("Checks of the continuum", facts=_checks(found)),
        Section("Values that are withheld", facts=_withheld(found)),
    )
    return [section for section in sections if not section.empty]


def _table(caption: str, head: str, name: str, columns: Sequence[Any], rows: Sequence[Json]) -> Table:
    """Return a table of what stands at paths in rows, without the columns in which nothing does."""
    cells = [[_cell(at(row, *path), form) for _, path, form in columns] for row in rows]
    kept = [k for k in range(len(columns)) if any(row[k] != NOTHING for row in cells)]
    return Table(
        caption,
        [head, *(columns[k][0] for k in kept)],
        [[str(row[name]), *(line[k] for k in kept)] for row, line in zip(rows, cells, strict=True)],
    )


def _cell(value: Any, form: str) -> str:
    return str(value).replace("_", " ") if isinstance(value, str) and not form else number(value, form)


def _rates(found: Json) -> Table:
    rows = [
        {"depth": depth}
        | {
            part: next((row for row in at(found, part, "depths") or () if row["depth"] == depth), {})
            for part in ("minima", "minimisers", "states", "predictions", "lift")
        }
        for depth in (row["depth"] for row in at(found, "minima", "depths") or ())
    ]
    return _table("Distances from the continuum, and the orders at which they fall", "Depth n", "depth", RATES, rows)


def _advice(advice: Sequence[Json]) -> Table:
    rows = []
    for entry in advice:
        what = "gap" if entry["gap"] is not None else "prediction error"
        error = entry["gap"] if entry["gap"] is not None else entry["wanted_prediction_error"]
        interval, check = entry.get("depth_interval"), entry.get("check") or {}
        rows.append(
            [
                f"{what} {number(error, '.2e')}",
                number(entry["depth"], "d"),
                f"{interval[0]} to {interval[1]}" if interval else NOTHING,
                str(entry["basis"]),
                yes(check.get("met")) if check else NOTHING,
                check.get("detail") or (entry.get("withheld") or {}).get("depth") or NOTHING,
            ]
        )
    columns = ["Wanted", "Depth", "It lies in", "By", "Met when trained", "Remark"]
    return Table("The smallest depth for an error", columns, rows)


def _certificates(found: Json) -> Table:
    rows = [row | {"name": str(row["depth"])} for row in found.get("depths") or ()]
    if found.get("continuum"):
        rows.append(found["continuum"] | {"name": "continuum"})
    return _table("Second derivatives at each minimum", "Depth n", "name", CERTIFICATES, rows)


def _branches(found: Json) -> Table:
    rows = []
    for branch in found.get("branches") or ():
        ends = list(branch["objectives"].items())
        where, value = ends[-1] if ends else ("", None)
        rows.append(
            [
                str(branch["branch"]),
                yes(branch["verdict"]),
                str(branch["starts"]),
                branch["status"].replace("_", " "),
                f"{number(value, '.9f')} at {where}",
                branch.get("detail") or NOTHING,
            ]
        )
    columns = ["Branch", "Verdict is about it", "Starts", "Fate", "Objective", "Remark"]
    unseen = found.get("unseen_minima")
    notes = []
    if unseen:
        low, high = unseen["interval"]
        notes.append(
            f"The chance that one more start finds another minimum: {number(unseen['estimate'])}"
            f" ({number(low)} to {number(high)})."
        )
    return Table("Minima that were followed over depth", columns, rows, notes)


def _assumptions(found: Json) -> list[Finding]:
    return [
        Finding(f"{entry['name'].replace('_', ' ')}: {entry['detail']}", entry["holds"])
        for entry in found.get("assumptions") or ()
    ]


def evidence_table(classification: Json | None) -> Table:
    """Return what speaks for which class of a sequence of networks."""
    rows = [
        [
            row["name"].replace("_", " "),
            number(row["value"]),
            " to ".join(number(end) for end in row["interval"]) if row.get("interval") else NOTHING,
            (row.get("supports") or NOTHING).replace("_", " "),
            row["detail"],
        ]
        for row in (classification or {}).get("evidence") or ()
    ]
    said = (classification or {}).get("class", "undecided").replace("_", " ")
    return Table(
        f"Evidence; the class is: {said}", ["Measurement", "Value", "95 % interval", "Speaks for", "Detail"], rows
    )


def _checks(found: Json) -> list[tuple[str, str]]:
    facts = []
    minima, check = found.get("minima") or {}, found.get("independent_check")
    for name, words in (("continuum", "E∞, trained"), ("richardson", "E∞, extrapolated from the last two depths")):
        if minima.get(name) is not None:
            facts.append((words, number(minima[name], ".9f")))
    if check:
        facts.append(("E∞ by an independent solver", number(check["objective"], ".9f")))
        facts.append(("Its difference from the trained one", number(check["difference"], ".2e")))
    for name in ("K", "b"):
        residual = at(found, "euler_lagrange", name, "residual")
        if residual is not None:
            facts.append((f"Residual of the Euler–Lagrange equation of {name}", number(residual, ".1e")))
    return facts


def _withheld(found: Json) -> list[tuple[str, str]]:
    facts = [(part.replace("_", " "), str(reason)) for part, reason in (found.get("withheld") or {}).items()]
    for part in PARTS:
        whole = found.get(part) or {}
        rows = [{"depth": "all depths", "withheld": whole.get("withheld")}, *(whole.get("depths") or ())]
        lines = withheld(rows, "depth")
        if lines:
            facts.append((part.replace("_", " "), listed(lines)))
    return facts
