"""Disks that are full or read-only for a while."""

import contextlib
import os
import resource
import signal
import subprocess
from pathlib import Path
from random import Random

from tests.chaos.faults.processes import send
from tests.chaos.faults.registry import MissedError, fault
from tests.chaos.target import Target
from tests.support.faults.disk import read_only
from tests.support.service import pause

ROOM = 4096


def _seconds(random: Random) -> float:
    return random.uniform(0.5, 4.0)


def _fill(filler: Path) -> None:
    """Take all room that is left."""
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        size = 2**20
        while size >= 1:
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                pass
            size //= 16


def _filled(target: Target, disk: Path, seconds: float) -> None:
    filler = disk / "filler"
    try:
        _fill(filler)
    except OSError as failure:
        raise MissedError(f"{disk} is read-only just now") from failure
    try:
        target.journal.write("chaos", "full", disk=str(disk), seconds=seconds)
        pause(seconds)  # as long as the fault is to last
    finally:
        _empty(filler)


def _empty(filler: Path) -> None:
    """Give the room back, once another fault lets the disk be written to."""
    for _ in range(3000):
        with contextlib.suppress(OSError):
            filler.unlink(missing_ok=True)
            return
        pause(0.01)  # as long as that fault lasts
    raise RuntimeError(filler)


@fault("objects-full", "mount")
def fill_objects(target: Target, random: Random) -> None:
    """Fill the disk of the objects."""
    _filled(target, target.objects.parent, _seconds(random))


@fault("disk-full", "mount", alone=True)
def fill_disk(target: Target, random: Random) -> None:
    """Fill the disk of the job store and of temporary files."""
    _filled(target, target.disk, _seconds(random))
    target.ensure()


@fault("no-writes")
def refuse_writes(target: Target, random: Random) -> None:
    """Have no trainer write more than a little to any file, as on a full disk of its own."""
    room = random.choice((0, ROOM))
    try:
        _let_write(target, room)
        target.journal.write("chaos", "no writes", room=room)
        pause(_seconds(random))  # as long as the fault is to last
    finally:
        _let_write(target, resource.RLIM_INFINITY)


def _let_write(target: Target, room: int) -> None:
    """Let trainers, and what starts others of them, write so much to a file; signals that say so are ignored there."""
    for pid in target.pids("trainer", "pool"):
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))


@fault("objects-read-only", "mount", alone=True)
def objects_read_only(target: Target, random: Random) -> None:
    """Mount the disk of the objects read-only."""
    disk = target.objects.parent
    for _ in range(200):
        with contextlib.suppress(subprocess.CalledProcessError):  # a file is being written
            read_only(disk, ro=True)
            break
        pause(0.01)  # as long as that may take
    else:
        raise MissedError(f"{disk} is always busy")
    try:
        target.journal.write("chaos", "read-only", disk=str(disk))
        pause(_seconds(random))  # as long as the fault is to last
    finally:
        read_only(disk, ro=False)


@fault("torn-checkpoint")
def tear_checkpoint(target: Target, _random: Random) -> None:
    """Cut the newest checkpoint of a job in half, and kill its worker, so that another attempt goes on from it."""
    for _ in range(200):
        written = [path for path in target.objects.glob("jobs/*/checkpoints/*") if "#" not in path.name]
        if written:
            break
        pause(0.05)  # until a job keeps one
    else:
        raise MissedError("no job keeps checkpoints")
    newest = max(written, key=lambda path: path.stat().st_mtime)
    os.truncate(newest, newest.stat().st_size // 2)
    target.journal.write("chaos", "torn", checkpoint=str(newest))
    send(target, signal.SIGKILL, *target.pids("pool"))


def give_back(target: Target) -> None:
    """Make sure that nothing of this is left."""
    if target.on_disks:
        read_only(target.objects.parent, ro=False)
        for disk in (target.disk, target.objects.parent):
            with contextlib.suppress(FileNotFoundError):
                (disk / "filler").unlink()
