"""One step of a Hessian-vector product: forward with its tangent, and back with both adjoints, for a block of lanes.

Arrays are those of loops.py. Kept of every stage are the inputs Y, their tangents dY, the slopes σ'(z), and the bend
σ''(z) dz; so a product needs nothing that an earlier call has computed.
"""

from __future__ import annotations

from deeplimit.mathematics.kernels.fused.compiled import part
from deeplimit.mathematics.kernels.fused.instructions import (
    add_multiplied,
    add_product,
    add_scaled,
    affine,
    curvatures,
    multiply,
    product,
)
from deeplimit.mathematics.kernels.fused.lanes import PANEL
from deeplimit.mathematics.kernels.fused.loops import (
    ACTIVATIONS,
    Floats,
    activate,
    add_both_parameters,
    add_running,
    combine,
)

_tanh, _sigmoid, _silu, _softplus, _sin, _identity, _relu, _leaky_relu = (curvatures[name] for name in ACTIVATIONS)


@part
def curve(
    code: int, z: Floats, zo: int, a: Floats, ao: int, s: Floats, so: int, out: Floats, o: int, stride: int, rows: int
) -> None:
    """Write σ''(z) of a panel, given z, σ(z) and σ'(z)."""
    if code == 0:
        _tanh(z, zo, a, ao, s, so, out, o, stride, rows)
    elif code == 1:
        _sigmoid(z, zo, a, ao, s, so, out, o, stride, rows)
    elif code == 2:
        _silu(z, zo, a, ao, s, so, out, o, stride, rows)
    elif code == 3:
        _softplus(z, zo, a, ao, s, so, out, o, stride, rows)
    elif code == 4:
        _sin(z, zo, a, ao, s, so, out, o, stride, rows)
    elif code == 5:
        _identity(z, zo, a, ao, s, so, out, o, stride, rows)
    elif code == 6:
        _relu(z, zo, a, ao, s, so, out, o, stride, rows)
    else:
        _leaky_relu(z, zo, a, ao, s, so, out, o, stride, rows)


@part
def forward_both(
    code: int,
    step: int,
    parameters: tuple[Floats, Floats, Floats, Floats],
    feeds: Floats,
    weights: Floats,
    h: float,
    d: int,
    lanes: int,
    work: Floats,
    state: int,
    dstate: int,
    kept: tuple[int, int, int, int],
    a: int,
    da: int,
    spare: int,
) -> None:
    """Take the state and its tangent one step on, in place; places are offsets in ``work``.

    ``parameters`` are K, b, dK and db of all stages; ``kept`` are the places of Y, dY, σ' and σ'' dz.
    """
    K, b, dK, db = parameters
    stages, size = len(weights), d * lanes
    for j in range(stages):
        q = step * stages + j
        for lane in range(0, lanes, PANEL):
            at = q * size + lane
            y, dy, slope, bend = kept[0] + at, kept[1] + at, kept[2] + at, kept[3] + at
            here, z = j * size + lane, spare + lane
            combine(work, y, work, state + lane, 1.0, feeds, j * stages, 1, 0, j, h, work, a + lane, d, lanes)
            combine(work, dy, work, dstate + lane, 1.0, feeds, j * stages, 1, 0, j, h, work, da + lane, d, lanes)
            for r in range(0, d, 4):
                affine(work, z + r * lanes, K, (q * d + r) * d, d, 1, work, y, b, q * d + r, lanes, d)
            activate(code, work, z, work, a + here, work, slope, lanes, d)
            curve(code, work, z, work, a + here, work, slope, work, bend, lanes, d)
            for r in range(0, d, 4):
                affine(work, z + r * lanes, dK, (q * d + r) * d, d, 1, work, y, db, q * d + r, lanes, d)
                add_product(work, z + r * lanes, K, (q * d + r) * d, d, 1, work, dy, lanes, d)
            multiply(work, da + here, work, slope, work, z, lanes, d)
            multiply(work, bend, work, bend, work, z, lanes, d)
    for lane in range(0, lanes, PANEL):
        combine(work, state + lane, work, state + lane, 1.0, weights, 0, 1, 0, stages, h, work, a + lane, d, lanes)
        combine(work, dstate + lane, work, dstate + lane, 1.0, weights, 0, 1, 0, stages, h, work, da + lane, d, lanes)


@part
def backward_both(
    step: int,
    parameters: tuple[Floats, Floats, Floats, Floats],
    feeds: Floats,
    weights: Floats,
    h: float,
    running: float,
    d: int,
    lanes: int,
    count: int,
    work: Floats,
    costate: int,
    dcostate: int,
    kept: tuple[int, int, int, int],
    v: int,
    dv: int,
    spare: int,
    out: Floats,
    gb: int,
) -> None:
    """Take the costate and its derivative one step back, and add the derivatives of the gradients by K and b."""
    K, _b, dK, _db = parameters
    stages, size = len(weights), d * lanes
    for j in range(stages - 1, -1, -1):
        q = step * stages + j
        for lane in range(0, lanes, PANEL):
            at, here, ddelta = q * size + lane, j * size + lane, spare + lane
            slope, back, dback = kept[2] + at, v + here, dv + here
            weight, then = weights[j], j + 1
            combine(
                work, back, work, costate + lane, weight, feeds, j, stages, then, stages, h, work, v + lane, d, lanes
            )  # fmt: skip
            combine(
                work, dback, work, dcostate + lane, weight, feeds, j, stages, then, stages, h, work, dv + lane, d, lanes
            )  # fmt: skip
            multiply(work, ddelta, work, kept[3] + at, work, back, lanes, d)
            add_multiplied(work, ddelta, work, slope, work, dback, lanes, d)
            multiply(work, slope, work, slope, work, back, lanes, d)  # δ
            for r in range(0, d, 4):
                product(work, back + r * lanes, K, q * d * d + r, 1, d, work, slope, lanes, d)
                product(work, dback + r * lanes, K, q * d * d + r, 1, d, work, ddelta, lanes, d)
                add_product(work, dback + r * lanes, dK, q * d * d + r, 1, d, work, slope, lanes, d)
        if running != 0.0:
            add_running(work, v + j * size, work, kept[0] + q * size, 2.0 * running * weights[j], d, lanes, count)
            add_running(work, dv + j * size, work, kept[1] + q * size, 2.0 * running * weights[j], d, lanes, count)
        at = q * size
        add_both_parameters(
            out, q * d * d, gb + q * d, work, spare, work, kept[0] + at, work, kept[2] + at, work, kept[1] + at,
            h, d, lanes,
        )  # fmt: skip
    for lane in range(0, lanes, PANEL):
        for j in range(stages):
            add_scaled(work, costate + lane, work, costate + lane, h, work, v + j * size + lane, lanes, d)
            add_scaled(work, dcostate + lane, work, dcostate + lane, h, work, dv + j * size + lane, lanes, d)
