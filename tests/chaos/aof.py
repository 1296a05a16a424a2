"""Valkey's append-only file, command by command, and what it says of each job."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from service.jobstore import keys

MANIFEST = "appendonly.aof.manifest"


class HistoryError(Exception):
    """The file does not tell everything from the beginning."""


def read(directory: Path) -> Iterator[list[bytes]]:
    """Yield the commands of the files that a manifest names.

    Raises
    ------
    HistoryError
        The file was rewritten, which keeps the outcome and forgets the way there.
    """
    for line in (directory / MANIFEST).read_text().splitlines():
        _, name, _, number, _, kind = line.split()
        if kind == "b" and number != "1":
            raise HistoryError(f"{name} is a rewritten one")
        if kind == "i":
            yield from parse((directory / name).read_bytes())


def parse(data: bytes) -> Iterator[list[bytes]]:
    """Yield the commands of a file, up to a last one that is cut off."""
    at = 0
    while at < len(data):
        end = data.find(b"\r\n", at)
        if end < 0:
            return
        if data[at : at + 1] == b"#":  # a time stamp
            at = end + 2
            continue
        count = int(data[at + 1 : end])
        at = end + 2
        command = []
        for _ in range(count):
            end = data.find(b"\r\n", at)
            if end < 0:
                return
            length = int(data[at + 1 : end])
            at = end + 2 + length + 2
            if at > len(data):
                return
            command.append(data[end + 2 : end + 2 + length])
        yield command


@dataclass
class Life:
    """What happened to one job, in order.

    Attributes
    ----------
    statuses
        Each that it was given; the first is that of its creation.
    claims
        Fences, as they were given out; 0 stands for one that no rise went before.
    committed
        Fence that held when objects were committed, and their paths as JSON.
    """

    statuses: list[str] = field(default_factory=list)
    claims: list[int] = field(default_factory=list)
    committed: list[tuple[int, str]] = field(default_factory=list)
    fence: int = 0


def lives(commands: Iterator[list[bytes]]) -> dict[str, Life]:
    """Sort what was written about jobs by their ids."""
    found: dict[str, Life] = {}
    prefix = keys.JOB.encode()
    rises: set[str] = set()
    for name, *arguments in commands:
        if not arguments or not arguments[0].startswith(prefix):
            continue
        job_id = arguments[0].removeprefix(prefix).decode()
        life = found.setdefault(job_id, Life())
        if name.upper() == b"HINCRBY" and arguments[1] == b"fence":
            life.fence += int(arguments[2])
            rises.add(job_id)
        elif name.upper() in {b"HSET", b"HMSET"}:
            fields = dict(zip(arguments[1::2], arguments[2::2], strict=True))
            if b"fence" in fields:
                life.fence = int(fields[b"fence"])
            if b"artifacts" in fields:
                life.committed.append((life.fence, fields[b"artifacts"].decode()))
            if b"status" in fields:
                status = fields[b"status"].decode()
                life.statuses.append(status)
                if status == "running":
                    life.claims.append(life.fence if job_id in rises else 0)
                    rises.discard(job_id)
    return found
