"""Samples of one evaluation, shared out in blocks of lanes and among threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from torch import Tensor

from deeplimit.mathematics.kernels.fused.hessian import hessian_product, product_entries
from deeplimit.mathematics.kernels.fused.increments import gather, objectives, spread
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
from deeplimit.mathematics.watch import between_looks, look

_NEAR: Final = 2**18
"""Numbers of a block that stay near the processor, 2 MiB.

Two moons (d = 4) take as long an entry in blocks of 104 lanes as in one of 208 at n = 256; at n = 1024 a fifth less in
blocks of 16 to 40 (2.5 MiB) than in blocks of 56, on a busy machine of which a core has 512 KiB for itself.
"""
_FAR: Final = 2**22
"""Numbers that blocks of few lanes may take all the same, those of all threads together, 32 MiB.

A block goes through 4 Q d² numbers of parameters and gradients beside its 4 Q d of states a lane, wherever those lie,
so that it takes d lanes to share them. Breast cancer (d = 32), as compared to 2^19: a gradient of 336 steps of RK4
takes 0.5 to 0.65 of the time, a Hessian-vector product at n = 256 0.75 to 0.85.
"""
_LEAST_LANES: Final = 16
"""Lanes below which parameters and gradients, gone through once a block, cost more than nearer states save; and d.

Two moons at n = 4096: blocks of 8 take up to a seventh longer than of 16, blocks of 24 a tenth to a fourth. Digits
(d = 64, n = 64): blocks of 32 take a seventh longer than of 64, blocks of 16 half as long again.
"""
_MOST_LANES: Final = 256
"""Lanes from which a block's products gain nothing more."""
_WORTH_SHARING: Final = 200_000
"""Entries of all stages, S d Q, that are worth a thread: about half a millisecond."""


_GRADIENT, _PRODUCT = 2, 4
"""Numbers that a gradient and a Hessian-vector product keep of each entry of a stage."""

Scheme = tuple[int, float, float]
"""Steps, their size, and the weight of the running cost."""
_Entries = Callable[[int, int, int, int, int], int]
_Parameters = tuple[Floats, Floats, Floats, Floats]
"""K, b, W and c, flat."""


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
        self.along: tuple[Floats, Floats] | None = None


