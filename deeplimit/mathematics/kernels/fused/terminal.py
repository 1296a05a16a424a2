"""Terminal losses of a block of lanes: their sum, the costate and the gradients by W and c."""

from __future__ import annotations

import math
from typing import Final

from deeplimit.mathematics.kernels.fused.compiled import part
from deeplimit.mathematics.kernels.fused.instructions import add_dot, add_scaled, add_sum, exponentials
from deeplimit.mathematics.kernels.fused.lanes import PANEL
from deeplimit.mathematics.kernels.fused.loops import Floats

LOSSES: Final = ("squared_error", "cross_entropy", "logistic")
"""Names of the losses, in the order of their codes."""
_LOGARITHM: Final = 16
"""Samples of one logarithm: 2⁶⁴ classes to the power of these do not overflow."""


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
        row = zo + o * lanes
        for lane in range(lanes):
            z[row + lane] = c[o]
        for f in range(features):
            for lane in range(0, lanes, PANEL):
                add_scaled(z, row + lane, z, row + lane, W[o * features + f], state, xo + f * lanes + lane, lanes, 1)
    total = loss_gradient(code, z, zo, y, first, count, outputs, lanes)
    for at in range(po, po + d * lanes):
        costate[at] = 0.0
    share = 1.0 / samples
    for o in range(outputs):
        row = zo + o * lanes
        for lane in range(lanes):
            z[row + lane] = z[row + lane] * share if lane < count else 0.0
        add_sum(gradient, gco + o, z, row, lanes)
        for f in range(features):
            back, weight = po + f * lanes, W[o * features + f]
            for lane in range(0, lanes, PANEL):
                add_scaled(costate, back + lane, costate, back + lane, weight, z, row + lane, lanes, 1)
            add_dot(gradient, gwo + o * features + f, z, row, state, xo + f * lanes, lanes)
    return total


@part
def cross_entropy_gradient(z: Floats, zo: int, y: Floats, first: int, count: int, outputs: int, lanes: int) -> float:
    """Return Σ L(z, y) of the softmax's cross entropy, and put its gradient in z's place."""
    total = 0.0
    for lane in range(count):
        largest = z[zo + lane]
        for o in range(1, outputs):
            largest = max(largest, z[zo + o * lanes + lane])
        for o in range(outputs):
            z[zo + o * lanes + lane] -= largest
        total -= z[zo + int(y[first + lane]) * lanes + lane]
    for lane in range(0, count, PANEL):  # what is in lanes beyond is not read again
        exponentials(z, zo + lane, lanes, outputs)
    several = 1.0
    for lane in range(count):
        partition = 0.0
        for o in range(outputs):
            partition += z[zo + o * lanes + lane]
        share = 1.0 / partition
        for o in range(outputs):
            z[zo + o * lanes + lane] *= share
        z[zo + int(y[first + lane]) * lanes + lane] -= 1.0
        several *= partition  # between 1 and m, so that one logarithm serves for some
        if lane % _LOGARITHM == _LOGARITHM - 1 or lane == count - 1:
            total += math.log(several)
            several = 1.0
    return total


@part
def loss_gradient(code: int, z: Floats, zo: int, y: Floats, first: int, count: int, outputs: int, lanes: int) -> float:
    """Return Σ L(z, y), and put its gradient in z's place."""
    if code == 1:
        return cross_entropy_gradient(z, zo, y, first, count, outputs, lanes)
    total = 0.0
    if code == 0:
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
