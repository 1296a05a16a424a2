"""Which kernel goes through a problem's stages: torch's, or the fused one where it can and pays.

The fused kernel needs Numba, which is not always there, and machine code, which is compiled once for a machine. Nothing
here imports Numba before it is needed, and no problem waits for a compiler unless it asks for the fused kernel.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import subprocess
import sys
from enum import StrEnum
from functools import cache
from typing import Final

import torch

from deeplimit.mathematics.kernels.fused.cache import can_be_written, marker
from deeplimit.mathematics.kernels.kernel import Kernel
from deeplimit.mathematics.kernels.runge_kutta import ExplicitRungeKutta

LOG = logging.getLogger(__name__)

FUSED_ACTIVATIONS: Final = frozenset({"tanh", "sigmoid", "silu", "softplus", "sin", "identity", "relu", "leaky_relu"})
"""Activations that the fused kernel has a form of."""
MOST_FUSED_FEATURES: Final = 128
"""State dimension up to which auto takes the fused kernel.

A gradient by torch takes 9.9 times as long at d = 2 (S = 20, n = 8), 2.4 times at d = 64 (S = 600), 1.7 at d = 96, 1.8
at d = 128, 1.2 at 192 and 256, 1.1 at 384: one thread of a machine with AVX-512, torch 2.13 with MKL. Beyond 128 the
lead is small enough that another machine's products may turn it.
"""
_COMPILER: Final = "deeplimit.mathematics.kernels.fused.warm"


class KernelChoice(StrEnum):
    """What a user asks for; auto is the fused kernel where it is at hand and faster, and torch's elsewhere."""

    AUTO = "auto"
    TORCH = "torch"
    FUSED = "fused"


def why_not_fused(activation: str, *, device: torch.device, dtype: torch.dtype) -> str | None:
    """Return why explicit stages of one-layer blocks cannot go through the fused kernel, or None if they can."""
    if device.type != "cpu":
        return f"the fused kernel runs on the CPU, not on {device.type}"
    if dtype != torch.float64:
        return "the fused kernel computes in float64"
    if activation not in FUSED_ACTIVATIONS:
        return f"the fused kernel has no {activation}"
    if importlib.util.find_spec("numba") is None:
        return "the fused kernel needs Numba, which is not installed"
    if _fused() is None:
        return "Numba does not load here; the log has the reason"
    return None


def explicit_scheme(
    choice: KernelChoice, activation: str, features: int, *, device: torch.device, dtype: torch.dtype
) -> type[Kernel]:
    """Return the kernel of explicit stages of one-layer blocks.

    Raises
    ------
    ValueError
        If the fused kernel is asked for and cannot serve.
    """
    if choice is KernelChoice.TORCH:
        return ExplicitRungeKutta
    if choice is KernelChoice.AUTO:
        fits = device.type == "cpu" and dtype == torch.float64 and activation in FUSED_ACTIVATIONS
        if not fits or features > MOST_FUSED_FEATURES or not machine_code_at_hand():
            return ExplicitRungeKutta
    reason = why_not_fused(activation, device=device, dtype=dtype)
    fused = _fused() if reason is None else None
    if fused is not None:
        return fused
    if choice is KernelChoice.FUSED:
        raise ValueError(f"kernel 'fused': {reason}")
    return ExplicitRungeKutta


def machine_code_at_hand() -> bool:
    """Return whether the fused kernel's machine code is on this machine; if not, have it made beside this process."""
    if importlib.util.find_spec("numba") is None:
        return False
    if marker().exists():
        return True
    if can_be_written():
        compilation()
    return False


def prepare() -> None:
    """Have the fused kernel ready in this process, compiled beside it if need be; for a thread that can wait."""
    if not machine_code_at_hand() and importlib.util.find_spec("numba") is not None and can_be_written():
        compilation().wait()
    if machine_code_at_hand() and _fused() is not None:
        importlib.import_module(_COMPILER).warm()


@cache
def compilation() -> subprocess.Popen[bytes]:
    """Start compiling in a process of its own, once, and return the process."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-m", _COMPILER], stdin=quiet, stdout=quiet, stderr=quiet)  # noqa: S603 - a module of our own


@cache
def _fused() -> type[Kernel] | None:
    try:
        module = importlib.import_module("deeplimit.mathematics.kernels.fused.kernel")
    except Exception as error:  # noqa: BLE001 - whatever keeps machine code from loading keeps the fused kernel away, and no more
        LOG.warning("the fused kernel does not load, and torch's is used: %s", error)
        return None
    kernel: type[Kernel] = module.FusedRungeKutta
    return kernel
