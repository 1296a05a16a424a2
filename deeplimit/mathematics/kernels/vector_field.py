"""The right-hand side f(t, θ, X) of the differential equation, and what diagnostics take from Pontryagin's H = ⟨p, f⟩.

θ stands for (K, b) at the nodes of a grid; p is the costate, so that ∂H/∂θ is the force in the Euler-Lagrange equations
and the derivative of f along the flow is the acceleration X'' in the predicted slope. Kernels go through layers; this
is one evaluation at every node at once, (N, S, d) for N nodes and S samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from deeplimit.mathematics.kernels.activations import Activation


@dataclass(frozen=True)
class FieldValue:
    """f at the nodes of a grid, with what its derivatives need.

    Attributes
    ----------
    f
        (N, S, d).
    X
        (N, S, d): where.
    K
        (N, d, d), or (N, 2w, d) of two-layer blocks.
    a, slope
        σ(KX + b) and σ' there, (N, S, d), or (N, S, w).
    """

    f: Tensor
    X: Tensor
    K: Tensor
    a: Tensor
    slope: Tensor


class VectorField(ABC):
    """f, by K and b; subclasses say what it is made of."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation

    def value(self, K: Tensor, b: Tensor, X: Tensor) -> FieldValue:
        """Evaluate f at X (N, S, d), with K and b of every node."""
        z = torch.baddbmm(b.unsqueeze(1), X, self._inner(K).transpose(1, 2))
        a = self.activation(z)
        return self.known(K, X, a, self.activation.first(z, a))

    @abstractmethod
    def known(self, K: Tensor, X: Tensor, a: Tensor, slope: Tensor) -> FieldValue:
        """Return f where σ(KX + b) and σ' are known, as a kernel has kept them."""

    @abstractmethod
    def push(self, at: FieldValue, dX: Tensor, dK: Tensor, db: Tensor) -> Tensor:
        """Differentiate f (N, S, d) along X, K and b together."""

    @abstractmethod
    def gradient(self, at: FieldValue, p: Tensor) -> tuple[Tensor, Tensor]:
        """Return ∂H/∂K and ∂H/∂b of every node, summed over samples; p is (N, S, d)."""

    @abstractmethod
    def gradient_norms(self, at: FieldValue, p: Tensor) -> tuple[Tensor, Tensor]:
        """Return ‖∂H/∂K‖ and ‖∂H/∂b‖ of every node and sample, (N, S)."""

    def _inner(self, K: Tensor) -> Tensor:
        return K


class SingleLayer(VectorField):
    """f = σ(KX + b)."""

    def known(self, K: Tensor, X: Tensor, a: Tensor, slope: Tensor) -> FieldValue:
        """Return f, which is σ; see `VectorField`."""
        return FieldValue(a, X, K, a, slope)

    def push(self, at: FieldValue, dX: Tensor, dK: Tensor, db: Tensor) -> Tensor:
        """Return σ' ⊙ (K dX + dK X + db); see `VectorField`."""
        return _inner_push(at, at.K, dX, dK, db)

    def gradient(self, at: FieldValue, p: Tensor) -> tuple[Tensor, Tensor]:
        """Return δ Xᵀ and δ, δ = σ' ⊙ p; see `VectorField`."""
        delta = at.slope * p
        return torch.bmm(delta.transpose(1, 2), at.X), delta.sum(1)

    def gradient_norms(self, at: FieldValue, p: Tensor) -> tuple[Tensor, Tensor]:
        """Return ‖δ‖ ‖X‖ and ‖δ‖; see `VectorField`."""
        delta = lengths(at.slope * p)
        return delta * lengths(at.X), delta


class TwoLayer(VectorField):
    """f = V σ(KX + b), K and Vᵀ one above the other in one array (N, 2w, d)."""

    def known(self, K: Tensor, X: Tensor, a: Tensor, slope: Tensor) -> FieldValue:
        """Return V σ; see `VectorField`."""
        return FieldValue(torch.bmm(a, K.chunk(2, 1)[1]), X, K, a, slope)

    def push(self, at: FieldValue, dX: Tensor, dK: Tensor, db: Tensor) -> Tensor:
        """Return V (σ' ⊙ (K dX + dK X + db)) + dV σ; see `VectorField`."""
        (inner, outer), (dinner, douter) = at.K.chunk(2, 1), dK.chunk(2, 1)
        return torch.bmm(_inner_push(at, inner, dX, dinner, db), outer).baddbmm_(at.a, douter)

    def gradient(self, at: FieldValue, p: Tensor) -> tuple[Tensor, Tensor]:
        """Return δ Xᵀ above σ pᵀ, and δ, δ = σ' ⊙ Vᵀp; see `VectorField`."""
        delta = self._delta(at, p)
        by_inner = torch.bmm(delta.transpose(1, 2), at.X)
        return torch.cat([by_inner, torch.bmm(at.a.transpose(1, 2), p)], 1), delta.sum(1)

    def gradient_norms(self, at: FieldValue, p: Tensor) -> tuple[Tensor, Tensor]:
        """Return (‖δ‖² ‖X‖² + ‖σ‖² ‖p‖²)^½ and ‖δ‖; see `VectorField`."""
        delta = lengths(self._delta(at, p))
        return torch.hypot(delta * lengths(at.X), lengths(at.a) * lengths(p)), delta

    def _inner(self, K: Tensor) -> Tensor:
        return K.chunk(2, 1)[0]

    def _delta(self, at: FieldValue, p: Tensor) -> Tensor:
        return torch.bmm(p, at.K.chunk(2, 1)[1].transpose(1, 2)).mul_(at.slope)


def lengths(vectors: Tensor) -> Tensor:
    """Return the norms (N, S) of vectors (N, S, d).

    Where samples lie side by side, torch's own norm of them takes three to ten times as long.
    """
    return vectors.square().sum(2).sqrt_()


def _inner_push(at: FieldValue, K: Tensor, dX: Tensor, dK: Tensor, db: Tensor) -> Tensor:
    inner = torch.baddbmm(db.unsqueeze(1), at.X, dK.transpose(1, 2))
    return inner.baddbmm_(dX, K.transpose(1, 2)).mul_(at.slope)
