"""Samples of one evaluation, shared out in blocks of lanes and among threads."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from torch import Tensor

from deeplimit.mathematics.kernels.fused.increments import gather, spread
from deeplimit.mathematics.kernels.fused.lanes import PANEL
from deeplimit.mathematics.kernels.fused.layout import (
    Floats,
    flat,
    flat_biases,
    flat_weights,
    padded_features,
    padded_lanes,
    split_gradients,
)
from deeplimit.mathematics.kernels.fused.sweep import sweep, work_entries
from deeplimit.mathematics.kernels.fused.terminal import LOSSES
from deeplimit.mathematics.kernels.kernel import Gradients, Increments

_NEAR: Final = 2**19
"""Numbers of a block that stay near the processor, 4 MiB.

Two moons (d = 4) take 2.2 ns an entry in one block of 208 lanes at n = 64; at n = 1024 2.7 in blocks of 48 (3 MiB) and
4.2 in one of 208; at n = 4096 3.0 in blocks of 16 (4 MiB) and 4.0 in blocks of 48.
"""
_MOST_LANES: Final = 256
"""Lanes from which a block's products gain nothing more."""
_WORTH_SHARING: Final = 200_000
"""Entries of all stages, S d Q, that are worth a thread: about half a millisecond."""


@dataclass
class _Memory:
    """What one thread works in and leaves its sums in, and those sums by name."""

    work: Floats
    out: Tensor
    sums: Floats
    by_name: dict[str, Tensor]


class _Layout:
    """Where an objective's parameters are put, and the numbers that lead from its coordinates there."""

    def __init__(self, layout: Increments, steps: int, features: int) -> None:
        d = padded_features(features)
        self.of = layout
        self.sizes = (steps, features, d)
        self.scales = np.array([layout.first[0], layout.rest[0], layout.first[1], layout.rest[1]])
        self.weights, self.terms = np.array(layout.weights), np.zeros(4)
        self.parameters = (flat(torch.empty(steps * d * d, dtype=torch.float64)), np.empty(steps * d))


