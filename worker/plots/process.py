"""The trainer's end of the drawing process, which keeps it from whatever Altair and V8 may do.

Importing both and compiling Vega takes longer than a small fit, so the process is started when a job begins, loads
while the job trains, and stays for the jobs after it. One that hangs is killed and one that died is replaced: either
costs the plot that was being drawn, and no job.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import selectors
import subprocess
import sys
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from service.config import environment_of_a_child
from service.runtime.lifeline import tied
from worker.plots.request import DrawAnswer, DrawRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.contract.plots.index import PlotName

LOG = logging.getLogger(__name__)

LIBRARIES: Final = ("altair", "vl_convert")
NOT_INSTALLED: Final = "Altair and vl-convert, which draw it, are not installed where the job ran"
LONGEST_S: Final = 30.0
"""Time that one plot may take, the start of the process included."""
_LOOK_S: Final = 0.05
"""Time between two looks at whether the job is to stop."""


class DrawingFailedError(Exception):
    """The plot could not be drawn; the text is for whoever asked, and the log has more."""


def installed() -> bool:
    """Whether there is what plots are drawn with."""
    return all(importlib.util.find_spec(library) is not None for library in LIBRARIES)


class DrawingProcess:
    """One process that draws plots, started when it is first needed. It dies with the thread that starts it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: SimpleQueue[bytes] = SimpleQueue()

    def start(self) -> None:
        """Start it, unless it runs: it loads its libraries while others work."""
        if self._process is not None and self._process.poll() is None:
            return
        self.stop()
        self._process = subprocess.Popen(  # noqa: S603 - a command of our own
            tied([sys.executable, "-P", "-m", "worker.plots"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=environment_of_a_child(),
        )
        if self._process.stdin is not None:
            os.set_blocking(self._process.stdin.fileno(), False)  # one that hangs reads no requests
        self._lines = SimpleQueue()
        threading.Thread(target=_listen, args=(self._process, self._lines), name="drawing", daemon=True).start()

    def stop(self) -> None:
        """Kill it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def draw(self, name: PlotName, data: str, checkpoint: Callable[[], None]) -> DrawAnswer:
        """Draw a plot from its numbers as JSON.

        Parameters
        ----------
        checkpoint
            Called while waiting; what it raises is passed on, and the process is stopped.

        Raises
        ------
        DrawingFailedError
            It failed, died, or took too long.
        """
        self.start()
        until = time.monotonic() + LONGEST_S
        try:
            self._send(DrawRequest(name=name, data=data), until, checkpoint)
            line = self._wait(until, checkpoint)
        except BaseException:
            self.stop()  # its answer, if it ever comes, must not be taken for that to the next request
            raise
        try:
            answer = DrawAnswer.model_validate_json(line)
        except ValidationError as error:
            LOG.exception("drawing %s: the drawing process ended", name)
            self.stop()
            raise DrawingFailedError("the process that draws it died") from error
        if answer.failure is not None or answer.plot is None:
            LOG.error("drawing %s failed: %s", name, answer.failure)
            raise DrawingFailedError("drawing it failed; the worker's log has the details")
        return answer

    def _send(self, request: DrawRequest, until: float, checkpoint: Callable[[], None]) -> None:
        if self._process is None or self._process.stdin is None:
            raise TypeError("a drawing process needs both pipes")
        pipe, rest = self._process.stdin.fileno(), request.model_dump_json().encode() + b"\n"
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_WRITE)
            while rest:
                if selector.select(_LOOK_S):
                    try:
                        rest = rest[os.write(pipe, rest) :]
                    except BrokenPipeError:
                        LOG.warning("the drawing process is gone")  # the end of its answers tells as well
                        return
                _look(until, checkpoint)

    def _wait(self, until: float, checkpoint: Callable[[], None]) -> bytes:
        while True:
            try:
                return self._lines.get(timeout=_LOOK_S)
            except Empty:
                _look(until, checkpoint)


def _look(until: float, checkpoint: Callable[[], None]) -> None:
    """See whether to go on."""
    checkpoint()
    if time.monotonic() > until:
        LOG.error("a plot was not drawn within %g s", LONGEST_S)
        raise DrawingFailedError(f"drawing it took longer than {LONGEST_S:g} s")


def _listen(process: subprocess.Popen[bytes], lines: SimpleQueue[bytes]) -> None:
    """Hand on answers, and at their end an empty line."""
    if process.stdout is not None:
        with process.stdout:
            for line in process.stdout:
                lines.put(line)
    lines.put(b"")
