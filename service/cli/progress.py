"""Watching a job: a live bar on a terminal, a line per model elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from deeplimit.client.shown import escaped
from service.cli.output import short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from deeplimit.client import Client

Json = dict[str, Any]


def watch(client: Client, job_id: str, console: Console) -> Json:
    """Show how the job gets on until it is done; return it."""
    jobs = (job.record for job in client.follow(job_id))
    return _bar(jobs, console) if console.is_terminal else _lines(jobs, console)


def describe(job: Json) -> str:
    """What is under way, or the status where there is no progress yet; the attempt from the second on."""
    progress: Json | None = job.get("progress")
    where = f"{progress['phase']} {progress['model'] or ''}".rstrip() if progress else job["status"]
    if progress and progress.get("part"):
        where = f"{progress['phase']}: {progress['part']}"
    return f"{where} (attempt {job['attempt']})" if (job.get("attempt") or 1) > 1 else where


def measures(job: Json) -> str:
    """Objective, gradient norm and remaining time, as far as they are known."""
    progress: Json = job.get("progress") or {}
    parts = [
        (label, progress.get(key), form)
        for label, key, form in (("E", "objective", ".7f"), ("|g|", "gradient_norm", ".1e"), ("eta", "eta_s", ".0f"))
    ]
    texts = [f"{label} {short(value, form, full=False)}" for label, value, form in parts if value is not None]
    return "  ".join(texts) + (" s" if progress.get("eta_s") is not None else "")


def _bar(jobs: Iterator[Json], console: Console) -> Json:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TextColumn("{task.fields[measures]}", markup=False),
        TimeElapsedColumn(),
    )
    job: Json = {}
    with Progress(*columns, console=console, transient=True) as display:
        task = display.add_task("submitted", total=1.0, measures="")
        for job in jobs:
            fraction = 1.0 if job["status"] == "succeeded" else (job.get("progress") or {}).get("fraction", 0.0)
            display.update(task, completed=fraction, description=escaped(describe(job)), measures=measures(job))
    return job


def _lines(jobs: Iterator[Json], console: Console) -> Json:
    shown = ""
    job: Json = {}
    for job in jobs:
        if not job["done"] and (now := describe(job)) != shown:
            shown = now
            console.print(f"{now}  {measures(job)}".rstrip(), markup=False)
    return job
