"""The journal of a job: what a study has done so far, written as objects that another attempt goes on from.

A checkpoint is one object: a line of JSON that names the segments, the objects with the steps that have ended, and what
they hold for; then what is known of the step that is under way. Segments are written once, each with what is new.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import torch

from deeplimit.mathematics.journal import Step, Value, journaled
from service.artifacts import ArtifactCorruptError, ArtifactNotFoundError
from service.contract.job import ArtifactRef
from worker.execution.flat_values import flattened, restored
from worker.executor import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor

    from deeplimit.mathematics import Problem
    from worker.executor import JobInput

LOG = logging.getLogger(__name__)

UNREADABLE: Final = (ArtifactCorruptError, ArtifactNotFoundError, ValueError, TypeError, KeyError)
"""What comes of a checkpoint that is torn, gone, or not of the form that it says it is."""
KEPT: Final = 2
"""Checkpoints that a job's record names: the newest, and the one before, where that is torn."""
FORM: Final = 2
"""Of checkpoints: what is in another one is not gone on from."""
SHARE: Final = 0.0125
"""Of the time, at most, that checkpoints take, beyond the first `ADVANCE_S`: large ones come more seldom."""
ADVANCE_S: Final = 0.25
"""Seconds that they may take at first, whatever the share: the starts of the first depth end at once and are large, and
the next checkpoint would have to wait until they are paid for."""


@dataclass
class _Entry:
    """One step that has ended: its number, name, digest of what it began with, and what it came to."""

    number: int
    name: str
    digest: str
    value: Value


@dataclass
class _Earlier:
    """What earlier attempts left."""

    segments: list[ArtifactRef] = field(default_factory=list)
    entries: list[_Entry] = field(default_factory=list)
    running: _Entry | None = None


