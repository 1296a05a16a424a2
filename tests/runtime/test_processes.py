"""Processes that are kept alive, and those that die with their parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from service.runtime import processes
from service.runtime.processes import Crew, Role
from tests.support.service import ROOT, descendants, gone, pause

SLEEP = [sys.executable, "-c", "import signal; signal.pause()"]
STUBBORN = [sys.executable, "-c", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"]


def role(name: str, command: list[str], rank: int = 0) -> Role:
    return Role(name=name, command=command, rank=rank, stop_within=0.3)


def test_what_dies_is_restarted_with_ever_longer_pauses(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    crew = Crew()
    note = f"import pathlib; pathlib.Path({str(starts)!r}).open('a').write('.')"
    crew.start(role("short", [sys.executable, "-c", note]))
    threading.Timer(1.5, crew.ask_to_stop).start()
    crew.watch()
    crew.stop()
    assert 2 <= len(starts.read_text()) <= 5  # pauses of 0.1, 0.2, 0.4, 0.8 s


def test_what_gives_up_ends_the_watch_where_that_is_wanted(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    note = f"import os, pathlib, sys; pathlib.Path({str(starts)!r}).open('a').write('.'); "
    # the second time it gives up; ending in another way before that is no reason to stop watching
    fails = note + f"sys.exit(os.EX_UNAVAILABLE if len(pathlib.Path({str(starts)!r}).read_text()) == 2 else 1)"
    crew = Crew()
    crew.start(role("hopeless", [sys.executable, "-c", fails]))
    assert crew.watch(give_up=True) == os.EX_UNAVAILABLE
    crew.stop()
    assert starts.read_text() == ".."


def test_what_gives_up_is_started_again_much_later_than_what_dies() -> None:
    crew = Crew()
    pauses = {}
    for name, status in (("hopeless", os.EX_UNAVAILABLE), ("clumsy", 1)):
        crew.start(role(name, [sys.executable, "-c", f"raise SystemExit({status})"]))
        ended = crew._events.get(timeout=30)
        assert ended is not None
        before = time.monotonic()
        crew._schedule(ended)
        pauses[name] = crew._due[name][0] - before
    crew.stop()
    assert pauses["hopeless"] >= processes.GAVE_UP_PAUSE_S
    assert pauses["clumsy"] < processes.LONGEST_PAUSE_S


def test_stopping_kills_what_does_not_heed(tmp_path: Path) -> None:
    crew = Crew(tmp_path)
    members = [crew.start(role("meek", SLEEP)), crew.start(role("stubborn", STUBBORN, rank=1))]
    for member in members:
        for _ in range(500):
            if (
                "signal.pause" in descendants(os.getpid()).get(member.process.pid, "")
                and "lifeline" not in (descendants(os.getpid())[member.process.pid])
            ):
                break
            pause(0.01)
    pause(0.2)
    crew.stop()
    assert [member.process.returncode for member in members] == [-signal.SIGTERM, -signal.SIGKILL]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")
def test_a_tied_process_dies_with_a_parent_that_is_killed() -> None:
    code = (
        "import subprocess, signal; from service.runtime.lifeline import tied; "
        f"subprocess.Popen(tied({SLEEP!r})); print(flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        pause(0.3)
        below = descendants(parent.pid)
        assert below
        parent.kill()
    assert gone(below, within=2)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")
def test_a_process_whose_parent_is_gone_already_does_not_start() -> None:
    command = [sys.executable, "-m", "service.runtime.lifeline", "1", sys.executable, "-c", "print('alive')"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, b"")
