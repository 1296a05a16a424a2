"""Terminal losses of a block of lanes: their sum, the costate and the gradients by W and c."""

from __future__ import annotations

import math
from typing import Final

from deeplimit.mathematics.kernels.fused.compiled import part
from deeplimit.mathematics.kernels.fused.loops import Floats

LOSSES: Final = ("squared_error", "cross_entropy", "logistic")
"""Names of the losses, in the order of their codes."""


@part
def terminal(
    code: int,
    W: Floats,
    c: Floats,
    state: Floats,
    xo: int,
    y: Floats,
    first: int,
    count: int,
    samples: int,
    features: int,
    outputs: int,
    d: int,
    lanes: int,
    z: Floats,
    zo: int,
    costate: Floats,
    po: int,
    gradient: Floats,
    gwo: int,
    gco: int,
) -> float:
    """Return the sum over ``count`` samples from ``first`` on, and write and add its derivatives divided by samples.

    Targets are (S,) class numbers for cross_entropy, (S, m) otherwise; z has room for (m, lanes).
    """
    for o in range(outputs):
        for lane in range(count):
            z[zo + o * lanes + lane] = c[o]
        for f in range(features):
            weight = W[o * features + f]
            for lane in range(count):
                z[zo + o * lanes + lane] += weight * state[xo + f * lanes + lane]
    total = loss_gradient(code, z, zo, y, first, count, outputs, lanes)
    for at in range(po, po + d * lanes):
        costate[at] = 0.0
    share = 1.0 / samples
    for o in range(outputs):
        row = zo + o * lanes
        for lane in range(count):
            z[row + lane] *= share
            gradient[gco + o] += z[row + lane]
        for f in range(features):
            weight, product = W[o * features + f], 0.0
            for lane in range(count):
                costate[po + f * lanes + lane] += weight * z[row + lane]
                product += z[row + lane] * state[xo + f * lanes + lane]
            gradient[gwo + o * features + f] += product
    return total


@part
def loss_gradient(code: int, z: Floats, zo: int, y: Floats, first: int, count: int, outputs: int, lanes: int) -> float:
    """Return Σ L(z, y), and put its gradient in z's place."""
    total = 0.0
    if code == 1:
        for lane in range(count):
            label = int(y[first + lane])
            largest = z[zo + lane]
            for o in range(1, outputs):
                largest = max(largest, z[zo + o * lanes + lane])
            total += largest - z[zo + label * lanes + lane]
            partition = 0.0
            for o in range(outputs):
                at = zo + o * lanes + lane
                z[at] = math.exp(z[at] - largest)
                partition += z[at]
            total += math.log(partition)
            for o in range(outputs):
                z[zo + o * lanes + lane] /= partition
            z[zo + label * lanes + lane] -= 1.0
    elif code == 0:
        for o in range(outputs):
            for lane in range(count):
                at = zo + o * lanes + lane
                difference = z[at] - y[(first + lane) * outputs + o]
                total += difference * difference
                z[at] = 2.0 * difference
    else:
        for lane in range(count):
            sign = y[first + lane]
            margin = sign * z[zo + lane]
            shrunk = math.exp(-abs(margin))
            total += max(-margin, 0.0) + math.log1p(shrunk)
            z[zo + lane] = -sign * (shrunk if margin > 0.0 else 1.0) / (1.0 + shrunk)
    return total


@part
def terminal_along(
    code: int,
    readout: tuple[Floats, Floats, Floats, Floats],
    y: Floats,
    first: int,
    count: int,
    samples: int,
    sizes: tuple[int, int, int, int],
    work: Floats,
    state: int,
    dstate: int,
    costate: int,
    dcostate: int,
    z: int,
    out: Floats,
    gwo: int,
    gco: int,
) -> None:
    """Write the costate and its derivative along a direction, and add those of the gradients by W and c.

    ``readout`` is W, c and their directions; ``sizes`` features, outputs, padded d and lanes; places are offsets in
    ``work``, where z has room for (2 m, lanes).
    """
    W, c, dW, dc = readout
    features, outputs, d, lanes = sizes
    dz = z + outputs * lanes
    for o in range(outputs):
        row, drow = z + o * lanes, dz + o * lanes
        for lane in range(count):
            work[row + lane] = c[o]
            work[drow + lane] = dc[o]
        for f in range(features):
            weight, change = W[o * features + f], dW[o * features + f]
            for lane in range(count):
                work[row + lane] += weight * work[state + f * lanes + lane]
                work[drow + lane] += weight * work[dstate + f * lanes + lane] + change * work[state + f * lanes + lane]
    loss_gradient(code, work, z, y, first, count, outputs, lanes)
    loss_curvature(code, work, z, dz, y, first, count, outputs, lanes)
    for at in range(d * lanes):
        work[costate + at] = 0.0
        work[dcostate + at] = 0.0
    share = 1.0 / samples
    for o in range(outputs):
        row, drow = z + o * lanes, dz + o * lanes
        for lane in range(count):
            work[row + lane] *= share
            work[drow + lane] *= share
            out[gco + o] += work[drow + lane]
        for f in range(features):
            weight, change, product = W[o * features + f], dW[o * features + f], 0.0
            here = f * lanes
            for lane in range(count):
                r, dr = work[row + lane], work[drow + lane]
                work[costate + here + lane] += weight * r
                work[dcostate + here + lane] += weight * dr + change * r
                product += dr * work[state + here + lane] + r * work[dstate + here + lane]
            out[gwo + o * features + f] += product


@part
def loss_curvature(
    code: int, work: Floats, r: int, dz: int, y: Floats, first: int, count: int, outputs: int, lanes: int
) -> None:
    """Put the loss's Hessian times dz in place of dz; r is where its gradient in z is."""
    if code == 1:
        for lane in range(count):
            label, mean = int(y[first + lane]), 0.0
            for o in range(outputs):
                at = o * lanes + lane
                q = work[r + at] + (1.0 if o == label else 0.0)
                work[dz + at] *= q
                mean += work[dz + at]
            for o in range(outputs):
                at = o * lanes + lane
                q = work[r + at] + (1.0 if o == label else 0.0)
                work[dz + at] -= q * mean
    elif code == 0:
        for o in range(outputs):
            for lane in range(count):
                work[dz + o * lanes + lane] *= 2.0
    else:
        for lane in range(count):
            missed = -y[first + lane] * work[r + lane]  # 1 − the probability of the sample's own class
            work[dz + lane] *= missed * (1.0 - missed)
