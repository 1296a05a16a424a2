"""Activations σ, componentwise, with the two derivatives that gradients and Hessian-vector products need.

Every derivative takes both z and a = σ(z): for tanh, sigmoid and their like the value gives the derivative for free,
and the value is kept by the forward pass anyway.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

_LEAK: Final = 0.01
"""Slope of leaky_relu left of 0."""
_LOG_2: Final = math.log(2.0)


@dataclass(frozen=True)
class Activation:
    """A componentwise activation.

    Attributes
    ----------
    name
        As in a specification.
    write
        ``write(z, a)`` stores σ(z) in ``a``; shapes equal.
    write_first
        ``write_first(z, a, out)`` stores σ'(z), with a = σ(z), in ``out``, which may be z itself.
    second
        ``second(z, a)`` is σ''(z) (0 where σ is piecewise linear).
    smooth
        Whether σ is twice continuously differentiable; where it is not, it has kinks that a minimiser can sit on.
    odd
        Whether σ(−z) = −σ(z): zero-padded coordinates then have sign flips as exact symmetries.
    by_value
        Whether σ' is written from a alone and σ in place, so that nothing but a need be kept.
    vanishes_at_zero
        Whether σ(0) = 0, an assumption of the theorem (Thorpe and van Gennip 2023, section 2).
    """

    name: str
    write: Callable[[Tensor, Tensor], object]
    write_first: Callable[[Tensor, Tensor, Tensor], object]
    second: Callable[[Tensor, Tensor], Tensor]
    smooth: bool = True
    odd: bool = False
    by_value: bool = False
    vanishes_at_zero: bool = True

    def __call__(self, z: Tensor) -> Tensor:
        """Return σ(z) in a new tensor."""
        a = torch.empty_like(z)
        self.write(z, a)
        return a

    def first(self, z: Tensor, a: Tensor) -> Tensor:
        """Return σ'(z) in a new tensor, with a = σ(z)."""
        out = torch.empty_like(z)
        self.write_first(z, a, out)
        return out


def _write_leaky_relu(z: Tensor, a: Tensor) -> None:
    # max(z, slope·z) is the same function for a slope below 1, in two passes without a mask.
    torch.mul(z, _LEAK, out=a)
    torch.maximum(z, a, out=a)


def _softplus_second(z: Tensor, _a: Tensor) -> Tensor:
    s = torch.sigmoid(z)
    return s * (1.0 - s)


def _silu_first(z: Tensor, a: Tensor, out: Tensor) -> None:
    s = torch.sigmoid(z)
    out.copy_(s + a * (1.0 - s))


def _silu_second(z: Tensor, _a: Tensor) -> Tensor:
    s = torch.sigmoid(z)
    return s * (1.0 - s) * (2.0 + z * (1.0 - 2.0 * s))


def _normal_density(z: Tensor) -> Tensor:
    return torch.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def _zero(z: Tensor, _a: Tensor) -> Tensor:
    return torch.zeros_like(z)


ACTIVATIONS: Final[dict[str, Activation]] = {
    entry.name: entry
    for entry in (
        Activation("identity", lambda z, a: a.copy_(z), lambda _z, _a, out: out.fill_(1.0), _zero, odd=True),
        Activation(
            "tanh",
            lambda z, a: torch.tanh(z, out=a),
            lambda _, a, out: torch.mul(a, a, out=out).neg_().add_(1.0),
            lambda _, a: -2.0 * a * (1.0 - a * a),
            odd=True,
            by_value=True,
        ),
        Activation(
            "sin",
            lambda z, a: torch.sin(z, out=a),
            lambda z, _, out: torch.cos(z, out=out),
            lambda _, a: -a,
            odd=True,
        ),
        # The derivative at a kink is taken from the left, as PyTorch does.
        Activation(
            "relu",
            lambda z, a: torch.clamp(z, min=0.0, out=a),
            lambda _, a, out: torch.gt(a, 0.0, out=out),
            _zero,
            smooth=False,
            by_value=True,
        ),
        Activation(
            "leaky_relu",
            _write_leaky_relu,
            lambda z, _, out: torch.gt(z, 0.0, out=out).mul_(1.0 - _LEAK).add_(_LEAK),
            _zero,
            smooth=False,
        ),
        Activation(
            "softplus",  # less log 2, so that it vanishes at 0
            lambda z, a: a.copy_(functional.softplus(z, threshold=40.0)).sub_(_LOG_2),
            lambda z, _, out: torch.sigmoid(z, out=out),
            _softplus_second,
        ),
        Activation("silu", lambda z, a: torch.sigmoid(z, out=a).mul_(z), _silu_first, _silu_second),
        Activation(
            "gelu",
            lambda z, a: torch.special.ndtr(z, out=a).mul_(z),
            lambda z, _, out: out.copy_(torch.special.ndtr(z) + z * _normal_density(z)),
            lambda z, _: _normal_density(z) * (2.0 - z * z),
        ),
        Activation(
            "sigmoid",
            lambda z, a: torch.sigmoid(z, out=a),
            lambda _, a, out: torch.addcmul(a, a, a, value=-1.0, out=out),  # s (1 − s) = s − s²
            lambda _, a: a * (1.0 - a) * (1.0 - 2.0 * a),
            by_value=True,
            vanishes_at_zero=False,
        ),
    )
}
"""Every activation by name."""