class Evaluator:
    """The whole of an evaluation for one activation and tableau, with the memory that it works in.

    Gradients that it returns lie in that memory: they are valid until the next call.
    """

    def __init__(self, code: int, tableau: tuple[Floats, Floats]) -> None:
        self._code = code
        self._tableau = tableau
        self._rooms: dict[_Entries, _Room] = {}
        self._layout: _Layout | None = None
        self._data: tuple[Tensor, Tensor, Floats, Floats] | None = None

    def gradients(self, scheme: Scheme, theta: Mapping[str, Tensor], x: Tensor, y: Tensor, loss: str) -> Gradients:
        """Return sums and gradients over samples x (S, d) with targets y, those of the loss divided by S."""
        found = self._sweep(scheme, _flat_parameters(theta), x, y, loss)
        return Gradients(float(found.sums[-2]), scheme[2] * float(found.sums[-1]), found.by_name)

    def hessian_product(
        self,
        scheme: Scheme,
        theta: Mapping[str, Tensor],
        direction: Mapping[str, Tensor],
        x: Tensor,
        y: Tensor,
        loss: str,
    ) -> dict[str, Tensor]:
        """Return the derivatives of those gradients, by name, along a direction."""
        return self._product(scheme, _flat_parameters(theta), _flat_parameters(direction), x, y, loss).by_name

    def product(
        self, scheme: Scheme, layout: Increments, u: Tensor, v: Tensor, x: Tensor, y: Tensor, loss: str
    ) -> Tensor:
        """Return the product with the Hessian of an objective of Euler's layers in increment coordinates."""
        place = self._place(layout, scheme[0], x.shape[1])
        if place.along is None:
            K, b = place.parameters
            place.along = np.empty_like(K), np.empty_like(b)
        numbers, direction = flat(u.contiguous()), flat(v.contiguous())
        spread(numbers, place.scales, place.sizes, *place.parameters)
        spread(direction, place.scales, place.sizes, *place.along)
        last = len(numbers) - layout.outputs
        first = last - layout.outputs * x.shape[1]
        parameters = (*place.parameters, numbers[first:last], numbers[last:])
        found = self._product(scheme, parameters, (*place.along, direction[first:last], direction[last:]), x, y, loss)
        product = torch.empty_like(v)
        gather(found.sums, direction, place.scales, place.weights, place.sizes, flat(product), place.terms)
        return product

    def _product(
        self,
        scheme: Scheme,
        parameters: _Parameters,
        along: _Parameters,
        x: Tensor,
        y: Tensor,
        loss: str,
    ) -> _Memory:
        room = self._room(product_entries, _PRODUCT, scheme[0], x, len(parameters[3]))
        inputs, targets = self._flat_data(x, y)
        codes, (steps, h, running) = (self._code, LOSSES.index(loss)), scheme
        sizes = (steps, padded_features(x.shape[1]), x.shape[1], len(parameters[3]), room.lanes)

        def run(memory: _Memory, first: int, last: int, anew: bool) -> None:  # noqa: FBT001 - as machine code takes it
            hessian_product(
                codes, sizes, h, running, self._tableau, parameters, along,
                inputs, targets, (first, last, len(x), anew), memory.work, memory.sums,
            )  # fmt: skip

        return room.share(run)

    def objective(
        self, scheme: Scheme, layout: Increments, u: Tensor, x: Tensor, y: Tensor, loss: str
    ) -> tuple[list[float], Tensor]:
        """Return the terms of an objective of Euler's layers in increment coordinates, and its gradient in u."""
        if self._room(work_entries, _GRADIENT, scheme[0], x, layout.outputs).at_once:
            found, gradients = self.objectives(scheme, layout, u.unsqueeze(0), x, y, loss)
            return found[0], gradients[0]
        place, numbers = self._place(layout, scheme[0], x.shape[1]), flat(u)
        spread(numbers, place.scales, place.sizes, *place.parameters)
        last = len(numbers) - layout.outputs
        readout = (numbers[last - layout.outputs * x.shape[1] : last], numbers[last:])
        swept = self._sweep(scheme, (*place.parameters, *readout), x, y, loss)
        gradient = torch.empty_like(u)
        gather(swept.sums, numbers, place.scales, place.weights, place.sizes, flat(gradient), place.terms)
        data = (float(swept.sums[-2]) / len(x), scheme[2] * float(swept.sums[-1]))
        return [*data, *place.terms.tolist(), float(torch.linalg.vector_norm(gradient))], gradient

    def objectives(
        self, scheme: Scheme, layout: Increments, rows: Tensor, x: Tensor, y: Tensor, loss: str
    ) -> tuple[list[list[float]], Tensor]:
        """Return the terms, with the gradient's norm behind them, and the gradient of each row u, by one thread."""
        (steps, h, running), outputs = scheme, layout.outputs
        place = self._place(layout, steps, x.shape[1])
        room = self._room(work_entries, _GRADIENT, steps, x, outputs)
        inputs, targets = self._flat_data(x, y)
        terms, gradients = np.empty((len(rows), 7)), torch.empty_like(rows)
        numbers, slopes = flat(rows).reshape(rows.shape), gradients.numpy()
        for first in range(0, len(rows), room.rows):
            if first:
                look()
            some = slice(first, first + room.rows)
            objectives(
                (self._code, LOSSES.index(loss)), (steps, padded_features(x.shape[1]), x.shape[1], outputs, room.lanes),
                h, running, self._tableau, (place.scales, place.weights), numbers[some], inputs, targets,
                len(x), (*place.parameters, room.first.work, room.first.sums), terms[some], slopes[some],
            )  # fmt: skip
        found: list[list[float]] = terms.tolist()
        return found, gradients

    def _place(self, layout: Increments, steps: int, features: int) -> _Layout:
        """Return where an objective's parameters are put, the last one's if it is the same."""
        if self._layout is None or self._layout.of is not layout:
            self._layout = _Layout(layout, steps, features)
        return self._layout

    def _sweep(
        self, scheme: Scheme, parameters: tuple[Floats, Floats, Floats, Floats], x: Tensor, y: Tensor, loss: str
    ) -> _Memory:
        """Go through all samples, forward and back."""
        steps, h, running = scheme
        outputs = len(parameters[3])
        room = self._room(work_entries, _GRADIENT, steps, x, outputs)
        inputs, targets = self._flat_data(x, y)
        codes = (self._code, LOSSES.index(loss))
        sizes = (steps, padded_features(x.shape[1]), x.shape[1], outputs, room.lanes)

        def run(memory: _Memory, first: int, last: int, anew: bool) -> None:  # noqa: FBT001 - as machine code takes it
            sweep(
                codes, sizes, h, running, self._tableau, parameters,
                inputs, targets, (first, last, len(x), anew), memory.work, memory.sums,
            )  # fmt: skip

        return room.share(run)

    def _room(self, entries: _Entries, arrays: int, steps: int, x: Tensor, outputs: int) -> _Room:
        """Return the memory for work of a kind, the last one's if it was as large."""
        threads = torch.get_num_threads()
        made_for = (threads, steps, *x.shape, outputs)
        room = self._rooms.get(entries)
        if room is None or room.made_for != made_for:
            room = self._rooms[entries] = _Room(made_for, len(self._tableau[1]), entries, arrays)
        return room

    def _flat_data(self, x: Tensor, y: Tensor) -> tuple[Floats, Floats]:
        """Return inputs and targets in a row, those of the last call if they are the same."""
        if self._data is None or self._data[0] is not x or self._data[1] is not y:
            self._data = (x, y, flat(x), flat(y.to(torch.float64)))
        return self._data[2:]


