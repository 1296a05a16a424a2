"""Processes that die with their parent, however that dies.

``python -m service.runtime.lifeline PARENT COMMAND …`` becomes the command, tied to the parent of that id. Linux
keeps that promise even when the parent is killed; elsewhere the command runs untied, and what reads its standard input
from the parent sees that end.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def die_with_parent(parent: int) -> None:
    """Have this process killed when the thread of its parent that started it ends; at once if it has ended already."""
    if sys.platform != "linux":
        return
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it died before the call above
        os._exit(1)


def tied(command: Sequence[str]) -> list[str]:
    """Command line that runs `command` tied to the calling process; -P: not whatever lies in the working directory."""
    return [sys.executable, "-P", "-m", __name__, str(os.getpid()), *command]


def main() -> None:
    """Tie this process to its parent and become the command."""
    parent, *command = sys.argv[1:]
    die_with_parent(int(parent))
    os.execvp(command[0], command)  # noqa: S606 - the point: become the command, without a shell


if __name__ == "__main__":
    main()
