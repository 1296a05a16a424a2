"""Everything that one evaluation needs of its samples, block by block: forward, terminal loss, adjoint, gradients.

Only one block's states are ever kept, so that they stay in the processor's own memory, whatever the number of samples.
"""

from __future__ import annotations

from deeplimit.mathematics.kernels.fused.compiled import compiled, part
from deeplimit.mathematics.kernels.fused.loops import Floats, backward_step, forward_step
from deeplimit.mathematics.kernels.fused.terminal import terminal


@part
def take_up(work: Floats, state: int, x: Floats, begin: int, count: int, features: int, d: int, lanes: int) -> None:
    """Copy ``count`` samples from ``begin`` on into lanes, padded features 0.

    Padded lanes repeat a sample, so that they diverge only if that does.
    """
    for lane in range(lanes):
        sample = begin + min(lane, count - 1)
        for f in range(features):
            work[state + f * lanes + lane] = x[sample * features + f]
        for f in range(features, d):
            work[state + f * lanes + lane] = 0.0


@part
def squares(work: Floats, weights: Floats, steps: int, count: int, features: int, d: int, lanes: int) -> float:
    """Return Σ_i Σ_j b_j ‖Y_ij‖² over the stages' inputs, which ``work`` begins with."""
    stages, total = len(weights), 0.0
    for q in range(steps * stages):
        layer = 0.0
        for f in range(features):
            row = (q * d + f) * lanes
            for at in range(row, row + count):
                layer += work[at] * work[at]
        total += weights[q % stages] * layer
    return total


@compiled
def sweep(
    codes: tuple[int, int],
    sizes: tuple[int, int, int, int, int],
    h: float,
    running: float,
    tableau: tuple[Floats, Floats],
    parameters: tuple[Floats, Floats, Floats, Floats],
    x: Floats,
    y: Floats,
    samples: tuple[int, int, int, bool],
    work: Floats,
    out: Floats,
) -> None:
    """Fill ``out``, flat: the gradients by K (Q, d, d), b (Q, d), W (m, features), c (m), the terminal sum, ∫‖X‖².

    ``codes`` are those of activation and loss; ``sizes`` steps, padded d, features, outputs, lanes of a block; and
    ``samples`` the first sample, the one after the last, the number that means are taken over, and whether ``out`` is
    begun anew, or else added to. x is (S, features).
    ``work`` has room for ``work_entries``.
    """
    code, loss = codes
    steps, d, features, outputs, lanes = sizes
    feeds, weights = tableau
    K, b, W, c = parameters
    first, last, total, anew = samples
    stages = len(weights)
    size = d * lanes
    stage = stages * size
    slope = steps * stage
    a = 2 * steps * stage
    v = a + stage
    state = v + stage
    costate = state + size
    z = costate + size
    gb = steps * stages * d * d
    gw = gb + steps * stages * d
    gc = gw + outputs * features
    sums = gc + outputs
    if anew:
        for at in range(sums + 2):
            out[at] = 0.0
    for begin in range(first, last, lanes):
        count = min(lanes, last - begin)
        take_up(work, state, x, begin, count, features, d, lanes)
        for i in range(steps):
            at = i * stage
            forward_step(
                code, K, i * stages * d * d, b, i * stages * d, feeds, weights, h, d, lanes,
                work, state, work, at, work, slope + at, work, slope + at, work, a,
            )  # fmt: skip
        out[sums] += terminal(
            loss, W, c, work, state, y, begin, count, total, features, outputs, d, lanes,
            work, z, work, costate, out, gw, gc,
        )  # fmt: skip
        if running != 0.0:
            out[sums + 1] += h * squares(work, weights, steps, count, features, d, lanes)
        for i in range(steps - 1, -1, -1):
            at = i * stage
            backward_step(
                K, i * stages * d * d, feeds, weights, h, running, d, lanes, count,
                work, costate, work, at, work, slope + at, work, v, work, slope + at, work, v,
                out, i * stages * d * d, gb + i * stages * d,
            )  # fmt: skip


def work_entries(steps: int, stages: int, d: int, lanes: int, outputs: int) -> int:
    """Return the entries of ``work``: inputs and slopes of all stages, and what one step and the ends need."""
    return (2 * steps + 2) * stages * d * lanes + (2 * d + outputs) * lanes