class _Room:
    """How samples are shared out among threads and blocks, and the memory of each thread."""

    def __init__(self, made_for: tuple[int, ...], stages: int, entries: _Entries, arrays: int) -> None:
        threads, steps, samples, features, outputs = self.made_for = made_for
        d = padded_features(features)
        panels = padded_lanes(samples) // PANEL
        count = max(1, min(threads, panels, samples * d * steps * stages // _WORTH_SHARING))
        bounds = [min(samples, panels * index // count * PANEL) for index in range(count + 1)]
        self._shares = list(pairwise(bounds))
        self.lanes = block_lanes(-(-samples // count), arrays * steps * stages * d, d, count)
        # A gradient multiplies three times by K, and by as much for each array that a product has beside it.
        a_sample = 1.5 * arrays * steps * stages * d * d
        self._piece = self.lanes * between_looks(self.lanes * a_sample)
        self.rows = between_looks(samples * a_sample)
        length = steps * stages * d * (d + 1) + outputs * (features + 1) + 2
        self._memory = []
        for _ in self._shares:
            # torch's memory begins where a cache line does, so that no vector lies on two
            work = torch.empty(entries(steps, stages, d, self.lanes, outputs), dtype=torch.float64)
            out = torch.zeros(length, dtype=torch.float64)
            by_name = _by_name(out, steps * stages, features, outputs)
            self._memory.append(_Memory(flat(work), out, flat(out), by_name))

    @property
    def at_once(self) -> bool:
        """Whether one thread goes through all samples, without a look in between."""
        return len(self._memory) == 1 and self.made_for[2] <= self._piece

    @property
    def first(self) -> _Memory:
        """The memory of one thread."""
        return self._memory[0]

    def share(self, run: Callable[[_Memory, int, int, bool], None]) -> _Memory:
        """Have ``run`` go through every thread's samples, and return the sums, always added in the same order.

        It is given the first sample, the one after the last, and whether sums begin anew. Between pieces that take long
        there is a look at the watches; what these raise is passed on when no thread works any more.
        """
        total = self._memory[0]

        def go(memory: _Memory, share: tuple[int, int]) -> None:
            begin, last = share
            for first in range(begin, last, self._piece):
                if first > begin:
                    look()
                run(memory, first, min(last, first + self._piece), first == begin)

        if len(self._memory) == 1:
            go(total, self._shares[0])
            return total
        threads = _threads(len(self._memory))
        # Watches are of the context, as is the journal that they ask whether time passes at all.
        every = [
            threads.submit(copy_context().run, go, memory, share)
            for memory, share in zip(self._memory, self._shares, strict=True)
        ]
        wait(every)
        for each in every:
            each.result()
        for other in self._memory[1:]:
            total.out += other.out
        return total


def _flat_parameters(theta: Mapping[str, Tensor]) -> _Parameters:
    return flat_weights(theta["K"]), flat_biases(theta["b"]), flat(theta["W"]), flat(theta["c"])


def block_lanes(samples: int, numbers: int, least: int = _LEAST_LANES, threads: int = 1) -> int:
    """Return the lanes of blocks that share out the samples, each lane with so many numbers to keep.

    Each of the threads has a block of its own, and together they keep no more than one may.
    """
    wanted = max(_NEAR // numbers, min(max(_LEAST_LANES, least), _FAR // (numbers * threads)))
    most = max(PANEL, min(_MOST_LANES, wanted // PANEL * PANEL))
    blocks = -(-samples // most)
    return padded_lanes(-(-samples // blocks))


def _by_name(out: Tensor, stages: int, features: int, outputs: int) -> dict[str, Tensor]:
    by_K, by_b = split_gradients(out, stages, features)
    rest = out[-(outputs * (features + 1) + 2) :]
    return {"K": by_K, "b": by_b, "W": rest[: outputs * features].view(outputs, features), "c": rest[-2 - outputs : -2]}


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="fused")
