"""A power cut: every process is killed, and of every file what was not brought to disk is lost.

A kill alone loses nothing that was written: the system holds it and writes it out. So a library that is preloaded
into every process (`inside/synced.c`) notes how long a file was when a sync of it succeeded, and what lies beyond is
cut off.
Names of files are taken to be on disk.
"""

import os
from pathlib import Path
from random import Random

from tests.chaos.faults.processes import kill_all
from tests.chaos.faults.registry import fault
from tests.chaos.target import Target


@fault("power", "cc", alone=True)
def cut_power(target: Target, _: Random) -> None:
    """Cut the power, and start again."""
    kill_all(target)
    lost = {
        str(path): size for folder in (target.history, target.objects) for path, size in _cut(folder, target.synced)
    }
    target.journal.write("chaos", "power", lost=lost)
    target.start()


def _on_disk(notes: Path, found: os.stat_result) -> int:
    """Bytes of a file that are on disk."""
    note = notes / f"{found.st_dev}-{found.st_ino}"
    return int(note.read_text()) if note.exists() else 0


def _cut(folder: Path, notes: Path) -> list[tuple[Path, int]]:
    """Cut off what is not on disk, and return how much that was of which file."""
    lost = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found = path.stat()
            size = min(found.st_size, _on_disk(notes, found))
            if size < found.st_size:
                with path.open("r+b") as file:
                    file.truncate(size)
                lost.append((path, found.st_size - size))
    return lost
