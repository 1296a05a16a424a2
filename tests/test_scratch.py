"""Temporary files: gone when they are done with, and swept when whoever made them is dead."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from service.scratch import PLACE, Scratch
from tests.support.service import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

HOLDS = """
import sys
from pathlib import Path
from service.scratch import Scratch
with Scratch(Path(sys.argv[1])).folder() as folder:
    (folder / "upload").write_bytes(bytes(2**20))
    print(folder, flush=True)
    sys.stdin.read()
"""


def left(data_dir: Path) -> list[str]:
    """Files below the folder of all processes, but their locks."""
    return sorted(path.name for path in (data_dir / PLACE).rglob("*") if path.is_file() and path.name != "lock")


def test_a_folder_is_this_users_alone_and_gone_afterwards(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "data")
    with scratch.folder() as folder:
        (folder / "file").write_bytes(b"content")
        made = [path for path in (tmp_path / "data").rglob("*") if path.is_dir()]
        assert folder in made
        assert {path.stat().st_mode & 0o777 for path in made} == {0o700}
        assert left(tmp_path / "data") == ["file"]
    assert left(tmp_path / "data") == []
    scratch.close()
    assert list((tmp_path / "data" / PLACE).iterdir()) == []
    with scratch.folder() as folder:
        assert folder.is_dir()


def test_files_of_the_dead_are_swept_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    survivor = Scratch(tmp_path)
    with (
        survivor.folder() as own,
        subprocess.Popen(
            [sys.executable, "-c", HOLDS, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ) as other,
    ):
        assert other.stdout is not None
        assert str(tmp_path) in other.stdout.readline().decode()
        (own / "mine").write_bytes(b"")
        assert survivor.sweep() == Scratch(tmp_path).sweep() == 0
        assert left(tmp_path) == ["mine", "upload"]
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert left(tmp_path) == ["mine", "upload"]
        assert survivor.sweep() == 1
        assert left(tmp_path) == ["mine"]


def test_a_process_that_begins_while_others_sweep_has_a_folder(tmp_path: Path) -> None:
    stop = threading.Event()

    def sweep() -> None:
        sweeper = Scratch(tmp_path)
        while not stop.is_set():
            sweeper.sweep()

    sweepers = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in sweepers:
        thread.start()
    try:
        for _ in range(200):
            beginner = Scratch(tmp_path)
            with beginner.folder() as folder:
                (folder / "file").write_bytes(b"")
            beginner.close()
    finally:
        stop.set()
        for thread in sweepers:
            thread.join()


def test_a_folder_that_was_never_locked_is_swept(tmp_path: Path) -> None:
    (tmp_path / PLACE / "killed-at-once").mkdir(parents=True)
    assert Scratch(tmp_path).sweep() == 1
    assert Scratch(tmp_path / "nowhere").sweep() == 0


def test_a_folder_that_cannot_be_read_is_swept_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scratch = Scratch(tmp_path)
    (tmp_path / PLACE).write_text("no folder")
    with caplog.at_level(logging.WARNING):
        assert scratch.sweep() == scratch.sweep() == 0
    assert len(caplog.records) == 1, "it is said once"
    (tmp_path / PLACE).unlink()
    (tmp_path / PLACE / "dead").mkdir(parents=True)
    assert scratch.sweep() == 1
