"""Compilation of the fused loops when they are first called, or their reading from the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
from numba.core import config

from deeplimit.mathematics.kernels.fused.cache import folder

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Return machine code for the function, which runs without Python's lock.

    Where the cache cannot be written to, every process compiles anew.
    """
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder())
    try:
        made: Function = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except (RuntimeError, OSError):  # Numba found no folder that it may write to
        made = numba.njit(nogil=True, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = before
    return made


def part(function: Function) -> Function:
    """Return the function as a part of the compiled ones that call it."""
    made: Function = numba.njit(nogil=True, error_model="numpy", forceinline=True)(function)
    return made
