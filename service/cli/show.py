"""A job in a few lines, and the results of a job of any kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from service.cli.diagnosis_tables import show_diagnosis
from service.cli.evaluation_tables import show_evaluation
from service.cli.output import on_one_line
from service.cli.progress import describe, measures
from service.cli.study_tables import show_study

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import Console

    from service.cli.layout import Json

SHOWN_BY: Final[Mapping[str, Callable[[Console, Json], None]]] = {
    "models": show_study,
    "evaluations": show_evaluation,
    "networks": show_diagnosis,
}
"""What prints results, by a field that only results of this kind have."""


def show_results(console: Console, results: Json) -> None:
    """Print results; those of a kind that has no tables of its own as JSON."""
    for name, show in SHOWN_BY.items():
        if name in results:
            show(console, results)
            return
    console.print(json.dumps(results, indent=2, ensure_ascii=False), markup=False)


def job_lines(job: Json) -> list[str]:
    """A job in a few lines: status, what it is doing, why it failed."""
    name = f" ({on_one_line(job['name'])})" if job.get("name") else ""
    lines = [f"job {job['id']}{name}: {job['status']}, attempt {job['attempt']}"]
    if (progress := job.get("progress")) and not job["done"]:
        lines.append(f"{progress['fraction']:.0%}  {describe(job)}  {measures(job)}")
    if error := job.get("error"):
        again = "; submitting it again may help" if error["retryable"] else ""
        lines.append(f"{error['code']}: {error['detail']}{again}")
    return lines
