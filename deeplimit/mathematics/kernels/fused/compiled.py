"""Compilation of the fused loops, once for a machine: the code is kept in a folder of the user's.

The folder is named by the sources, because Numba looks at the file of the compiled function alone and not at what the
function calls. Numba itself tells processors and its own versions apart.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import numba
from numba.core import config

Function = TypeVar("Function", bound=Callable[..., Any])

_SOURCES: Final = Path(__file__).parent


def cache_folder() -> Path:
    """Return where this version's machine code is kept: below NUMBA_CACHE_DIR, or the user's cache."""
    digest = hashlib.sha256()
    for source in sorted(_SOURCES.glob("*.py")):
        digest.update(source.read_bytes())
    given = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    return (Path(given) if given else Path.home() / ".cache") / "deeplimit" / f"fused-{digest.hexdigest()[:16]}"


def compiled(function: Function) -> Function:
    """Compile the function when it is first called, or read it from the cache.

    It runs without Python's lock. Where no cache can be written it is compiled in every process anew.
    """
    before = config.CACHE_DIR
    config.CACHE_DIR = str(_FOLDER)
    try:
        made: Function = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # what Numba raises where the folder cannot be written
        made = numba.njit(nogil=True, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = before
    return made


def part(function: Function) -> Function:
    """Compile the function into each that calls it."""
    made: Function = numba.njit(nogil=True, error_model="numpy", forceinline=True)(function)
    return made


_FOLDER: Final = cache_folder()
