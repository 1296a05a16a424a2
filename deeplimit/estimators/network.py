"""The network of one depth in numpy, from raw inputs to outputs: predicting takes neither torch nor a service.

X_0 is the standardised input, padded with zeros to d entries; X_{i+1} = X_i + (1/n) σ(K_i X_i + b_i); z = W X_n + c
(Thorpe and van Gennip 2023, (1.1)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtr

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Floats = npt.NDArray[np.float64]

_LEAK: Final = 0.01
"""Slope of leaky_relu left of 0."""

ACTIVATIONS: Final[Mapping[str, Callable[[Floats], Floats]]] = {
    "identity": lambda z: z,
    "tanh": np.tanh,
    "sin": np.sin,
    "relu": lambda z: np.maximum(z, 0.0),
    "leaky_relu": lambda z: np.maximum(z, _LEAK * z),
    "softplus": lambda z: np.logaddexp(0.0, z) - np.log(2.0),  # less log 2, so that it vanishes at 0
    "silu": lambda z: z * expit(z),
    "gelu": lambda z: z * ndtr(z),
    "sigmoid": expit,
}
"""Every activation by name; a test compares them with those that networks are trained with."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """What inputs, and targets of a regression, were standardised by: (value - mean) / scale.

    Attributes
    ----------
    mean, scale
        (f,) of the inputs.
    target_mean, target_scale
        (m,) of the targets; None where they are classes.
    """

    mean: Floats
    scale: Floats
    target_mean: Floats | None = None
    target_scale: Floats | None = None

    @classmethod
    def of(cls, columns: Mapping[str, object]) -> Scaling:
        """Take the four from lists or arrays by name, None among them."""
        arrays = {
            name: np.asarray(columns[name], np.float64)
            for name in ("mean", "scale", "target_mean", "target_scale")
            if columns.get(name) is not None
        }
        return cls(**arrays)


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """Parameters K (n, d, d), b (n, d), W (m, d), c (m,), with the activation's name and the scaling of the data."""

    activation: str
    scaling: Scaling
    K: Floats
    b: Floats
    W: Floats
    c: Floats

    @property
    def depth(self) -> int:
        """Depth n."""
        return len(self.b)

    def outputs(self, inputs: Floats) -> Floats:
        """Return z = W X_n + c (S, m) of raw inputs (S, f): logits of classes, or targets in standardised units."""
        sigma, scaled = ACTIVATIONS[self.activation], (inputs - self.scaling.mean) / self.scaling.scale
        x = np.pad(scaled, ((0, 0), (0, self.W.shape[1] - scaled.shape[1])))
        for K, b in zip(self.K, self.b, strict=True):
            x = x + sigma(x @ K.T + b) / self.depth
        return np.asarray(x @ self.W.T + self.c, np.float64)

    def targets(self, inputs: Floats) -> Floats:
        """Return predicted targets (S, m) in the units of the data."""
        z = self.outputs(inputs)
        if self.scaling.target_mean is None or self.scaling.target_scale is None:
            return z
        return np.asarray(z * self.scaling.target_scale + self.scaling.target_mean, np.float64)
