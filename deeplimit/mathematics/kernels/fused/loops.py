"""Forward map and adjoint of one explicit Runge-Kutta step, for a block of lanes; the formulae are in runge_kutta.py.

Arrays are flat, with the offset of what is meant behind each. Per step they hold (stages, d, lanes), states and
costates (d, lanes); d is a multiple of four and lanes one of a panel. ``feeds`` is the tableau's a, (stages, stages).
Padded features have weights 0, and so do not act on the others.
"""

from __future__ import annotations

from typing import Any, Final

from deeplimit.mathematics.kernels.fused.compiled import part
from deeplimit.mathematics.kernels.fused.instructions import (
    activations,
    add_outer,
    add_outers,
    add_row_sums,
    add_scaled,
    affine,
    multiply,
    product,
    scale,
)
from deeplimit.mathematics.kernels.fused.lanes import PANEL

ACTIVATIONS: Final = tuple(activations)
"""Names of the activations, in the order of their codes."""
_tanh, _sigmoid, _silu, _softplus, _sin, _identity, _relu, _leaky_relu = (activations[name] for name in ACTIVATIONS)
Floats = Any
"""A flat array of float64 in compiled code."""


@part
def activate(code: int, z: Floats, zo: int, a: Floats, ao: int, s: Floats, so: int, stride: int, rows: int) -> None:
    """Write σ(z) and σ'(z) of a panel; either may take z's place."""
    if code == 0:
        _tanh(z, zo, a, ao, s, so, stride, rows)
    elif code == 1:
        _sigmoid(z, zo, a, ao, s, so, stride, rows)
    elif code == 2:
        _silu(z, zo, a, ao, s, so, stride, rows)
    elif code == 3:
        _softplus(z, zo, a, ao, s, so, stride, rows)
    elif code == 4:
        _sin(z, zo, a, ao, s, so, stride, rows)
    elif code == 5:
        _identity(z, zo, a, ao, s, so, stride, rows)
    elif code == 6:
        _relu(z, zo, a, ao, s, so, stride, rows)
    else:
        _leaky_relu(z, zo, a, ao, s, so, stride, rows)


@part
def combine(
    out: Floats,
    o: int,
    base: Floats,
    bo: int,
    factor: float,
    weights: Floats,
    wo: int,
    step: int,
    first: int,
    last: int,
    h: float,
    terms: Floats,
    to: int,
    d: int,
    lanes: int,
) -> None:
    """Write factor · base + h Σ_l w_l terms_l of a panel, l from first to last and w_l = weights[wo + l step]."""
    scale(out, o, base, bo, factor, lanes, d)
    for index in range(first, last):
        weight = weights[wo + index * step]
        if weight != 0.0:
            add_scaled(out, o, out, o, h * weight, terms, to + index * d * lanes, lanes, d)


@part
def add_running(v: Floats, vo: int, inputs: Floats, yo: int, factor: float, d: int, lanes: int, count: int) -> None:
    """Add factor · Y to what goes back through a stage, in lanes that are no padding."""
    for r in range(d):
        for at in range(r * lanes, r * lanes + count):
            v[vo + at] += factor * inputs[yo + at]


@part
def forward_step(
    code: int,
    K: Floats,
    ko: int,
    b: Floats,
    bo: int,
    feeds: Floats,
    weights: Floats,
    h: float,
    d: int,
    lanes: int,
    state: Floats,
    xo: int,
    inputs: Floats,
    yo: int,
    z: Floats,
    zo: int,
    slope: Floats,
    so: int,
    a: Floats,
    ao: int,
) -> None:
    """Take one step from the state, in place; slopes may take z's place."""
    stages, size = len(weights), d * lanes
    for j in range(stages):
        here = j * size
        for lane in range(0, lanes, PANEL):
            y = yo + here + lane
            combine(inputs, y, state, xo + lane, 1.0, feeds, j * stages, 1, 0, j, h, a, ao + lane, d, lanes)
            for r in range(0, d, 4):
                at = zo + here + lane + r * lanes
                affine(z, at, K, ko + (j * d + r) * d, d, 1, inputs, y, b, bo + j * d + r, lanes, d)
            activate(code, z, zo + here + lane, a, ao + here + lane, slope, so + here + lane, lanes, d)
    for lane in range(0, lanes, PANEL):
        combine(state, xo + lane, state, xo + lane, 1.0, weights, 0, 1, 0, stages, h, a, ao + lane, d, lanes)


