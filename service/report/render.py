"""The page: which presenter a kind of job has, what all kinds have in common, and the template."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from service.report import diagnosis, evaluation, study
from service.report.parts import Answer, Report
from service.report.pictures import pictures_of
from service.report.texts import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from service.contract.job import JobRecord
    from service.report.parts import Json, Picture

    Presenter = Callable[[Json, Json, Sequence[Picture]], Report]

PRESENTERS: Final[Mapping[str, Presenter]] = {
    "train": study.present,
    "evaluate": evaluation.present,
    "diagnose": diagnosis.present,
}
DRAWN: Final = frozenset({"train"})
"""Kinds whose worker draws pictures."""
SECURITY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""Content-Security-Policy of the page: it runs nothing and fetches nothing. The page says so too, as a file."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a report is made of.

    Attributes
    ----------
    record
        The job, succeeded.
    results
        The artifact of its results, as it was written.
    plots
        The index of its drawings, or None.
    drawing
        Returns the SVG of a drawing by its name, or None.
    """

    record: JobRecord
    results: bytes
    plots: Json | None = None
    drawing: Callable[[str], bytes | None] = field(default=lambda _: None)


def render(source: Source) -> str:
    """Return the report of a finished job: one HTML page that needs nothing else."""
    record, results = source.record, json.loads(source.results)
    pictures = pictures_of(source.plots, source.drawing) if record.kind in DRAWN else []
    report = PRESENTERS.get(record.kind, _anything)(record.spec, results, pictures)
    page: str = _template().render(
        report=report,
        name=record.name,
        provenance=_provenance(record, results, hashlib.sha256(source.results).hexdigest()),
        specification=json.dumps(record.spec, indent=2, ensure_ascii=False),
        security=SECURITY,
    )
    return page


def _provenance(record: JobRecord, results: Json, results_sha256: str) -> list[tuple[str, str]]:
    """Return where the numbers came from."""
    found = results.get("provenance") or {}
    libraries = ", ".join(f"{name} {version}" for name, version in (found.get("libraries") or {}).items())
    rows: list[tuple[str, Any]] = [
        ("Job", record.id),
        ("Name", record.name),
        ("External id", record.external_id),
        ("Metadata", ", ".join(f"{key}: {value}" for key, value in record.metadata.items())),
        ("Created", record.created_at.isoformat()),
        ("Started", record.started_at and record.started_at.isoformat()),
        ("Finished", record.finished_at and record.finished_at.isoformat()),
        ("deeplimit", found.get("version")),
        ("Libraries", libraries or (f"torch {found['torch']}" if found.get("torch") else "")),
        ("Device", found.get("device")),
        ("Threads", found.get("threads")),
        ("Precision", found.get("dtype")),
        ("Seed", found.get("seed")),
        ("Seconds", found.get("wall_time_s") and f"{found['wall_time_s']:.1f}"),
        ("SHA-256 of the specification", record.spec_sha256),
        ("SHA-256 of the data", found.get("data_sha256")),
        ("SHA-256 of the results", results_sha256),
    ]
    return [(term, str(value)) for term, value in rows if value not in {None, ""}]


def _anything(spec: Json, results: Json, pictures: Sequence[Picture]) -> Report:
    """Return what can be told of a kind of job that has no presenter."""
    kind = str(spec.get("kind", "job"))
    said = {name: value for name, value in results.items() if name != "provenance"}
    return Report(
        title=f"A job of the kind {kind}",
        question=f"What did the job of the kind {kind} find?",
        facts=[(name, json.dumps(value, ensure_ascii=False)[:1000]) for name, value in said.items()],
        answer=Answer("It succeeded; its results are below."),
        pictures=pictures,
    )


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("service.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")
