"""Which samples and steps are gone through at once, so that states fit their bytes at the least cost.

Two ways save memory. Fewer samples at once: every stage is then called once for each part, which costs as much as some
more numbers would (``Kernel.call``). Fewer steps at once, the states between computed again: that costs a share of the
gradient for every step that is not kept (``Kernel.again``). The cheapest pair that fits is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from deeplimit.mathematics.kernels.kernel import Kernel


@dataclass(frozen=True)
class Parts:
    """What is gone through at once: so many of the samples, and between two checkpoints so many of the steps."""

    samples: int
    steps: int


def cheapest_parts(kernel: Kernel, samples: int, state_dim: int, width: int, numbers: float) -> Parts:
    """Return the cheapest parts of a gradient whose states are at most so many ``numbers``, or the smallest parts."""
    step, beside = kernel.numbers_kept(state_dim, width), kernel.numbers_beside(state_dim, width)
    best, least = Parts(1, max(1, math.isqrt(kernel.steps * state_dim // step))), math.inf
    for size in _sizes(samples):
        steps = _steps_that_fit(kernel.steps, step, state_dim, numbers / size - beside)
        if steps is None:
            continue
        cost = (1.0 + kernel.call / (size * width)) * (1.0 + kernel.again * (1.0 - steps / kernel.steps))
        if cost < least:
            best, least = Parts(size, steps), cost
    return best


def _sizes(samples: int) -> Iterator[int]:
    """Yield sizes of nearly equal parts of the samples: all, a half, a third, …, and down to one in smaller numbers."""
    parts, size = 1, 0
    while size != 1:
        if size != (size := -(-samples // parts)):
            yield size
        parts = max(parts + 1, parts * 5 // 4)


def _steps_that_fit(steps: int, step: int, start: int, numbers: float) -> int | None:
    """Return the most steps L ≤ N with L ``step`` + ⌈N/L⌉ ``start`` ≤ ``numbers`` (N needs no start), or None."""
    if steps * step <= numbers:
        return steps
    half = (numbers - start) / (2.0 * step)  # ⌈N/L⌉ ≤ N/L + 1
    square = half * half - steps * start / step
    if half <= 0.0 or square < 0.0:
        return None
    return min(steps - 1, int(half + math.sqrt(square))) or None
