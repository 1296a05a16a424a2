"""The data directory: who may look into it, which process works on it, and the Valkey server of its own."""

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from service.config import Settings
from service.runtime.processes import Crew, Role
from service.runtime.valkey import ValkeyError, ValkeyServer

LOG = logging.getLogger(__name__)

_OURS: Final = frozenset({"artifacts", "scratch", "serve.lock", "valkey"})
"""What a data directory of a service holds."""
RANK: Final = 2
"""Valkey is stopped after API and workers."""
STOP_WITHIN_S: Final = 2.0


class ServeError(Exception):
    """The service cannot or may not start; the text says why."""


def open_directory(settings: Settings, opened: contextlib.ExitStack) -> ValkeyServer | None:
    """Make the data directory, and where no other Redis server is named, hold it and prepare its own.

    Raises
    ------
    ServeError
        It cannot be used, or another process works on it.
    """
    place = settings.data_dir
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        keep_others_out(place)
    except OSError as error:
        raise ServeError(f"cannot keep data in {place}: {error.strerror}") from error
    if settings.redis_url is not None:
        return None
    opened.enter_context(_own(place))
    try:
        server = ValkeyServer.prepare(place / "valkey")
    except OSError as error:
        raise ServeError(f"cannot keep Valkey's files in {place / 'valkey'}: {error.strerror}") from error
    opened.callback(server.tidy)
    return server


def start_valkey(crew: Crew, server: ValkeyServer) -> str:
    """Start a Valkey server, wait until it has read its files, and return its address.

    Raises
    ------
    ServeError
        It does not start.
    """
    member = crew.start(Role(name="valkey", command=server.command, rank=RANK, stop_within=STOP_WITHIN_S))
    try:
        server.wait_ready(member.process)
    except ValkeyError as failure:
        raise ServeError(str(failure)) from failure
    return server.url


@contextlib.contextmanager
def job_store(settings: Settings) -> Iterator[str]:
    """Give the address of the Redis server that is named, or start that of the data directory for the time being.

    Raises
    ------
    ServeError
        The directory cannot be used, or another process works on it; or the server does not start.
    """
    crew = Crew()
    with contextlib.ExitStack() as opened:
        server = open_directory(settings, opened)
        opened.callback(crew.stop)
        yield str(settings.redis_url) if server is None else start_valkey(crew, server)


def keep_others_out(data_dir: Path) -> None:
    """Let nobody else into a data directory that is ours alone; one that is not, its owner has opened to us."""
    held = {entry.name for entry in data_dir.iterdir()}
    if data_dir.stat().st_uid != os.geteuid() or (held and not held & _OURS):
        LOG.warning("%s is not this service's alone, so it stays as it is: see who can read it", data_dir)
        return
    try:
        data_dir.chmod(0o700)
    except OSError as failure:
        LOG.warning("%s cannot be closed to others: %s", data_dir, failure.strerror)


@contextlib.contextmanager
def _own(data_dir: Path) -> Iterator[IO[str]]:
    """Hold the lock of a data directory; the system frees it when this process ends, however it does."""
    with (data_dir / "serve.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip()
            raise ServeError(f"the data directory {data_dir} is in use by process {owner}") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield lock
