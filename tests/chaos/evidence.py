"""What is there when all is over: records, indices, files, processes, and what the append-only file tells."""

import contextlib
import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import redis

from service.contract import names
from service.contract.job import JobStatus
from service.contract.names import QUEUE
from service.jobstore import keys
from tests.chaos import aof
from tests.chaos.journal import Entry
from tests.chaos.target import Target
from tests.support.service import pause

NO_OBJECT: Final = {"store-id", "ready"}
OF_THE_LIVING: Final = re.compile(r"/scratch/\w+/lock$")
"""What a process holds locked while it lives."""
PLACES: Final = (keys.QUEUED, keys.DEFERRED, keys.LEASES, keys.UNSETTLED, keys.UNSETTLED_JOBS, keys.UNWRITTEN)
STRAYS: Final = tuple(keys.STRAYS + place for place in ("queue", "deferred", "leases"))
Fields = Mapping[str, str]


@dataclass(frozen=True)
class Evidence:
    """What the audit looks at.

    Attributes
    ----------
    journal
        Everything that was asked and done.
    records
        Fields of each job, by its id.
    statuses
        Ids in the set of each status.
    places
        Entries of queue, leases, announcements and so on.
    datasets
        Record of each data set.
    lives
        What the append-only file says of each job, or why it does not.
    objects
        Hash and size of each object, by path.
    temporary
        Files outside the store of objects that were to be there for a while only.
    processes
        Command lines of what lives after the service has stopped.
    """

    journal: Sequence[Entry] = ()
    records: Mapping[str, Fields] = field(default_factory=dict)
    statuses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    places: Mapping[str, Sequence[str]] = field(default_factory=dict)
    datasets: Sequence[Mapping[str, Any]] = ()
    lives: Mapping[str, aof.Life] | str = field(default_factory=dict)
    objects: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    temporary: Sequence[str] = ()
    processes: Mapping[int, str] = field(default_factory=dict)


def drained(target: Target, within: float) -> bool:
    """Wait until every job has ended, and nothing waits to be cleared away."""
    return _comes(within, lambda: _is_drained(target))


def cleared(target: Target, within: float) -> bool:
    """Wait until no object or temporary file is there that nothing refers to."""
    return _comes(within, lambda: not unreferenced(gather(target)))


def _comes(within: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        with contextlib.suppress(redis.RedisError, FileNotFoundError):  # it is being replaced, or a file just went
            if holds():
                return True
        pause(0.2)
    return False


def _is_drained(target: Target) -> bool:
    target.ensure()
    with target.valkey() as valkey:
        unended = sum(valkey.zcard(keys.JOBS_BY_STATUS + status) for status in JobStatus if not status.done)
        waiting = sum(valkey.zcard(place) for place in PLACES) + valkey.llen(QUEUE)
    return not unended and not waiting


def gather(target: Target) -> Evidence:
    """Look at a service that runs."""
    with target.valkey() as valkey:
        jobs = _records(valkey, keys.JOB, keys.JOBS)
        datasets = [json.loads(fields["record"]) for fields in _records(valkey, keys.DATASET, keys.DATASETS).values()]
        statuses = {status.value: frozenset(_entries(valkey, keys.JOBS_BY_STATUS + status)) for status in JobStatus}
        places = {place: _entries(valkey, place) for place in (*PLACES, *STRAYS)}
        places[QUEUE] = [repr(hint) for hint in valkey.lrange(QUEUE, 0, -1)]
    return Evidence(
        records=jobs,
        statuses=statuses,
        places=places,
        datasets=datasets,
        objects=_files(target.objects),
        temporary=_temporary(target),
    )


def lives(target: Target) -> Mapping[str, aof.Life] | str:
    """Read the append-only file, which must not be written to any more."""
    try:
        return aof.lives(aof.read(target.history))
    except aof.HistoryError as gap:
        return str(gap)


def unreferenced(evidence: Evidence) -> list[str]:
    """Files that nothing refers to."""
    known = {ref["path"] for fields in evidence.records.values() for ref in json.loads(fields["artifacts"]).values()}
    known |= {names.record_path(job_id) for job_id in evidence.records}
    for record in evidence.datasets:
        known |= {record[part]["path"] for part in ("object", "preview") if record.get(part)}
        known.add(names.dataset_record_path(record["object"]["path"]))
    listed = {record["id"] for record in evidence.datasets}
    for path in evidence.objects:  # a whole upload whose commit was cut off stays, for a rebuild
        folder, _, upload = path.rpartition("/")
        if (
            upload.endswith(".record.json")
            and folder.startswith(f"{names.DATASETS}/")
            and Path(folder).name not in listed
        ):
            dataset = path.removesuffix(".record.json") + ".safetensors"
            known |= {path, dataset, names.preview_path(dataset)}
    return [*sorted(set(evidence.objects) - known), *evidence.temporary]


def _records(valkey: redis.Redis, prefix: str, index: str) -> dict[str, Fields]:
    found: dict[str, Fields] = {}
    for name in _entries(valkey, index):
        fields: dict[bytes, bytes] = valkey.hgetall(prefix + name)  # type: ignore[assignment]  # sync client
        found[name] = {field.decode(): value.decode() for field, value in fields.items()}
    return found


def _entries(valkey: redis.Redis, index: str) -> list[str]:
    entries: list[bytes] = valkey.zrange(index, 0, -1)  # type: ignore[assignment]  # sync client
    return [entry.decode() for entry in entries]


def _temporary(target: Target) -> list[str]:
    folders = (target.temporary, target.data / "scratch")
    paths = (str(path) for folder in folders for path in folder.rglob("*") if path.is_file())
    return [path for path in paths if not OF_THE_LIVING.search(path)]


def _files(folder: Path) -> dict[str, tuple[str, int]]:
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in NO_OBJECT:
            data = path.read_bytes()
            found[str(path.relative_to(folder))] = (hashlib.sha256(data).hexdigest(), len(data))
    return found
