"""What does a job in the trainer: what it is given, what it gives back, and how a job can end otherwise."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.artifacts import ArtifactStore, Pieces
from service.contract.job import ArtifactRef, Progress
from service.contract.names import attempt_prefix, checkpoint_path, results_path
from service.contract.values.media_types import BYTES


@dataclass(frozen=True)
class Keeping:
    """How an attempt keeps checkpoints.

    Attributes
    ----------
    every_s
        Seconds between two, at least.
    most_bytes
        Of all that are kept; no more are made then.
    commit
        Has the job's record name checkpoints, the newest first, in place of those that it names.
    leaving
        Whether the job is stopped so that another attempt goes on: what is known is to be kept first.
    """

    every_s: float = 5.0
    most_bytes: int = 2**30
    commit: Callable[[Sequence[ArtifactRef]], None] = lambda _: None
    leaving: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class JobInput:
    """One attempt at a job.

    Attributes
    ----------
    job_id, fence
        The attempt.
    spec
        Resolved specification.
    artifacts
        Where objects are read from and written to.
    given
        Every object that the job's record names, by its key there; inline and uploaded samples are ``data``.
    frugal
        Whether memory ran out in this attempt before: the samples are to be gone through in smaller parts.
    checkpoints
        What earlier attempts have left, the newest first.
    keeping
        How checkpoints are kept, for an executor that makes some.
    finish_only
        Whether the time is over: what the checkpoints hold is to be made the result, and nothing else begun.
    started
        When the attempt began, in seconds of ``time.monotonic``: by now, or before memory ran out. None for now.
    """

    job_id: str
    fence: int
    spec: Mapping[str, Any]
    artifacts: ArtifactStore
    given: Mapping[str, ArtifactRef] = field(default_factory=dict)
    frugal: bool = False
    checkpoints: Sequence[ArtifactRef] = ()
    keeping: Keeping = field(default_factory=Keeping)
    finish_only: bool = False
    started: float | None = None

    def read(self, key: str) -> bytes:
        """Read an object that the job was given."""
        return self.artifacts.get(self.given[key])

    def write(self, key: str, content: bytes, media_type: str) -> ArtifactRef:
        """Write an object of the results, which the job's record is to name by this key."""
        return self.artifacts.put(results_path(self.job_id, self.fence, key), content, media_type)

    def checkpoint(self, name: str, content: bytes | Pieces) -> ArtifactRef:
        """Write an object for the next attempt, which ``keeping.commit`` is to name."""
        return self.artifacts.put(checkpoint_path(self.job_id, self.fence, name), content, BYTES)

    def discard(self) -> int:
        """Delete what this attempt has written, and return its bytes."""
        return self.artifacts.delete_prefix(attempt_prefix(self.job_id, self.fence))


@dataclass(frozen=True)
class Outcome:
    """Objects that a finished job has written, by their keys in the job's record."""

    artifacts: Mapping[str, ArtifactRef] = field(default_factory=dict)


class UserError(Exception):
    """The job cannot be done as it was specified; the detail says why to whoever asked, without repeating values."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Stopped(Exception):  # noqa: N818 - not an error: the executor did as should_stop asked
    """The executor stopped because it was asked to."""


Report = Callable[[Progress], None]
"""Takes progress, after every iteration or piece of work."""
ShouldStop = Callable[[], bool]
"""Says whether the job is to stop; asked after every iteration or piece of work."""
Executor = Callable[[JobInput, Report, ShouldStop], Outcome]
"""Does one job and writes its results; it is named ``module:function`` in the job's `Kind`.

Raises
------
UserError
    If the job cannot be done as specified, or nothing usable came out.
Stopped
    If ``should_stop`` said so.
"""


def load_executor(name: str) -> Executor:
    """Import the function that goes by ``module:name``."""
    module, _, function = name.partition(":")
    executor: Executor = getattr(importlib.import_module(module), function)
    return executor
