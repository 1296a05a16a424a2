"""Processes that are kept alive: each in a session of its own, tied to this process, restarted when it dies.

One that ends with ``os.EX_UNAVAILABLE`` has found out that it cannot work here: it is not restarted soon.
"""

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Final

from service.runtime.lifeline import tied

LOG = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 10.0
STEADY_S: Final = 30.0
"""A process that has lived as long is restarted at once when it dies; one that dies sooner waits ever longer."""
GAVE_UP_PAUSE_S: Final = 60.0
"""A process that gave up waits as long: what it lacks has to be mended from outside, or is out of memory or disk."""


@dataclass(frozen=True)
class Role:
    """A process that is to run.

    Attributes
    ----------
    environment
        Variables beside those of this process.
    rank
        Lower ranks are stopped first.
    stop_within
        Seconds between asking it to end and killing its session.
    descriptors
        Open files it inherits.
    on_end
        Called when it has ended without being told to, and nothing is left of its session.
    """

    name: str
    command: Sequence[str]
    rank: int
    stop_within: float
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: tuple[int, ...] = ()
    on_end: Callable[[], None] | None = None


class Member:
    """A running process in its role."""

    def __init__(self, role: Role, output: IO[bytes] | None, ended: "SimpleQueue[Member | None]") -> None:
        self.role = role
        self.since = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - a command of our own
            tied(role.command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=role.descriptors,
            env={**os.environ, **role.environment},
            umask=0o077,  # what it writes is nobody else's to read
        )
        self.ended = threading.Event()
        threading.Thread(target=self._wait, args=(ended,), name=f"wait-{role.name}", daemon=True).start()

    @property
    def gave_up(self) -> bool:
        """Whether the process has ended because it cannot work here."""
        return self.process.returncode == os.EX_UNAVAILABLE

    def signal(self, number: signal.Signals) -> None:
        """Signal the process itself, which knows how to end what it started."""
        if not self.ended.is_set():
            self.process.send_signal(number)

    def sweep(self) -> None:
        """Kill what is left of its session."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            LOG.debug("nothing is left of %s", self.role.name)

    def _wait(self, ended: "SimpleQueue[Member | None]") -> None:
        self.process.wait()
        self.ended.set()
        ended.put(self)


class Crew:
    """Runs roles until it is told to stop.

    All processes are started by the thread that calls :meth:`start` and :meth:`watch`, and die with it. They write one
    log per role into `log_dir`, or where this process writes if that is None.
    """

    def __init__(self, log_dir: Path | None = None) -> None:
        self._log_dir = log_dir
        self._members: dict[str, Member] = {}
        self._pauses: dict[str, float] = {}
        self._due: dict[str, tuple[float, Role]] = {}
        self._events: SimpleQueue[Member | None] = SimpleQueue()

    def start(self, role: Role) -> Member:
        """Start a process."""
        with ExitStack() as opened:
            output = None
            if self._log_dir is not None:
                self._log_dir.mkdir(parents=True, exist_ok=True)
                output = opened.enter_context((self._log_dir / f"{role.name}.log").open("ab"))
            member = Member(role, output, self._events)
        self._members[role.name] = member
        LOG.info("%s: process %d", role.name, member.process.pid)
        return member

    def member(self, name: str) -> Member | None:
        """Return the latest process in a role, which may have ended."""
        return self._members.get(name)

    def ask_to_stop(self) -> None:
        """Have :meth:`watch` return. May be called in a signal handler and from another thread."""
        self._events.put(None)

    def watch(self, *, give_up: bool = False) -> int:
        """Restart whichever dies, with a pause that doubles while it keeps dying young.

        Return the exit status: 0 when asked to stop and, with `give_up`, ``os.EX_UNAVAILABLE`` as soon as a process has
        given up, for whoever restarts this one to see.
        """
        while True:
            due = min((moment for moment, _ in self._due.values()), default=None)
            try:
                ended = self._events.get(timeout=None if due is None else max(0.0, due - time.monotonic()))
            except Empty:
                self._restart_due()
                continue
            if ended is None:
                return 0
            if give_up and ended.gave_up:
                LOG.error("%s gave up; its log says why", ended.role.name)
                return os.EX_UNAVAILABLE
            self._schedule(ended)

    def stop(self) -> None:
        """End every process, rank by rank, and kill what does not end in time; nothing is left for a second call."""
        for rank in sorted({member.role.rank for member in self._members.values()}):
            members = [member for member in self._members.values() if member.role.rank == rank]
            for member in members:
                member.signal(signal.SIGTERM)
            begin = time.monotonic()
            for member in members:
                if not member.ended.wait(max(0.0, begin + member.role.stop_within - time.monotonic())):
                    LOG.warning("%s did not end in %g s and is killed", member.role.name, member.role.stop_within)
                member.sweep()
        for member in self._members.values():
            member.ended.wait(1.0)
        self._members.clear()

    def _schedule(self, ended: Member) -> None:
        name = ended.role.name
        ended.sweep()
        if ended.role.on_end is not None:
            ended.role.on_end()
        if ended.gave_up:
            self._due[name] = (time.monotonic() + GAVE_UP_PAUSE_S, ended.role)
            LOG.error("%s gave up; its log says why. It is started again in %g s", name, GAVE_UP_PAUSE_S)
            return
        lived = time.monotonic() - ended.since
        pause = FIRST_PAUSE_S if lived > STEADY_S else self._pauses.get(name, FIRST_PAUSE_S)
        self._pauses[name] = min(2 * pause, LONGEST_PAUSE_S)
        self._due[name] = (time.monotonic() + pause, ended.role)
        LOG.warning("%s ended with status %d, restart in %.1f s", name, ended.process.returncode, pause)

    def _restart_due(self) -> None:
        now = time.monotonic()
        for name, (moment, role) in list(self._due.items()):
            if moment <= now:
                del self._due[name]
                self.start(role)
