"""Where the fused kernel's machine code is kept between processes. Numba is not needed to know that.

The folder is named by the sources, because Numba looks at the file of a compiled function alone and not at what the
function calls, by where they lie, because Numba keeps the code of every place apart, and by the versions of Python and
Numba. Numba tells processors apart; the marker does too.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

_SOURCES: Final = Path(__file__).parent


@cache
def folder() -> Path:
    """Return the folder: below NUMBA_CACHE_DIR if that is set, or else the user's cache."""
    versions = f"{sys.version} {metadata.version('numba')} {metadata.version('llvmlite')}"
    digest = hashlib.sha256(f"{versions} {_SOURCES}".encode())
    for source in sorted(_SOURCES.glob("*.py")):
        digest.update(source.read_bytes())
    given = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.path.expanduser(given)) / "deeplimit" / f"fused-{digest.hexdigest()[:16]}"  # noqa: PTH111 - never raises


def can_be_written() -> bool:
    """Make the folder, and return whether that worked."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder(), os.W_OK)


def marker() -> Path:
    """Return the file that is there once everything has been compiled for this processor."""
    return folder() / f"complete-{hashlib.sha256(_processor().encode()).hexdigest()[:16]}"


def _processor() -> str:
    """Describe the processor: its model and its instructions where the system lists them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    wanted = ("model name", "flags", "Features", "CPU part")
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(wanted)))
