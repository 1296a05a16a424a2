"""Forward map, adjoint, tangent and second-order adjoint of all samples at once, every array kept.

Arrays are flat, as in loops.py: stages (Q, d, lanes), nodes (steps + 1, d, lanes), ``work`` (stages, d, lanes).
Where the method has one stage, the inputs are the first Q nodes and κ the last Q costates.
"""

from __future__ import annotations

from deeplimit.mathematics.kernels.fused.compiled import compiled
from deeplimit.mathematics.kernels.fused.instructions import (
    add_multiplied,
    add_product,
    add_scaled,
    affine,
    multiply,
    product,
)
from deeplimit.mathematics.kernels.fused.lanes import PANEL
from deeplimit.mathematics.kernels.fused.loops import (
    Floats,
    activate,
    add_both_parameters,
    add_running,
    backward_step,
    combine,
    forward_step,
)

Sizes = tuple[int, int, int, int]
"""Steps, padded d, lanes, and the samples that are no padding."""


@compiled
def forward(
    code: int, sizes: Sizes, h: float, tableau: tuple[Floats, Floats], K: Floats, b: Floats,
    states: Floats, inputs: Floats, z: Floats, a: Floats, work: Floats,
) -> None:  # fmt: skip
    """Fill states, inputs, z and a from the first state."""
    steps, d, lanes, _count = sizes
    feeds, weights = tableau
    stages, size = len(weights), d * lanes
    for i in range(steps):
        for at in range(i * size, (i + 1) * size):
            states[at + size] = states[at]
        stage = i * stages
        at = stage * size
        forward_step(
            code, K, stage * d * d, b, stage * d, feeds, weights, h, d, lanes,
            states, (i + 1) * size, inputs, at, z, at, work, 0, a, at,
        )  # fmt: skip


@compiled
def backward(
    code: int, sizes: Sizes, h: float, running: float, tableau: tuple[Floats, Floats], K: Floats,
    inputs: Floats, z: Floats, costates: Floats, kappa: Floats, slope: Floats, delta: Floats,
    gradient: Floats, work: Floats,
) -> None:  # fmt: skip
    """Fill costates, κ, σ', δ and the gradients by K and b, one after the other, from the last costate."""
    steps, d, lanes, count = sizes
    feeds, weights = tableau
    stages, size = len(weights), d * lanes
    gb = steps * stages * d * d
    for at in range(gb + steps * stages * d):
        gradient[at] = 0.0
    for i in range(steps - 1, -1, -1):
        stage = i * stages
        at = stage * size
        for j in range(stages):
            for lane in range(0, lanes, PANEL):
                here = at + j * size + lane
                activate(code, z, here, work, lane, slope, here, lanes, d)
        for entry in range(i * size, (i + 1) * size):
            costates[entry] = costates[entry + size]
        backward_step(
            K, stage * d * d, feeds, weights, h, running, d, lanes, count,
            costates, i * size, inputs, at, slope, at, kappa, (i + 1) * size if stages == 1 else at, delta, at, work, 0,
            gradient, stage * d * d, gb + stage * d,
        )  # fmt: skip


@compiled
def tangent(
    sizes: Sizes, h: float, tableau: tuple[Floats, Floats], K: Floats, dK: Floats, db: Floats,
    inputs: Floats, slope: Floats, dinputs: Floats, dz: Floats, dstate: Floats, work: Floats,
) -> None:  # fmt: skip
    """Fill dY, dz and the last state's dX from a first one, in place."""
    steps, d, lanes, _count = sizes
    feeds, weights = tableau
    stages, size = len(weights), d * lanes
    for i in range(steps):
        for j in range(stages):
            q = i * stages + j
            for lane in range(0, lanes, PANEL):
                y = q * size + lane
                combine(dinputs, y, dstate, lane, 1.0, feeds, j * stages, 1, 0, j, h, work, lane, d, lanes)
                for r in range(0, d, 4):
                    row = y + r * lanes
                    affine(dz, row, dK, (q * d + r) * d, d, 1, inputs, y, db, q * d + r, lanes, d)
                    add_product(dz, row, K, (q * d + r) * d, d, 1, dinputs, y, lanes, d)
                multiply(work, j * size + lane, slope, y, dz, y, lanes, d)
        for lane in range(0, lanes, PANEL):
            combine(dstate, lane, dstate, lane, 1.0, weights, 0, 1, 0, stages, h, work, lane, d, lanes)


@compiled
def second_adjoint(
    sizes: Sizes, h: float, running: float, tableau: tuple[Floats, Floats], K: Floats, dK: Floats,
    inputs: Floats, slope: Floats, delta: Floats, curvature: Floats, dinputs: Floats, dz: Floats, dcostate: Floats,
    gradient: Floats, work: Floats,
) -> None:  # fmt: skip
    """Fill the derivatives of the gradients by K and b; dp is taken back in place, ``work`` is (stages + 1, d, lanes).

    ``curvature`` is σ''(z) κ.
    """
    steps, d, lanes, count = sizes
    feeds, weights = tableau
    stages, size = len(weights), d * lanes
    ddelta = stages * size
    gb = steps * stages * d * d
    for at in range(gb + steps * stages * d):
        gradient[at] = 0.0
    for i in range(steps - 1, -1, -1):
        for j in range(stages - 1, -1, -1):
            q = i * stages + j
            here = q * size
            weight_at = q * d * d
            for lane in range(0, lanes, PANEL):
                back, dv = ddelta + lane, j * size + lane
                combine(
                    work, back, dcostate, lane, weights[j], feeds, j, stages, j + 1, stages, h, work, lane, d, lanes
                )  # fmt: skip
                multiply(work, back, work, back, slope, here + lane, lanes, d)
                add_multiplied(work, back, curvature, here + lane, dz, here + lane, lanes, d)
                for r in range(0, d, 4):
                    row = dv + r * lanes
                    product(work, row, dK, weight_at + r, 1, d, delta, here + lane, lanes, d)
                    add_product(work, row, K, weight_at + r, 1, d, work, back, lanes, d)
            if running != 0.0:
                add_running(work, j * size, dinputs, here, 2.0 * running * weights[j], d, lanes, count)
            add_both_parameters(
                gradient, weight_at, gb + q * d, work, ddelta, inputs, here, delta, here, dinputs, here, h, d, lanes
            )  # fmt: skip
        for j in range(stages):
            for lane in range(0, lanes, PANEL):
                add_scaled(dcostate, lane, dcostate, lane, h, work, j * size + lane, lanes, d)
