"""Which samples and steps are gone through at once, so that states fit their bytes at the least cost.

Two ways save memory. Fewer samples at once: every stage is then called once for each part, which costs as much as some
more numbers would (``Kernel.call``). Fewer steps at once, the states between computed again: that costs a share of the
gradient for every step that is not kept, a small one where its values are (``Kernel.again``, ``Kernel.refilled``). The
cheapest of all that fit is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from deeplimit.mathematics.kernels.kernel import Kernel

_SEGMENT: Final = 2.0
"""Steps whose calls cost as much as those of a segment beside its steps."""


@dataclass(frozen=True)
class Parts:
    """What is gone through at once: so many of the samples, and between two checkpoints so many of the steps.

    ``values`` more steps have z and a kept.
    """

    samples: int
    steps: int
    values: int = 0


def cheapest_parts(kernel: Kernel, samples: int, state_dim: int, width: int, numbers: float) -> Parts:
    """Return the cheapest parts of a gradient whose states are at most so many ``numbers``, or the smallest parts."""
    step, beside = kernel.numbers_kept(state_dim, width), kernel.numbers_beside(state_dim, width)
    best, least = Parts(1, max(1, math.isqrt(kernel.steps * state_dim // step))), math.inf
    for size in _sizes(samples):
        calls = kernel.call / (size * width)
        for steps, values in _steps_that_fit(kernel, state_dim, width, numbers / size - beside):
            again = kernel.again * (kernel.steps - steps - values) + kernel.refilled * values
            segments = calls * _SEGMENT * (1.0 / steps - 1.0 / kernel.steps)
            cost = (1.0 + calls) * (1.0 + again / kernel.steps) + segments
            if cost < least:
                best, least = Parts(size, steps, values), cost
    return best


def _sizes(samples: int) -> Iterator[int]:
    """Yield sizes of nearly equal parts of the samples: all, a half, a third, …, and down to one in smaller numbers."""
    parts, size = 1, 0
    while size != 1:
        if size != (size := -(-samples // parts)):
            yield size
        parts = max(parts + 1, parts * 5 // 4)


def _steps_that_fit(kernel: Kernel, state_dim: int, width: int, numbers: float) -> Iterator[tuple[int, int]]:
    """Yield steps L and steps of values M such that a sample's numbers fit, with ⌈N/L⌉ starts where L < N."""
    N, step = kernel.steps, kernel.numbers_kept(state_dim, width)
    value = kernel.numbers_of_values(state_dim, width)
    if N * step <= numbers:
        yield N, 0
        return
    longest = _longest(N, step, state_dim, numbers)
    while longest:
        left = numbers - longest * step - -(-N // longest) * state_dim
        values = int(left // value) if value and left > 0 else 0
        yield longest, N - longest if values >= N - longest else values // longest * longest
        longest = longest * 3 // 4 if value else 0


def _longest(steps: int, step: int, start: int, numbers: float) -> int:
    """Return the most steps L < N with L ``step`` + ⌈N/L⌉ ``start`` ≤ ``numbers``, or 0."""
    half = (numbers - start) / (2.0 * step)  # ⌈N/L⌉ ≤ N/L + 1
    square = half * half - steps * start / step
    if half <= 0.0 or square < 0.0:
        return 0
    return min(steps - 1, int(half + math.sqrt(square)))
