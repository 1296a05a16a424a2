"""Progress of a job, for people: tqdm's bar where that is installed, a plain line elsewhere."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from deeplimit.client.shown import escaped

if TYPE_CHECKING:
    from types import TracebackType

    from deeplimit.client.records import JobRecord

PARTS: Final = 1000
"""Steps of a bar."""


class Shown(Protocol):
    """Shows how a job gets on, as a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def show(self, job: JobRecord) -> None:
        """Show the job as it is now."""


def progress_of(wanted: bool | None) -> Shown:  # noqa: FBT001 - passed on as it was asked
    """Return what shows progress. Unless asked for or against, a terminal and a notebook have a bar."""
    if wanted is False or (wanted is None and not (sys.stderr.isatty() or "ipykernel" in sys.modules)):
        return Nothing()
    try:
        return Bar(import_module("tqdm.auto").tqdm)
    except ModuleNotFoundError:
        return Line()


def described(job: JobRecord) -> str:
    """Return phase and model, or the status where there is no progress yet."""
    progress = job.progress
    if job.done or not progress:
        return job.status
    return escaped(f"{progress.get('phase') or ''} {progress.get('model') or ''}".strip())


def fraction(job: JobRecord) -> float:
    """Return the part that is done; the whole of a job that succeeded."""
    return 1.0 if job.status == "succeeded" else float((job.progress or {}).get("fraction") or 0.0)


class Nothing:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, job: JobRecord) -> None:
        """Show nothing."""


class Bar:
    """tqdm's bar, which knows terminals from notebooks."""

    def __init__(self, tqdm: Any) -> None:
        layout = "{desc} {percentage:3.0f}%|{bar}| {elapsed} {postfix}"
        self._bar = tqdm(total=PARTS, bar_format=layout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, job: JobRecord) -> None:
        """Move the bar."""
        self._bar.set_description_str(described(job), refresh=False)
        if (objective := (job.progress or {}).get("objective")) is not None:
            self._bar.set_postfix_str(f"E {objective:.6g}" if isinstance(objective, float) else "", refresh=False)
        self._bar.n = round(PARTS * fraction(job))
        self._bar.refresh()


class Line:
    """One line that is written over on a terminal, and a new one at each change elsewhere."""

    def __init__(self) -> None:
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._last and sys.stderr.isatty():
            sys.stderr.write("\n")

    def show(self, job: JobRecord) -> None:
        """Write the line, if it is another than the last."""
        terminal = sys.stderr.isatty()
        percent = f" {fraction(job):4.0%}" if terminal else ""
        line = f"deeplimit {job.id[:8]} {described(job)}{percent}"
        if line == self._last:
            return
        blank = max(0, len(self._last) - len(line)) * " "
        sys.stderr.write(f"\r{line}{blank}" if terminal else f"{line}\n")
        sys.stderr.flush()
        self._last = line
