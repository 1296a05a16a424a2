"""Samples of one evaluation, shared out in blocks of lanes and among threads."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor

from deeplimit.mathematics.kernels.fused.lanes import PANEL
from deeplimit.mathematics.kernels.fused.layout import Floats, flat, flat_biases, flat_weights, padded_features, padded_lanes, split_gradients
from deeplimit.mathematics.kernels.fused.sweep import sweep, work_entries
from deeplimit.mathematics.kernels.fused.terminal import LOSSES
from deeplimit.mathematics.kernels.kernel import Gradients

_NEAR: Final = 2**19
"""Numbers of a block that stay near the processor, 4 MiB.

Two moons (d = 4) take 2.2 ns an entry in one block of 208 lanes at n = 64; at n = 1024 2.7 in blocks of 48 (3 MiB) and
4.2 in one of 208; at n = 4096 3.0 in blocks of 16 (4 MiB) and 4.0 in blocks of 48.
"""
_MOST_LANES: Final = 256
"""Lanes from which a block's products gain nothing more."""
_WORTH_SHARING: Final = 200_000
"""Entries of all stages, S d Q, that are worth a thread: about half a millisecond."""


class Evaluator:
    """The whole of an evaluation for one activation and tableau, with the memory that it works in.

    Gradients that it returns lie in that memory: they are valid until the next call.
    """

    def __init__(self, code: int, tableau: tuple[Floats, Floats]) -> None:
        self._code = code
        self._tableau = tableau
        self._memory: list[tuple[Floats, Tensor]] = []

    def __call__(
        self, steps: int, h: float, running: float, theta: Mapping[str, Tensor], x: Tensor, y: Tensor, loss: str
    ) -> Gradients:
        """Return sums and gradients over samples x (S, d) with targets y, those of the loss divided by S."""
        (samples, features), outputs = x.shape, len(theta["c"])
        d, stages = padded_features(features), steps * len(self._tableau[1])
        shares = self._shares(samples, samples * d * stages)
        lanes = block_lanes(-(-samples // len(shares)), 2 * stages * d)
        entries = work_entries(steps, len(self._tableau[1]), d, lanes, outputs)
        length = stages * d * (d + 1) + outputs * (features + 1) + 2
        self._provide(len(shares), entries, length)
        parameters = (flat_weights(theta["K"]), flat_biases(theta["b"]), flat(theta["W"]), flat(theta["c"]))
        inputs, targets = flat(x), flat(y.to(torch.float64))
        sizes = (steps, d, features, outputs, lanes)

        def run(index: int) -> None:
            work, out = self._memory[index]
            sweep(
                (self._code, LOSSES.index(loss)), sizes, h, running, self._tableau, parameters, inputs, targets,
                (*shares[index], samples), work, out.numpy(),
            )  # fmt: skip

        if len(shares) == 1:
            run(0)
        else:
            list(_threads(len(shares)).map(run, range(len(shares))))
        total = self._memory[0][1]
        for _, out in self._memory[1 : len(shares)]:  # in an order that never changes
            total += out
        return _taken_apart(total, stages, features, outputs, running)

    def _provide(self, threads: int, entries: int, length: int) -> None:
        """Have memory for so many threads, each with entries to work in and a row of results."""
        if self._memory and (self._memory[0][0].size < entries or len(self._memory[0][1]) != length):
            self._memory.clear()
        while len(self._memory) < threads:
            self._memory.append((np.empty(entries), torch.empty(length, dtype=torch.float64)))

    def _shares(self, samples: int, entries: int) -> list[tuple[int, int]]:
        """Return the first and last sample of each thread."""
        panels = padded_lanes(samples) // PANEL
        count = max(1, min(torch.get_num_threads(), panels, entries // _WORTH_SHARING))
        bounds = [min(samples, panels * index // count * PANEL) for index in range(count + 1)]
        return list(zip(bounds[:-1], bounds[1:], strict=True))


def block_lanes(samples: int, numbers: int) -> int:
    """Return the lanes of blocks that share out the samples, each lane with so many numbers to keep."""
    most = max(PANEL, min(_MOST_LANES, _NEAR // numbers // PANEL * PANEL))
    blocks = -(-samples // most)
    return padded_lanes(-(-samples // blocks))


def _taken_apart(total: Tensor, stages: int, features: int, outputs: int, running: float) -> Gradients:
    by_K, by_b = split_gradients(total, stages, features)
    rest = total[-(outputs * (features + 1) + 2) :]
    by_W = rest[: outputs * features].view(outputs, features)
    terminal, squares = rest[-2:].tolist()
    return Gradients(terminal, running * squares, {"K": by_K, "b": by_b, "W": by_W, "c": rest[-2 - outputs : -2]})


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="fused")