class Evaluator:
    """The whole of an evaluation for one activation and tableau, with the memory that it works in.

    Gradients that it returns lie in that memory: they are valid until the next call.
    """

    def __init__(self, code: int, tableau: tuple[Floats, Floats]) -> None:
        self._code = code
        self._tableau = tableau
        self._memory: list[_Memory] = []
        self._made_for: tuple[int, ...] = ()
        self._layout: _Layout | None = None
        self._data: tuple[Tensor, Tensor, Floats, Floats] | None = None

    def __call__(
        self, steps: int, h: float, running: float, theta: Mapping[str, Tensor], x: Tensor, y: Tensor, loss: str
    ) -> Gradients:
        """Return sums and gradients over samples x (S, d) with targets y, those of the loss divided by S."""
        parameters = (flat_weights(theta["K"]), flat_biases(theta["b"]), flat(theta["W"]), flat(theta["c"]))
        found = self._sweep((steps, h, running), parameters, x, y, loss)
        return Gradients(float(found.sums[-2]), running * float(found.sums[-1]), found.by_name)

    def objective(
        self, steps: int, h: float, running: float, layout: Increments, u: Tensor, x: Tensor, y: Tensor, loss: str
    ) -> tuple[dict[str, float], Tensor]:
        """Return the terms of an objective of Euler's layers in increment coordinates, and its gradient in u."""
        if self._layout is None or self._layout.of is not layout:
            self._layout = _Layout(layout, steps, x.shape[1])
        place, numbers = self._layout, flat(u)
        spread(numbers, place.scales, place.sizes, *place.parameters)
        last = len(numbers) - layout.outputs
        readout = (numbers[last - layout.outputs * x.shape[1] : last], numbers[last:])
        found = self._sweep((steps, h, running), (*place.parameters, *readout), x, y, loss)
        gradient = torch.empty_like(u)
        gather(found.sums, numbers, place.scales, place.weights, place.sizes, flat(gradient), place.terms)
        terms = {"terminal": float(found.sums[-2]) / len(x), "running": running * float(found.sums[-1])}
        return terms | dict(zip(("K", "b", "W", "c"), place.terms.tolist(), strict=True)), gradient

    def _sweep(
        self,
        scheme: tuple[int, float, float],
        parameters: tuple[Floats, Floats, Floats, Floats],
        x: Tensor,
        y: Tensor,
        loss: str,
    ) -> _Memory:
        """Go through all samples; ``scheme`` is steps, their size and the running cost's weight."""
        steps, h, running = scheme
        (samples, features), outputs = x.shape, len(parameters[3])
        d, stages = padded_features(features), steps * len(self._tableau[1])
        shares = self._shares(samples, samples * d * stages)
        lanes = block_lanes(-(-samples // len(shares)), 2 * stages * d)
        self._provide((len(shares), steps, features, outputs, lanes))
        inputs, targets = self._flat_data(x, y)
        codes, sizes = (self._code, LOSSES.index(loss)), (steps, d, features, outputs, lanes)

        def run(index: int) -> None:
            memory = self._memory[index]
            sweep(
                codes, sizes, h, running, self._tableau,
                parameters, inputs, targets, (*shares[index], samples), memory.work, memory.sums,
            )  # fmt: skip

        if len(shares) == 1:
            run(0)
        else:
            list(_threads(len(shares)).map(run, range(len(shares))))
        total = self._memory[0]
        for other in self._memory[1:]:  # in an order that never changes
            total.out += other.out
        return total

    def _provide(self, sizes: tuple[int, ...]) -> None:
        """Have memory for so many threads, steps, features, outputs and lanes."""
        if sizes == self._made_for:
            return
        threads, steps, features, outputs, lanes = self._made_for = sizes
        stages = len(self._tableau[1])
        d = padded_features(features)
        length = steps * stages * d * (d + 1) + outputs * (features + 1) + 2
        self._memory = []
        for _ in range(threads):
            # torch's memory begins where a cache line does, so that no vector lies on two
            work = torch.empty(work_entries(steps, stages, d, lanes, outputs), dtype=torch.float64)
            out = torch.empty(length, dtype=torch.float64)
            by_name = _by_name(out, steps * stages, features, outputs)
            self._memory.append(_Memory(flat(work), out, flat(out), by_name))

    def _flat_data(self, x: Tensor, y: Tensor) -> tuple[Floats, Floats]:
        """Return inputs and targets in a row, those of the last call if they are the same."""
        if self._data is None or self._data[0] is not x or self._data[1] is not y:
            self._data = (x, y, flat(x), flat(y.to(torch.float64)))
        return self._data[2:]

    def _shares(self, samples: int, entries: int) -> list[tuple[int, int]]:
        """Return the first and last sample of each thread."""
        panels = padded_lanes(samples) // PANEL
        count = max(1, min(torch.get_num_threads(), panels, entries // _WORTH_SHARING))
        bounds = [min(samples, panels * index // count * PANEL) for index in range(count + 1)]
        return list(pairwise(bounds))


def block_lanes(samples: int, numbers: int) -> int:
    """Return the lanes of blocks that share out the samples, each lane with so many numbers to keep."""
    most = max(PANEL, min(_MOST_LANES, _NEAR // numbers // PANEL * PANEL))
    blocks = -(-samples // most)
    return padded_lanes(-(-samples // blocks))


def _by_name(out: Tensor, stages: int, features: int, outputs: int) -> dict[str, Tensor]:
    by_K, by_b = split_gradients(out, stages, features)
    rest = out[-(outputs * (features + 1) + 2) :]
    return {"K": by_K, "b": by_b, "W": rest[: outputs * features].view(outputs, features), "c": rest[-2 - outputs : -2]}


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="fused")
