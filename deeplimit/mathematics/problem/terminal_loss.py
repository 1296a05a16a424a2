"""Terminal losses L(h(z), y) as functions of the linear output z = W X + c, with their outputs h.

Values and derivatives are sums over the samples given, so that a caller may go through the data in parts and divide by
S once. Derivatives are taken in z, where softmax with cross-entropy and the logistic loss are convex and free of
overflow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import torch
from torch import Tensor
from torch.nn import functional


class TerminalLoss(Protocol):
    """L(h(z), y), its gradient and its Hessian in z, z of shape (S, m); ``classes`` says whether targets are such."""

    name: str
    output: str
    classes: bool

    def total(self, z: Tensor, y: Tensor) -> Tensor:
        """Return Σ_s L(h(z_s), y_s), a scalar tensor."""

    def of_sets(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``total`` (B,) and ``gradient`` (B, m, S) for each of the outputs z (B, m, S) of B parameter sets."""

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        """Return ∂/∂z of ``total``, shape (S, m)."""

    def hessian_product(self, z: Tensor, y: Tensor, dz: Tensor) -> Tensor:
        """Return the Hessian of ``total`` in z applied to ``dz``, shape (S, m)."""

    def predict(self, z: Tensor) -> Tensor:
        """Return h(z), shape (S, m)."""

    def metrics(self, z: Tensor, y: Tensor) -> Mapping[str, float | None]:
        """Return what a user reads beside the loss: ``accuracy`` for classes, ``r2`` for numbers; None if undefined."""


class SquaredError:
    """‖z − y‖² without ½, h the identity; y of shape (S, m)."""

    name = "squared_error"
    output = "identity"
    classes = False

    def total(self, z: Tensor, y: Tensor) -> Tensor:
        """Return Σ_s ‖z_s − y_s‖²."""
        return (z - y).square().sum()

    def of_sets(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return Σ_s ‖z_s − y_s‖² and 2 (z − y)."""
        residual = z - y.T
        return residual.square().sum((1, 2)), residual.mul_(2.0)

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        """Return 2 (z − y)."""
        return 2.0 * (z - y)

    def hessian_product(self, z: Tensor, y: Tensor, dz: Tensor) -> Tensor:
        """Return 2 dz."""
        del z, y
        return 2.0 * dz

    def predict(self, z: Tensor) -> Tensor:
        """Return z."""
        return z

    def metrics(self, z: Tensor, y: Tensor) -> Mapping[str, float | None]:
        """Return the coefficient of determination over all outputs, None when the targets do not vary."""
        if not bool((y != y[:1]).any()):
            return {"r2": None}
        return {"r2": float(1.0 - (z - y).square().sum() / (y - y.mean(0)).square().sum())}


class CrossEntropy:
    """−log softmax(z)_y in natural logarithms; y of shape (S,), integers 0..m−1."""

    name = "cross_entropy"
    output = "softmax"
    classes = True

    def total(self, z: Tensor, y: Tensor) -> Tensor:
        """Return Σ_s (logsumexp z_s − z_{s, y_s})."""
        return functional.cross_entropy(z, y, reduction="sum")

    def of_sets(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return −Σ_s log softmax(z_s)_{y_s} and softmax(z) − onehot(y)."""
        place = y.expand(len(z), 1, -1)
        totals = torch.log_softmax(z, 1).gather(1, place).sum((1, 2)).neg_()
        return totals, torch.softmax(z, 1).scatter_add_(1, place, z.new_full((), -1.0).expand(place.shape))

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        """Return softmax(z) − onehot(y)."""
        gradient = torch.softmax(z, 1)
        gradient[torch.arange(len(y), device=y.device), y] -= 1.0
        return gradient

    def hessian_product(self, z: Tensor, y: Tensor, dz: Tensor) -> Tensor:
        """Return q ⊙ dz − q (q·dz), q = softmax(z)."""
        del y
        weighted = torch.softmax(z, 1)
        product = weighted * dz
        return product - weighted * product.sum(1, keepdim=True)

    def predict(self, z: Tensor) -> Tensor:
        """Return the class probabilities softmax(z)."""
        return torch.softmax(z, 1)

    def metrics(self, z: Tensor, y: Tensor) -> Mapping[str, float | None]:
        """Return the share of samples whose largest output is their class."""
        return {"accuracy": float((z.argmax(1) == y).double().mean())}


class Logistic:
    """log(1 + exp(−y z)), h(z) = 1/(1 + e^{−z}); y of shape (S, 1), ±1."""

    name = "logistic"
    output = "logistic"
    classes = True

    def total(self, z: Tensor, y: Tensor) -> Tensor:
        """Return Σ_s log(1 + exp(−y_s z_s))."""
        return functional.softplus(-y * z, threshold=40.0).sum()

    def of_sets(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return Σ_s log(1 + exp(−y_s z_s)) and −y / (1 + exp(y z))."""
        signed = -y.T * z
        return functional.softplus(signed, threshold=40.0).sum((1, 2)), torch.sigmoid(signed).mul_(-y.T)

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        """Return −y / (1 + exp(y z))."""
        return -y * torch.sigmoid(-y * z)

    def hessian_product(self, z: Tensor, y: Tensor, dz: Tensor) -> Tensor:
        """Return p (1 − p) dz with p = 1/(1 + e^{−z})."""
        del y
        p = torch.sigmoid(z)
        return p * (1.0 - p) * dz

    def predict(self, z: Tensor) -> Tensor:
        """Return the probability of the class +1."""
        return torch.sigmoid(z)

    def metrics(self, z: Tensor, y: Tensor) -> Mapping[str, float | None]:
        """Return the share of samples on their side of the boundary."""
        return {"accuracy": float((z * y > 0).double().mean())}


TERMINAL_LOSSES: Final[dict[str, TerminalLoss]] = {
    entry.name: entry for entry in (SquaredError(), CrossEntropy(), Logistic())
}
"""Every terminal loss by name; each has exactly one output."""
