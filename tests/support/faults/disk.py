"""A disk that takes no more, for one process or for all: faults of storage, injected where root is held to them too."""

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def full_for(*pids: int, room: int = 0) -> Iterator[None]:
    """Have writes of these processes to a file fail (EFBIG) beyond its first `room` bytes, as on a full disk."""
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        for pid, limits in before.items():
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


@contextlib.contextmanager
def hanging(file: Path) -> Iterator[None]:
    """Have whoever reads a file wait, without an end to it and without an error, as on a network disk that is away."""
    file.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(file)
    try:
        yield
    finally:
        both_ways = os.open(file, os.O_RDWR)  # lets go of those who wait already
        file.unlink()
        os.close(both_ways)


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """Mount a disk of `size` in memory; None of this is to be had without root, which `may_mount` says."""
    place.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place))
    try:
        yield place
    finally:
        subprocess.run([_tool("umount"), "--lazy", str(place)], check=True)


def may_mount(place: Path) -> bool:
    """Whether this process may mount a disk."""
    try:
        with small_disk(place / "probe", "64k"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def read_only(place: Path, *, ro: bool) -> None:
    """Mount a disk again, read-only or not."""
    _mount("-o", f"remount,{'ro' if ro else 'rw'}", str(place))


def _mount(*arguments: str) -> None:
    subprocess.run([_tool("mount"), *arguments], check=True, capture_output=True)


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError(name)
    return path
