"""Plain values as bytes, as a journal keeps them: a line of JSON, then the tensors that it names, one behind the other.

PyTorch's own format gathers all in one buffer with a checksum of its own. Here each tensor is copied once, as whoever
made it goes on working, and what stores it takes it piece by piece. Nothing that is read is run.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

if TYPE_CHECKING:
    from deeplimit.mathematics.journal import Value

_TENSOR: Final = "\0tensor"
"""Key of what stands for a tensor: its type, shape, device, and where it lies among the bytes."""


def flattened(value: Value) -> list[memoryview]:
    """Return a value in pieces of bytes, which what becomes of its tensors does not change."""
    pieces, size = [], 0

    def plain(part: Value) -> Value:
        nonlocal size
        if isinstance(part, torch.Tensor):
            array = torch.empty(part.shape, dtype=part.dtype).copy_(part.detach()).numpy()
            place, size = size, size + array.nbytes
            pieces.append(array.reshape(-1).view(np.uint8).data)
            return {_TENSOR: [array.dtype.name, list(array.shape), str(part.device), place]}
        if isinstance(part, dict):
            return {name: plain(each) for name, each in part.items()}
        if isinstance(part, list | tuple):
            return [plain(each) for each in part]
        return part

    head = json.dumps(plain(value)).encode() + b"\n"
    return [memoryview(head), *pieces]


def restored(content: bytes) -> Value:
    """Return the value that the pieces held, lists in the place of tuples.

    Raises
    ------
    ValueError, TypeError
        The bytes are no such value, or not all of one.
    """
    begin = content.index(b"\n") + 1

    def tensor(found: dict[str, Any]) -> Value:
        if _TENSOR not in found:
            return found
        dtype, shape, device, place = found[_TENSOR]
        count = int(np.prod(shape, dtype=np.int64))
        array = np.frombuffer(content, dtype, count, begin + place) if count else np.empty(0, dtype)
        return torch.tensor(array.reshape(shape), device=device)  # in memory as torch aligns it

    return json.loads(content[:begin], object_hook=tensor)
