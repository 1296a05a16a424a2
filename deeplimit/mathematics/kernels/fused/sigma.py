"""Activations and their slopes on vectors of lanes, to within a few units in the last place.

e^x = 2ⁿ e^r with r = x − n log 2, |r| ≤ ½ log 2, and e^r = (A + B)/(A − B), A even and B odd in r (Moshier's Cephes,
*exp*). With x = 2z and with x = z,

    tanh z = ((2ⁿ − 1) A + (2ⁿ + 1) B) / ((2ⁿ + 1) A + (2ⁿ − 1) B),   1/(1 + e^−z) = 2ⁿ (A + B) / (2ⁿ (A + B) + A − B)

take one division each, and lose no digits near 0. log(1 + w) = 2 artanh(w/(2 + w)) is a polynomial of degree ten in
(w/(2 + w))² ≤ 1/9. sin and cos are Cephes' on [−π/4, π/4], after a reduction by π/2 in three parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from deeplimit.mathematics.kernels.fused.lanes import Lanes, integers

_LOG_2: Final = (0.693145751953125, 1.42860682030941723212e-6)
"""log 2 in two parts; a small integer times the first is exact."""
_HALF_PI: Final = (1.57079625129699707031, 7.54978941586159635336e-8, 5.39030285815811905290e-15)
"""π/2 in three parts; integers below 2²⁷ times the first two are exact."""
_FARTHEST_SINE: Final = 2.0**27
"""Argument from which sin is NaN here: the reduction has lost its digits, and the state has diverged."""
_ROUNDER: Final = 6755399441055744.0
"""1.5 · 2⁵²: what is added to it is rounded to an integer, which the low bits then hold."""
_EXP_ODD: Final = (1.26177193074810590878e-4, 3.02994407707441961300e-2, 9.99999999999999999910e-1)
_EXP_EVEN: Final = (
    3.00198505138664455042e-6,
    2.52448340349684104192e-3,
    2.27265548208155028766e-1,
    2.00000000000000000009e0,
)
_ARTANH: Final = (
    0.085220817813906990645,
    0.041622532559304102879,
    0.060550843640346088273,
    0.066501870163373121685,
    0.076933070211520038808,
    0.090908704162524022551,
    0.11111112040373836587,
    0.14285714272727057267,
    0.20000000000092873734,
    0.33333333333333074797,
    1.0,
)
_SIN: Final = (
    1.58962301576546568060e-10,
    -2.50507477628578072866e-8,
    2.75573136213857245213e-6,
    -1.98412698295895385996e-4,
    8.33333333332211858878e-3,
    -1.66666666666666307295e-1,
)
_COS: Final = (
    -1.13585365213876817300e-11,
    2.08757008419747316778e-9,
    -2.75573141792967388112e-7,
    2.48015872888517045348e-5,
    -1.38888888888730564116e-3,
    4.16666666666665929218e-2,
)
_LEAK: Final = 0.01

Slopes = tuple[Lanes, Lanes]
"""σ(z) and σ'(z)."""


def tanh(z: Lanes) -> Slopes:
    """Return tanh z and 1 − tanh² z."""
    power, even, odd = _exponential((z * 2.0).clamped(-44.0, 44.0))
    less, more = power - 1.0, power + 1.0
    a = less.times_plus(even, more * odd) / more.times_plus(even, less * odd)
    return a, 1.0 - a * a


def sigmoid(z: Lanes) -> Slopes:
    """Return s = 1/(1 + e^−z) and s − s²."""
    s = _logistic(z)
    return s, s - s * s


def silu(z: Lanes) -> Slopes:
    """Return z s and s + z s (1 − s)."""
    s = _logistic(z)
    a = z * s
    return a, a.times_plus(1.0 - s, s)


