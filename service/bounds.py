"""What the system refuses a child process that reads, draws or writes what a client sent or asked for."""

from __future__ import annotations

import os
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class NotStartedError(Exception):
    """The system refused the process itself, being out of processes, memory or descriptors for now."""


@contextmanager
def starting() -> Iterator[None]:
    """Start a child process inside.

    Raises
    ------
    NotStartedError
        The system refused it.
    """
    try:
        yield
    except OSError as refusal:
        raise NotStartedError(str(refusal)) from refusal


def bound(address_space: int, cpu_s: int, file_bytes: int) -> None:
    """Have the system refuse this process more memory, time and disk.

    Parameters
    ----------
    address_space
        Bytes, the libraries' own included: import those that count threads, as NumPy does, after this.
    cpu_s
        Seconds of processor time.
    file_bytes
        Of one file that it writes.
    """
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # each thread's stack counts as memory
    bounds = {
        resource.RLIMIT_AS: address_space,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in bounds.items():
        _, hard = resource.getrlimit(kind)
        try:
            resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
        except (ValueError, OSError):  # a system without this limit: the checks before starting still hold
            continue
