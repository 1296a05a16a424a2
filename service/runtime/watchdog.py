"""Processes that live and do nothing: each is asked for a sign of life, and killed where it gives none."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import httpx
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.runtime.processes import Crew, Member

LOG = logging.getLogger(__name__)

MISSED: Final = 3
MISSED_BY_WORKER: Final = 6
"""Celery pauses for up to 30 s between two attempts to connect to a broker that was away."""
LONGEST_ANSWER_S: Final = 5.0
PULSES: Final = 4096
"""Bytes that are read at once; a pulse is one."""


@dataclass(frozen=True)
class Probe:
    """How a process is asked.

    Attributes
    ----------
    role
        Name of its role.
    answers
        Asks it, for some seconds at the most, and says whether it has answered.
    missed
        Times in a row that it may not answer.
    """

    role: str
    answers: Callable[[], bool]
    missed: int = MISSED


class Watchdog:
    """A thread that asks the processes of a crew in turn, and kills those that hang: the crew starts them again.

    Parameters
    ----------
    crew, probes
        Whom to ask, and how.
    interval_s
        Seconds between two rounds.
    start_s
        Seconds that a process has until its first answer.
    """

    def __init__(self, crew: Crew, probes: Sequence[Probe], *, interval_s: float, start_s: float) -> None:
        self._crew = crew
        self._probes = probes
        self._interval_s = interval_s
        self._start_s = start_s
        self._missed: dict[Member, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin with a round after the first interval."""
        self._thread.start()

    def stop(self) -> None:
        """Kill nobody any more; a question that is under way may go on for some seconds."""
        self._stopping.set()

    def join(self) -> None:
        """Wait for that question to end, after :meth:`stop`."""
        self._thread.join(LONGEST_ANSWER_S * (1 + len(self._probes)))

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            for probe in self._probes:
                member = self._crew.member(probe.role)
                if member is not None and not member.ended.is_set() and not self._stopping.is_set():
                    try:
                        self._ask(member, probe)
                    except Exception:  # too many open files, say: nobody would be watched from then on
                        LOG.exception("%s could not be asked for a sign of life", probe.role)

    def _ask(self, member: Member, probe: Probe) -> None:
        if probe.answers():
            self._missed = {other: times for other, times in self._missed.items() if not other.ended.is_set()}
            self._missed[member] = 0
            return
        if member not in self._missed:  # it has not answered yet
            hangs = time.monotonic() - member.since > self._start_s
        else:
            self._missed[member] += 1
            hangs = self._missed[member] >= probe.missed
        if hangs and not self._stopping.is_set():
            LOG.error("%s hangs: it gives no sign of life and is replaced", probe.role)
            member.sweep()


def server_answers(url: str, timeout_s: float) -> Callable[[], bool]:
    """Make a probe of a Redis server; one that loads its files or refuses something does answer."""
    return _ping(url, timeout_s, refusal=True)


def server_serves(url: str, timeout_s: float) -> Callable[[], bool]:
    """Make a probe of whether clients can work with a Redis server: while it loads or refuses something they cannot."""
    return _ping(url, timeout_s, refusal=False)


def _ping(url: str, timeout_s: float, *, refusal: bool) -> Callable[[], bool]:
    """Make a probe of a Redis server, which gives ``refusal`` where that is what it answers."""
    client = redis.Redis.from_url(url, socket_timeout=timeout_s, retry=Retry(NoBackoff(), 0), protocol=2)

    def answers() -> bool:
        try:
            with client:  # so that no connection outlives the server's process
                client.ping()
        except redis.BusyLoadingError:  # a ConnectionError, though the server has answered
            return refusal
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        except redis.RedisError:
            return refusal
        return True

    return answers


def api_answers(address: str, timeout_s: float) -> Callable[[], bool]:
    """Make a probe of an API; whatever it answers, it does not hang."""

    def answers() -> bool:
        try:
            httpx.get(f"{address}/livez", timeout=timeout_s, trust_env=False)
        except httpx.HTTPError:
            return False
        return True

    return answers


def worker_answers(pulses: int, broker_serves: Callable[[], bool]) -> Callable[[], bool]:
    """Make a probe of Celery's main process, which writes into a pipe while its loop turns.

    Without its broker it waits for that, and nothing is held against it.
    """

    def answers() -> bool:
        return take_pulses(pulses) > 0 or not broker_serves()

    return answers


def take_pulses(pulses: int) -> int:
    """Empty the pipe of a worker, and count what was in it."""
    taken = 0
    with contextlib.suppress(BlockingIOError):
        while read := os.read(pulses, PULSES):
            taken += len(read)
    return taken