class JobJournal:
    """Keeps the steps of one study of a job: a `deeplimit.mathematics.journal.Journal`.

    Parameters
    ----------
    job
        Whose checkpoints are read, and written.
    holds_for
        What must be the same for steps to be the same to the last bit: versions, kernel, threads.
    clock
        In seconds.

    Attributes
    ----------
    recalled
        Steps that were known from earlier attempts, or begun there.
    spent
        Seconds of the processor that checkpoints have taken.
    """

    def __init__(
        self, job: JobInput, holds_for: Mapping[str, Any], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._job, self._holds_for, self._clock = job, dict(holds_for), clock
        found = _read(job, self._holds_for)
        self._segments, self._running = found.segments, found.running
        self._known: deque[_Entry] = deque(found.entries)
        self._number = 0
        self._new: list[_Entry] = []
        self._unwritten: list[_Entry] = []
        self._at: tuple[_Entry, Callable[[], Value]] | None = None
        self._bytes = sum(ref.bytes for ref in found.segments)
        self._named = deque(job.checkpoints, maxlen=KEPT + 2)
        self._tried = self._written = 0
        self._begun = clock()
        self._due = self._begun + job.keeping.every_s
        self._writer: threading.Thread | None = None
        self._full = False
        self.recalled = 0
        self.spent = 0.0

    @property
    def recalls(self) -> bool:
        """Whether an earlier attempt came to a step that has yet to begin."""
        return bool(self._known) or self._running is not None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the steps inside; where the job is to be left to another attempt, with all that is known."""
        try:
            with journaled(self):
                yield
        except Stopped:
            if self._job.keeping.leaving():
                self.close()
                self._write()
            raise
        finally:
            self.close()

    def step(self, name: str, *of: Tensor) -> Step:
        """Begin a step."""
        entry = _Entry(self._number, name, _digest(of), None)
        step = _JobStep(self, entry)
        self._at = None
        if self._known:
            known = self._known.popleft()
            if (known.number, known.name, known.digest) == (self._number, name, entry.digest):
                self._number, self.recalled = self._number + 1, self.recalled + 1
                step.done = known.value
                return step
            LOG.warning("job %s: step %d is another than it was; it goes on anew", self._job.job_id, self._number)
            self._known.clear()
            self._running = None
        if self._running is not None:
            begun, self._running = self._running, None
            if (begun.number, begun.name, begun.digest) == (entry.number, entry.name, entry.digest):
                step.begun, self.recalled = begun.value, self.recalled + 1
        return step

    def going(self, entry: _Entry, state: Callable[[], Value]) -> None:
        """Note how far a step has come, and write a checkpoint where one is due."""
        self._at = entry, state
        self._write_if_due()

    def ended(self, entry: _Entry, value: Value) -> None:
        """Note what a step came to, and write a checkpoint where one is due."""
        self._new.append(_Entry(entry.number, entry.name, entry.digest, value))
        self._number, self._at = entry.number + 1, None
        self._write_if_due()

    def close(self) -> None:
        """Wait for the checkpoint that is being written."""
        if self._writer is not None:
            self._writer.join()
            LOG.info("job %s: %d checkpoints took %.2f s", self._job.job_id, self._written, self.spent)

    def _write_if_due(self) -> None:
        if self._clock() >= self._due and (self._writer is None or not self._writer.is_alive()):
            self._write()

    def _write(self) -> None:
        """Serialise what is known, and have a thread write it: hashes and disks are waited for beside the training."""
        if self._full:
            return
        begun = time.thread_time()
        new, running = [*self._unwritten, *self._new], []
        try:
            segment = flattened([vars(entry) for entry in new]) if new else []
            if self._at is not None:
                entry, state = self._at
                running = flattened({**vars(entry), "value": state()})
        except (TypeError, ValueError) as failure:  # the job itself does not need what cannot be kept
            LOG.warning("job %s: no checkpoints are written, as a value is not plain: %r", self._job.job_id, failure)
            self._full = True
            return
        size = self._bytes + sum(map(len, [*segment, *running]))
        if size > self._job.keeping.most_bytes:
            LOG.warning("job %s: its checkpoints are larger than %d bytes; no more are written", self._job.job_id, size)
            self._full = True
            return
        self._new, self._unwritten = [], []
        spent = time.thread_time() - begun
        self._writer = threading.Thread(target=self._to_store, args=(new, segment, running, spent), daemon=True)
        self._writer.start()

    def _to_store(
        self, new: list[_Entry], segment: Sequence[memoryview], running: Sequence[memoryview], spent: float
    ) -> None:
        """Write the objects, and name the checkpoint; what cannot be written is tried again with the next."""
        begun = time.thread_time()
        self._tried += 1  # so that nothing is written in the place of what another checkpoint names
        try:
            if segment:
                ref = self._job.checkpoint(f"{self._tried}-steps", segment)
                self._segments, self._bytes = [*self._segments, ref], self._bytes + ref.bytes
                new = []
            head = {"holds_for": self._holds_for, "segments": [ref.model_dump() for ref in self._segments]}
            line = json.dumps(head).encode() + b"\n"
            self._named.appendleft(self._job.checkpoint(f"{self._tried}", [memoryview(line), *running]))
            self._written += 1
            self._job.keeping.commit(list(self._named)[:KEPT])
            if len(self._named) > KEPT + 1:  # the record may not name the last one yet
                self._job.artifacts.delete(self._named[-1].path)
        except Exception as failure:  # whatever it is, the job itself does not need what was to be written  # noqa: BLE001
            LOG.warning("job %s: its checkpoint was not written: %r", self._job.job_id, failure)
        self._unwritten = new
        spent += time.thread_time() - begun
        self.spent += spent
        self._due = max(self._clock() + self._job.keeping.every_s, self._begun + (self.spent - ADVANCE_S) / SHARE)


def holds_for(job: JobInput, problem: Problem, threads: int) -> dict[str, Any]:
    """Return what must be the same for a study's steps to be the same to the last bit."""
    return {
        "deeplimit": version("deeplimit"),
        "form": FORM,
        "torch": torch.__version__,
        "processor": torch.backends.cpu.get_cpu_capability(),
        "device": str(problem.device),
        "kernel": problem.kernel_name,
        "threads": threads,
        "frugal": job.frugal,
    }


def goes_on_frugal(job: JobInput) -> bool:
    """Whether a job goes through its samples in smaller parts: one that only finishes does as its checkpoint did."""
    for ref in job.checkpoints if job.finish_only else ():
        try:
            return bool(json.loads(job.artifacts.get(ref).partition(b"\n")[0])["holds_for"]["frugal"])
        except UNREADABLE:  # as when it is read
            continue
    return job.frugal


class _JobStep(Step):
    def __init__(self, journal: JobJournal, entry: _Entry) -> None:
        self._journal, self._entry = journal, entry

    def going(self, state: Callable[[], Value]) -> None:
        self._journal.going(self._entry, state)

    def ended(self, value: Value) -> None:
        self._journal.ended(self._entry, value)


def _digest(of: Sequence[Tensor]) -> str:
    digest = hashlib.sha256()
    for tensor in of:
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def _read(job: JobInput, holds_for: Mapping[str, Any]) -> _Earlier:
    """Return what the newest checkpoint that can be read tells, as far as its segments can be."""
    for ref in job.checkpoints:
        try:
            head, _, rest = job.artifacts.get(ref).partition(b"\n")
            told = json.loads(head)
            if told["holds_for"] != holds_for:
                LOG.warning("job %s: a checkpoint is of %s and not gone on from", job.job_id, told["holds_for"])
                continue
            running = _Entry(**restored(rest)) if rest else None
            segments = [ArtifactRef.model_validate(each) for each in told["segments"]]
        except UNREADABLE as torn:
            LOG.warning("job %s: a checkpoint is torn, the one before is tried: %r", job.job_id, torn)
            continue
        found = _Earlier()
        for segment, entries in _segments(job, segments):
            found.segments.append(segment)
            for entry in entries:  # a step that was another later on counts as that
                if entry.number > len(found.entries):
                    LOG.warning("job %s: steps before %d are missing", job.job_id, entry.number)
                    return found
                found.entries[entry.number :] = [entry]
        if len(found.segments) == len(segments):
            found.running = running
        LOG.info("job %s: it goes on after %d steps", job.job_id, len(found.entries))
        return found
    return _Earlier()


def _segments(job: JobInput, refs: Sequence[ArtifactRef]) -> Iterator[tuple[ArtifactRef, list[_Entry]]]:
    """Yield the entries of segments, up to one that is torn."""
    for ref in refs:
        try:
            entries = [_Entry(**entry) for entry in restored(job.artifacts.get(ref))]
        except UNREADABLE as torn:
            LOG.warning("job %s: a part of its checkpoint is torn: %r", job.job_id, torn)
            return
        yield ref, entries
