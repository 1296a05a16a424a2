"""A drawing process that does not read holds up nobody: not past the time that a plot may take, nor a job's end."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from service.contract.plots.index import PlotName
from worker.plots import process
from worker.plots.process import DrawingFailedError, DrawingProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGE = "x" * 200_000
"""More than a pipe holds, and no plot's numbers."""
PATIENCE_S = 60.0


@pytest.fixture
def drawer() -> Iterator[DrawingProcess]:
    started = DrawingProcess()
    started.start()
    yield started
    started.stop()


def drawn(drawer: DrawingProcess, checkpoint: Callable[[], None]) -> list[BaseException]:
    """Draw aside, so that a hang fails the test; return what was raised."""
    raised: list[BaseException] = []

    def draw() -> None:
        try:
            drawer.draw(PlotName.MINIMA, LARGE, checkpoint)
        except BaseException as error:  # noqa: BLE001 - it is what the test is about
            raised.append(error)

    assert drawer._process is not None
    pid = drawer._process.pid
    aside = threading.Thread(target=draw, daemon=True)
    aside.start()
    aside.join(PATIENCE_S)
    hangs = aside.is_alive()
    if hangs:
        os.kill(pid, signal.SIGKILL)
        aside.join()
    assert not hangs
    return raised


def hang(drawer: DrawingProcess) -> None:
    assert drawer._process is not None
    os.kill(drawer._process.pid, signal.SIGSTOP)


def test_one_that_does_not_read_costs_the_plot(drawer: DrawingProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LONGEST_S", 0.3)
    hang(drawer)
    (failed,) = drawn(drawer, lambda: None)
    assert isinstance(failed, DrawingFailedError)
    assert str(failed) == "drawing it took longer than 0.3 s"
    assert drawer._process is None


def test_a_job_stops_while_one_does_not_read(drawer: DrawingProcess) -> None:
    def stop() -> None:
        raise InterruptedError

    hang(drawer)
    (stopped,) = drawn(drawer, stop)
    assert isinstance(stopped, InterruptedError)
    assert drawer._process is None


def test_a_large_request_arrives_whole(drawer: DrawingProcess) -> None:
    """It is read and found wrong, and the process goes on."""
    before = drawer._process
    (failed,) = drawn(drawer, lambda: None)
    assert str(failed) == "drawing it failed; the worker's log has the details"
    assert drawer._process is before
