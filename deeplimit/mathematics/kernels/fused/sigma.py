"""Activations and their slopes on vectors of lanes, to within a few units in the last place.

e^x = 2ⁿ e^r with r = x − n log 2, |r| ≤ ½ log 2, and e^r = (A + B)/(A − B), A even and B odd in r (Cephes, *exp*). So

    tanh(x) = ((2ⁿ − 1) A + (2ⁿ + 1) B) / ((2ⁿ + 1) A + (2ⁿ − 1) B) at 2x,   sigmoid(x) = 2ⁿ (A + B) / (2ⁿ (A + B) + A − B)

take one division each, and lose no digits near 0. log(1 + w) = 2 artanh(w/(2 + w)). sin and cos are Cephes' on
[−π/4, π/4] after reduction by π/2 in three parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from deeplimit.mathematics.kernels.fused.lanes import Lanes, integers

_LOG2_HIGH: Final = 0.693145751953125
_LOG2_LOW: Final = 1.42860682030941723212e-6
"""log 2 in two parts; a small integer times the first is exact."""
_ROUNDER: Final = 6755399441055744.0
"""1.5 · 2⁵²: what is added to it is rounded to an integer, which its low bits then hold."""
_LEAK: Final = 0.01

Slopes = tuple[Lanes, Lanes]
"""σ(z) and σ'(z)."""


def _exponential(x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """Return 2ⁿ, A and B of e^x = 2ⁿ (A + B)/(A − B), for |x| ≤ 708."""
    shifted = x.times_plus(1.0 / math.log(2.0), _ROUNDER)
    n = shifted - _ROUNDER
    r = n.times_plus(-_LOG2_LOW, n.times_plus(-_LOG2_HIGH, x))
    rr = r * r
    odd = r * rr.polynomial(1.26177193074810590878e-4, 3.02994407707441961300e-2, 9.99999999999999999910e-1)
    even = rr.polynomial(
        3.00198505138664455042e-6, 2.52448340349684104192e-3, 2.27265548208155028766e-1, 2.00000000000000000009e0
    )
    # A = even − odd/1 …: e^r = 1 + 2 odd/(even − odd) = (even + odd)/(even − odd)
    builder = x.builder
    power = builder.shl(builder.add(shifted.bits(), integers(1023)), integers(52))
    return x.from_bits(power), even, odd


def tanh(z: Lanes) -> Slopes:
    """Return tanh and 1 − tanh²."""
    power, even, odd = _exponential((z * 2.0).clamped(-44.0, 44.0))
    less, more = power - 1.0, power + 1.0
    a = less.times_plus(even, more * odd) / more.times_plus(even, less * odd)
    return a, 1.0 - a * a


def _logistic(z: Lanes) -> Lanes:
    power, even, odd = _exponential(z.clamped(-708.0, 708.0))
    grown = power * (even + odd)
    return grown / (grown + (even - odd))


def sigmoid(z: Lanes) -> Slopes:
    """Return s = 1/(1 + e^−z) and s − s²."""
    a = _logistic(z)
    return a, a - a * a


def silu(z: Lanes) -> Slopes:
    """Return z s and s + z s (1 − s)."""
    s = _logistic(z)
    a = z * s
    return a, a.times_plus(1.0 - s, s)


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
    "tanh": tanh,
    "sigmoid": sigmoid,
    "silu": silu,
    "identity": identity,
    "relu": relu,
    "leaky_relu": leaky_relu,
}
CODES: Final[dict[str, Any]] = {name: code for code, name in enumerate(SIGMA)}
