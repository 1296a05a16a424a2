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
    vanishes_at_zero
        Whether σ(0) = 0, an assumption of the theorem (Thorpe and van Gennip 2023, section 2).
    """

    name: str
    write: Callable[[Tensor, Tensor], None]
    write_first: Callable[[Tensor, Tensor, Tensor], None]
    second: Callable[[Tensor, Tensor], Tensor]
    smooth: bool = True
    odd: bool = False
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


def _write_identity(z: Tensor, a: Tensor) -> None:
    a.copy_(z)


def _write_tanh(z: Tensor, a: Tensor) -> None:
    torch.tanh(z, out=a)


def _write_sin(z: Tensor, a: Tensor) -> None:
    torch.sin(z, out=a)


def _write_relu(z: Tensor, a: Tensor) -> None:
    torch.clamp(z, min=0.0, out=a)


def _write_leaky_relu(z: Tensor, a: Tensor) -> None:
    # max(z, slope·z) is the same function for a slope below 1, in two passes without a mask.
    torch.mul(z, _LEAK, out=a)
    torch.maximum(z, a, out=a)


def _write_softplus(z: Tensor, a: Tensor) -> None:
    a.copy_(functional.softplus(z, threshold=40.0)).sub_(_LOG_2)


def _write_silu(z: Tensor, a: Tensor) -> None:
    torch.sigmoid(z, out=a)
    a.mul_(z)


def _write_gelu(z: Tensor, a: Tensor) -> None:
    torch.special.ndtr(z, out=a)
    a.mul_(z)


def _write_sigmoid(z: Tensor, a: Tensor) -> None:
    torch.sigmoid(z, out=a)


def _one(_z: Tensor, _a: Tensor, out: Tensor) -> None:
    out.fill_(1.0)


def _tanh_first(_z: Tensor, a: Tensor, out: Tensor) -> None:
    torch.mul(a, a, out=out).neg_().add_(1.0)


def _cos(z: Tensor, _a: Tensor, out: Tensor) -> None:
    torch.cos(z, out=out)


def _sigmoid(z: Tensor, _a: Tensor, out: Tensor) -> None:
    torch.sigmoid(z, out=out)


def _sigmoid_first(_z: Tensor, a: Tensor, out: Tensor) -> None:
    # s (1 - s) = s - s²
    torch.addcmul(a, a, a, value=-1.0, out=out)


def _relu_first(z: Tensor, _a: Tensor, out: Tensor) -> None:
    # The derivative at the kink is taken from the left, as PyTorch does.
    torch.gt(z, 0.0, out=out)


def _leaky_relu_first(z: Tensor, _a: Tensor, out: Tensor) -> None:
    torch.gt(z, 0.0, out=out).mul_(1.0 - _LEAK).add_(_LEAK)


def _normal_density(z: Tensor) -> Tensor:
    return torch.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def _zero(z: Tensor, _a: Tensor) -> Tensor:
    return torch.zeros_like(z)


def _tanh_second(_z: Tensor, a: Tensor) -> Tensor:
    return -2.0 * a * (1.0 - a * a)


def _silu_first(z: Tensor, a: Tensor, out: Tensor) -> None:
    s = torch.sigmoid(z)
    out.copy_(s + a * (1.0 - s))


def _gelu_first(z: Tensor, _a: Tensor, out: Tensor) -> None:
    out.copy_(torch.special.ndtr(z) + z * _normal_density(z))


def _silu_second(z: Tensor, _a: Tensor) -> Tensor:
    s = torch.sigmoid(z)
    return s * (1.0 - s) * (2.0 + z * (1.0 - 2.0 * s))


def _softplus_second(z: Tensor, _a: Tensor) -> Tensor:
    s = torch.sigmoid(z)
    return s * (1.0 - s)


ACTIVATIONS: Final[dict[str, Activation]] = {
    entry.name: entry
    for entry in (
        Activation("identity", _write_identity, _one, _zero, odd=True),
        Activation("tanh", _write_tanh, _tanh_first, _tanh_second, odd=True),
        Activation("sin", _write_sin, _cos, lambda _, a: -a, odd=True),
        Activation("relu", _write_relu, _relu_first, _zero, smooth=False),
        Activation("leaky_relu", _write_leaky_relu, _leaky_relu_first, _zero, smooth=False),
        Activation("softplus", _write_softplus, _sigmoid, _softplus_second),
        Activation("silu", _write_silu, _silu_first, _silu_second),
        Activation("gelu", _write_gelu, _gelu_first, lambda z, _: _normal_density(z) * (2.0 - z * z)),
        Activation(
            "sigmoid",
            _write_sigmoid,
            _sigmoid_first,
            lambda _, a: a * (1.0 - a) * (1.0 - 2.0 * a),
            vanishes_at_zero=False,
        ),
    )
}
"""Every activation by name."""
