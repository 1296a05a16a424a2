"""Temporary files of a process, in a folder that others clear away once the process is dead."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = logging.getLogger(__name__)

PLACE: Final = "scratch"
"""Folder below the data directory where every process has its own."""
LOCK: Final = "lock"
"""File in it that the process holds locked while it lives; the system lets go of it, however the process ends."""


class Scratch:
    """Temporary files below a folder that processes, also those of other machines, may share.

    Parameters
    ----------
    data_dir
        The data directory; it is made when the first file is.
    """

    def __init__(self, data_dir: Path) -> None:
        self._place = data_dir.absolute() / PLACE
        self._own: Path | None = None
        self._locked = -1
        self._blind = False
        self._guard = threading.Lock()

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Make a folder, which is gone afterwards.

        Raises
        ------
        OSError
            The disk takes none now.
        """
        with tempfile.TemporaryDirectory(dir=self._of_this_process()) as folder:
            yield Path(folder)

    def sweep(self) -> int:
        """Delete what processes left that are dead, and return how many had."""
        swept = 0
        try:
            folders = sorted(self._place.iterdir())
        except FileNotFoundError:
            return 0
        except OSError as failure:
            if not self._blind:  # said once, not every second
                LOG.warning("temporary files of dead processes are deleted later: %s", failure)
            self._blind = True
            return 0
        self._blind = False
        for folder in folders:
            with suppress(OSError):  # somebody else sweeps it, or nobody can now
                swept += folder != self._own and _sweep(folder)
        if swept:
            LOG.warning("deleted temporary files of %d processes that are dead", swept)
        return swept

    def close(self) -> None:
        """Delete this process' own folder; another call of `folder` makes another one."""
        with self._guard:
            if self._own is not None:
                shutil.rmtree(self._own, ignore_errors=True)
                os.close(self._locked)
                self._own = None

    def _of_this_process(self) -> Path:
        with self._guard:
            while self._own is None or not self._own.exists():
                self._place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._place.mkdir(exist_ok=True, mode=0o700)
                folder = Path(tempfile.mkdtemp(dir=self._place))
                with suppress(FileNotFoundError):  # it was not locked yet, so that somebody swept it
                    self._locked = _lock(folder, fcntl.LOCK_EX)
                    self._own = folder
            return self._own


def _lock(folder: Path, how: int) -> int:
    """Lock a folder until the descriptor that is returned is closed.

    Raises
    ------
    BlockingIOError
        Somebody else has locked it, where `how` has LOCK_NB.
    FileNotFoundError
        Somebody else has deleted it meanwhile, or the file at least that was locked.
    """
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)  # for writing, as some systems lock nothing else
    try:
        fcntl.flock(lock, how)
        if os.path.samestat(os.fstat(lock), (folder / LOCK).stat()):
            return lock
    except OSError:
        os.close(lock)
        raise
    os.close(lock)
    raise FileNotFoundError(folder / LOCK)


def _sweep(folder: Path) -> bool:
    """Delete the folder of a process that is dead; False where it lives."""
    try:
        lock = _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    try:
        shutil.rmtree(folder)
    finally:
        os.close(lock)
    return True
