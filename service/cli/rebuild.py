"""``deeplimit rebuild``: what the job store has lost is put back from the objects, and told."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import redis
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from service.artifacts import ArtifactStore, StorageError
from service.cli.output import FAILED, REFUSED, messages, standard_output
from service.jobs.rebuild import RESTORED, THERE, Rebuilding, Rebuilt
from service.jobstore import JobStore, StoresApartError, connect
from service.runtime.data_directory import ServeError, job_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.config import Settings

NAMED: Final = 5
"""Ids that are named of those that are left out for one reason."""


def run(settings: Settings) -> int:
    """Rebuild, and return the exit status: 1 where a record that is there was not put back."""
    if settings.artifacts_url is None and not Path(settings.artifacts_location).is_dir():
        return _refuse(f"there are no objects in {settings.artifacts_location}; --data-dir says where they are")
    try:
        with job_store(settings) as url, connect(url) as client:
            rebuilding = Rebuilding(JobStore(client), ArtifactStore.of(settings))
            rebuilding.name_store()
            with _bar("jobs") as each:
                jobs = rebuilding.jobs(each)
            with _bar("data sets") as each:
                datasets = rebuilding.datasets(each)
    except (ServeError, StoresApartError) as refusal:
        return _refuse(str(refusal))
    except (StorageError, redis.RedisError) as failure:
        return _refuse(f"one of the stores cannot be used: {failure}")
    _tell("jobs", jobs)
    _tell("data sets", datasets)
    return FAILED if jobs.refused or datasets.refused else 0


def _refuse(text: str) -> int:
    messages().print(text, style="red", markup=False, soft_wrap=True)
    return REFUSED


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = messages()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as display:
        task = display.add_task(what, total=None)
        yield lambda total: display.update(task, total=total, advance=1)


def _tell(what: str, rebuilt: Rebuilt) -> None:
    console = standard_output()
    restored, there = rebuilt.counts[RESTORED], rebuilt.counts[THERE]
    console.print(f"{what}: {restored} restored, {there} there already", markup=False, highlight=False)
    for why, ids in rebuilt.left_out.items():
        named = ", ".join(ids[:NAMED]) + (", …" if len(ids) > NAMED else "")
        console.print(f"  {len(ids)} left out: {why}: {named}", markup=False, highlight=False, soft_wrap=True)