def softplus(z: Lanes) -> Slopes:
    """Return max(z, 0) + log(1 + e^−|z|) − log 2 and 1/(1 + e^−z)."""
    power, even, odd = _exponential((z.magnitude() * -1.0).clamped(-708.0, 0.0))
    grown, rest = power * (even + odd), even - odd  # w = e^−|z| = grown/rest
    ratio = grown / (rest * 2.0 + grown)
    logarithm = ratio * 2.0 * (ratio * ratio).polynomial(*_ARTANH)
    return z.where("<", 0.0, 0.0, None) + logarithm - math.log(2.0), _logistic(z)


def sin(z: Lanes) -> Slopes:
    """Return sin z and cos z."""
    z = z.where(">", _FARTHEST_SINE, math.nan, None).where("<", -_FARTHEST_SINE, math.nan, None)
    shifted = z.times_plus(2.0 / math.pi, _ROUNDER)
    quadrant, r = shifted.bits(), z
    for part in _HALF_PI:
        r = (shifted - _ROUNDER).times_plus(-part, r)
    rr = r * r
    sine = (rr * r).times_plus(rr.polynomial(*_SIN), r)
    cosine = (rr * rr).times_plus(rr.polynomial(*_COS), 1.0 - rr * 0.5)
    a, slope = sine.where_bit(quadrant, 1, cosine), cosine.where_bit(quadrant, 1, sine * -1.0)
    return a.where_bit(quadrant, 2, a * -1.0), slope.where_bit(quadrant, 2, slope * -1.0)


def identity(z: Lanes) -> Slopes:
    """Return z and 1."""
    return z, z * 0.0 + 1.0


def relu(z: Lanes) -> Slopes:
    """Return max(z, 0), its slope at 0 taken from the left."""
    return z.where("<", 0.0, 0.0, None), z.where(">", 0.0, 1.0, 0.0)


def leaky_relu(z: Lanes) -> Slopes:
    """Return max(z, 0.01 z), its slope at 0 taken from the left."""
    return z.where("<", 0.0, z * _LEAK, None), z.where(">", 0.0, 1.0, _LEAK)


SIGMA: Final[dict[str, Callable[[Lanes], Slopes]]] = {
    function.__name__: function for function in (tanh, sigmoid, silu, softplus, sin, identity, relu, leaky_relu)
}
"""Every activation that has a form here."""


def _of_silu(z: Lanes, _a: Lanes, _slope: Lanes) -> Lanes:
    s = _logistic(z)
    return (s - s * s) * z.times_plus(1.0 - s * 2.0, 2.0)


SECOND: Final[dict[str, Callable[[Lanes, Lanes, Lanes], Lanes]]] = {
    "tanh": lambda _, a, slope: a * slope * -2.0,
    "sigmoid": lambda _, a, slope: slope * (1.0 - a * 2.0),
    "silu": _of_silu,
    "softplus": lambda _z, _a, slope: slope - slope * slope,
    "sin": lambda _z, a, _slope: a * -1.0,
    "identity": lambda z, _a, _slope: z * 0.0,
    "relu": lambda z, _a, _slope: z * 0.0,
    "leaky_relu": lambda z, _a, _slope: z * 0.0,
}
"""σ''(z) of z, σ(z) and σ'(z), 0 where σ is piecewise linear."""


def _exponential(x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """Return 2ⁿ, A and B of e^x = 2ⁿ (A + B)/(A − B), for |x| ≤ 708."""
    shifted = x.times_plus(1.0 / math.log(2.0), _ROUNDER)
    r = x
    for part in _LOG_2:
        r = (shifted - _ROUNDER).times_plus(-part, r)
    rr = r * r
    builder = x.builder
    power = builder.shl(builder.add(shifted.bits(), integers(1023)), integers(52))
    return x.from_bits(power), rr.polynomial(*_EXP_EVEN), r * rr.polynomial(*_EXP_ODD)


def exponential(x: Lanes) -> Lanes:
    """Return e^x, for x cut to [−708, 708]."""
    power, even, odd = _exponential(x.clamped(-708.0, 708.0))
    return power * (even + odd) / (even - odd)


def _logistic(z: Lanes) -> Lanes:
    power, even, odd = _exponential(z.clamped(-708.0, 708.0))
    grown = power * (even + odd)
    return grown / (grown + (even - odd))