@part
def backward_step(
    K: Floats,
    ko: int,
    feeds: Floats,
    weights: Floats,
    h: float,
    running: float,
    d: int,
    lanes: int,
    count: int,
    costate: Floats,
    po: int,
    inputs: Floats,
    yo: int,
    slope: Floats,
    so: int,
    kappa: Floats,
    cko: int,
    delta: Floats,
    do: int,
    v: Floats,
    vo: int,
    gradient: Floats,
    gko: int,
    gbo: int,
) -> None:
    """Take the costate one step back, in place; δ may take the slopes' place, and κ that of v.

    Gradients are added to ``gradient``, K's from ``gko`` and b's from ``gbo`` on. Lanes from ``count`` on are padding.
    """
    stages, size = len(weights), d * lanes
    for j in range(stages - 1, -1, -1):
        here = j * size
        for lane in range(0, lanes, PANEL):
            at = cko + here + lane
            combine(
                kappa, at, costate, po + lane, weights[j], feeds, j, stages, j + 1, stages, h, v, vo + lane, d, lanes
            )  # fmt: skip
            back = do + here + lane
            multiply(delta, back, slope, so + here + lane, kappa, at, lanes, d)
            for r in range(0, d, 4):
                product(v, vo + here + lane + r * lanes, K, ko + j * d * d + r, 1, d, delta, back, lanes, d)
        if running != 0.0:
            add_running(v, vo + here, inputs, yo + here, 2.0 * running * weights[j], d, lanes, count)
        add_parameters(gradient, gko + j * d * d, gbo + j * d, delta, do + here, inputs, yo + here, h, d, lanes)
    for lane in range(0, lanes, PANEL):
        for j in range(stages):
            add_scaled(costate, po + lane, costate, po + lane, h, v, vo + j * size + lane, lanes, d)


@part
def add_parameters(
    gradient: Floats,
    gko: int,
    gbo: int,
    delta: Floats,
    do: int,
    inputs: Floats,
    yo: int,
    h: float,
    d: int,
    lanes: int,
) -> None:
    """Add h δᵀY and h Σ δ of one stage, over its lanes."""
    for r in range(0, d, 4):
        for column in range(0, d, 4):
            at = gko + r * d + column
            add_outer(gradient, at, d, delta, do + r * lanes, inputs, yo + column * lanes, lanes, lanes, h)
        add_row_sums(gradient, gbo + r, delta, do + r * lanes, lanes, lanes, h)


@part
def add_both_parameters(
    gradient: Floats,
    gko: int,
    gbo: int,
    ddelta: Floats,
    ddo: int,
    inputs: Floats,
    yo: int,
    delta: Floats,
    do: int,
    dinputs: Floats,
    dyo: int,
    h: float,
    d: int,
    lanes: int,
) -> None:
    """Add h (dδᵀY + δᵀdY) and h Σ dδ of one stage, over its lanes."""
    for r in range(0, d, 4):
        for column in range(0, d, 4):
            at, row, other = gko + r * d + column, r * lanes, column * lanes
            add_outers(
                gradient, at, d, ddelta, ddo + row, inputs, yo + other, delta, do + row, dinputs, dyo + other,
                lanes, lanes, h,
            )  # fmt: skip
        add_row_sums(gradient, gbo + r, ddelta, ddo + r * lanes, lanes, lanes, h)
