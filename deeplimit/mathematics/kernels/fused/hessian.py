"""A Hessian-vector product of the data's terms, block by block, as sweep.py goes through a gradient."""

from __future__ import annotations

from deeplimit.mathematics.kernels.fused.compiled import compiled
from deeplimit.mathematics.kernels.fused.loops import Floats
from deeplimit.mathematics.kernels.fused.second_order import backward_both, forward_both
from deeplimit.mathematics.kernels.fused.sweep import take_up
from deeplimit.mathematics.kernels.fused.terminal import terminal_along


@compiled
def hessian_product(
    codes: tuple[int, int],
    sizes: tuple[int, int, int, int, int],
    h: float,
    running: float,
    tableau: tuple[Floats, Floats],
    parameters: tuple[Floats, Floats, Floats, Floats],
    direction: tuple[Floats, Floats, Floats, Floats],
    x: Floats,
    y: Floats,
    samples: tuple[int, int, int, bool],
    work: Floats,
    out: Floats,
) -> None:
    """Fill ``out`` with derivatives of the gradients by K, b, W and c along a direction; arguments as in ``sweep``."""
    code, loss = codes
    steps, d, features, outputs, lanes = sizes
    feeds, weights = tableau
    K, b, W, c = parameters
    dK, db, dW, dc = direction
    layered = (K, b, dK, db)
    first, last, total, anew = samples
    stages, size = len(weights), d * lanes
    every, stage = steps * stages * size, stages * size
    kept = (0, every, 2 * every, 3 * every)
    a = 4 * every
    da = a + stage
    spare = da + stage
    state = spare + size
    dstate = state + size
    costate = dstate + size
    dcostate = costate + size
    z = dcostate + size
    gb = steps * stages * d * d
    gw = gb + steps * stages * d
    gc = gw + outputs * features
    if anew:
        for at in range(gc + outputs):
            out[at] = 0.0
    for begin in range(first, last, lanes):
        count = min(lanes, last - begin)
        take_up(work, state, x, begin, count, features, d, lanes)
        for at in range(dstate, dstate + size):
            work[at] = 0.0
        for i in range(steps):
            forward_both(
                code, i, layered, feeds, weights, h, d, lanes, work, state, dstate, kept, a, da, spare
            )  # fmt: skip
        terminal_along(
            loss, (W, c, dW, dc), y, begin, count, total, (features, outputs, d, lanes),
            work, state, dstate, costate, dcostate, z, out, gw, gc,
        )  # fmt: skip
        for i in range(steps - 1, -1, -1):
            backward_both(
                i, layered, feeds, weights, h, running, d, lanes, count,
                work, costate, dcostate, kept, a, da, spare, out, gb,
            )  # fmt: skip


def product_entries(steps: int, stages: int, d: int, lanes: int, outputs: int) -> int:
    """Return the entries of ``work``: what is kept of all stages, and what one step and the ends need."""
    return ((4 * steps + 2) * stages + 5) * d * lanes + 2 * outputs * lanes
