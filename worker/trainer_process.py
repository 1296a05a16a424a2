"""The supervisor's end of a trainer process."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final, Self

from service.contract.job import Revision
from service.runtime.lifeline import tied

LOG = logging.getLogger(__name__)

STANDARD_ERROR: Final = 2
LAST_LINES: Final = 20
LAST_CHARACTERS: Final = 1500
LAST_WORDS_S: Final = 0.5
TAKEN_S: Final = 10.0
"""Time in which a trainer has to take an order."""


@dataclass(frozen=True)
class Said:
    """A trainer wrote a line."""

    trainer: "TrainerProcess"
    message: Mapping[str, Any]


@dataclass(frozen=True)
class Died:
    """A trainer process has ended."""

    trainer: "TrainerProcess"
    returncode: int
    last_words: str
    """The end of what it wrote to its standard error since its job began."""


@dataclass(frozen=True)
class Announced:
    """A job has a new revision; None where announcements may have been missed."""

    revision: Revision | None


@dataclass(frozen=True)
class StopAsked:
    """The worker is to stop."""


Event = Said | Died | Announced | StopAsked


class TrainerProcess:
    """A trainer, in a session of its own so that all it starts can be killed with it.

    It dies with the thread that makes this object, so that has to be the main one.

    Parameters
    ----------
    executor
        Function that runs a job, as ``module:name``.
    tell
        Called, in another thread, with what it says and with its death.
    """

    def __init__(self, executor: str, tell: Callable[[Event], None]) -> None:
        self.jobs = 0
        self.since = time.monotonic()
        self._doomed = False
        self._tell = tell
        self._process = subprocess.Popen(  # noqa: S603 - a command of our own
            tied([sys.executable, "-P", "-m", "worker.trainer", "--executor", executor]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._input, output, errors = _pipes(self._process)
        self._last_words = LastWords(errors)
        threading.Thread(target=self._listen, args=(output,), name="trainer", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.signal(signal.SIGKILL)

    @property
    def pid(self) -> int:
        """Process id, and that of its session."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs, and has not been told to end."""
        return not self._doomed and self._process.poll() is None

    def say(self, message: Mapping[str, Any]) -> None:
        """Write one order. A trainer that does not take it has died, or is killed, which is an event of its own."""
        if message["type"] == "run":
            self._last_words.forget()  # what another job wrote is not this one's error
        deaf = threading.Timer(
            TAKEN_S, self.signal, [signal.SIGKILL]
        )  # one that hangs would hold its worker up as well
        deaf.daemon = True
        deaf.start()
        try:
            self._input.write(json.dumps(message).encode() + b"\n")
            self._input.flush()
        except (BrokenPipeError, ValueError):
            LOG.info("trainer %d is gone", self.pid)
        finally:
            deaf.cancel()

    def signal(self, number: signal.Signals) -> None:
        """Signal the process and all of its session."""
        self._doomed = True
        if self._process.poll() is None:
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                LOG.debug("trainer %d ended before %s", self.pid, number.name)

    def dismiss(self) -> None:
        """Let it end: it does when its orders end."""
        try:
            self._input.close()
        except BrokenPipeError:
            LOG.debug("trainer %d is gone", self.pid)

    def _listen(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                try:
                    message = json.loads(line)
                except ValueError:  # cut off by a kill
                    break
                self._tell(Said(self, message))
        returncode = self._process.wait()
        self._tell(Died(self, returncode, self._last_words.text()))


class LastWords:
    """Passes on what a process writes to its standard error, and keeps the end of it."""

    def __init__(self, errors: IO[bytes]) -> None:
        self._errors = errors
        self._kept: deque[bytes] = deque(maxlen=LAST_LINES)
        self._thread = threading.Thread(target=self._listen, name="trainer-errors", daemon=True)
        self._thread.start()

    def forget(self) -> None:
        """Begin anew."""
        self._kept.clear()

    def text(self) -> str:
        """Return the end of it, once the process has died."""
        self._thread.join(LAST_WORDS_S)  # what it has started may hold the pipe open for longer
        text = b"".join(list(self._kept)).decode(errors="replace")
        return "".join(sign for sign in text if sign == "\n" or sign.isprintable()).strip()[-LAST_CHARACTERS:]

    def _listen(self) -> None:
        with self._errors:
            for line in self._errors:
                self._kept.append(line)
                with contextlib.suppress(
                    OSError
                ):  # a log that is full or closed must not stop the trainer's own writes
                    os.write(STANDARD_ERROR, line)


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise TypeError("a trainer needs all pipes")
    return process.stdin, process.stdout, process.stderr
