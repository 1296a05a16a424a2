"""How large a model becomes as ONNX, known before it is written: a graph holds the values that each step reads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from service.export.network import header_of
from service.export.stage_values import TIMES

if TYPE_CHECKING:
    from service.export.network import Network

LARGEST: Final = 2**27
"""Bytes of values. Writing takes up to seven times as much memory, which the child process has."""
FLOAT64: Final = 8


class TooLargeError(Exception):
    """A model would be too large as ONNX; `most` is the number of steps with which it would not, or 0."""

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__(f"at most {most} steps")


def step_bytes(network: Network, content: bytes) -> int:
    """Return the bytes that one step of a network takes, from its exported parameters file."""
    header = header_of(content)
    names = ("K", "b", "V") if network.two_layer else ("K", "b")
    values = sum(math.prod(header[name]["shape"][1:]) for name in names)
    return FLOAT64 * int(values) * len(TIMES[network.integrator])


def check_size(network: Network, content: bytes, steps: int | None) -> None:
    """Refuse what would be too large.

    Raises
    ------
    TooLargeError
        With these steps, or those of the network where there are none, or with any.
    """
    most = 0 if len(content) > LARGEST else LARGEST // step_bytes(network, content)
    if (steps or network.steps) > most:
        raise TooLargeError(most)
