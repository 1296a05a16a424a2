"""The report of a diagnosis: what weights that were trained elsewhere tend to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.report.parts import Answer, Finding, Report, Section, Table
from service.report.study_details import evidence_table
from service.report.texts import at, count, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.report.parts import Json, Picture

CLASSES: Final = {
    "h1_limit": "The weights tend to a smooth function of depth: the networks tend to a differential equation.",
    "constant_weights": "The weights tend to one constant matrix: all layers become alike.",
    "rough": "The weights tend to a rough path, like that of a random walk: no ordinary differential equation.",
    "no_limit": "The weights tend to nothing as depth grows.",
    "undecided": "These networks do not tell what their weights tend to.",
}
NORMS: Final = (
    ("R", "R"),
    ("Largest", "sup"),
    ("L²", "l2"),
    ("Root sum of squares", "root_sum_square"),
    ("Of increments", "root_sum_square_increments"),
    ("Correlation", "increment_correlation"),
    ("Second difference", "second_difference"),
    ("Hölder", "holder"),
)


def present(spec: Json, results: Json, pictures: Sequence[Picture]) -> Report:
    """Return what is told of a diagnosis, from its resolved specification and its results."""
    networks = sorted(results["networks"], key=lambda row: row["depth"])
    found = results["classification"]
    depths = sorted({row["depth"] for row in networks})
    speaks = [row for row in found["evidence"] if row.get("supports") == found["class"]]
    return Report(
        title=f"What the weights of {count(len(networks), 'network')} tend to",
        question="How do the weights of these networks scale with depth, how regular are they,"
        " and what do they tend to?",
        facts=[
            ("Networks", f"{len(networks)}, of depths {', '.join(map(str, depths))}"),
            ("State", count(networks[0]["state_dim"], "number")),
            ("Residual exponent", f"{number(spec['residual_exponent'])}: layers add n to the minus that power"),
        ],
        answer=Answer(
            CLASSES.get(found["class"], found["class"]), findings=[Finding(row["detail"], holds=True) for row in speaks]
        ),
        tables=[_norms("K and b together", "joint", networks)],
        pictures=pictures,
        details=[
            Section("Evidence", [evidence_table(found)]),
            Section("Norms of K and of b", [_norms("K alone", "K", networks), _norms("b alone", "b", networks)]),
        ],
    )


def _norms(caption: str, part: str, networks: Sequence[Json]) -> Table:
    rows = [
        [
            str(row["depth"]),
            *(number(row[part].get(field)) for _, field in NORMS),
            *(number(at(row, part, "p_variation", p)) for p in ("1", "2", "3")),
        ]
        for row in networks
    ]
    columns = ["Depth n", *(title for title, _ in NORMS), "1-variation", "2-variation", "3-variation"]
    return Table(caption, columns, rows)
