"""The continuum problem as a user of torchdiffeq writes it: the same polynomials K and b, its solvers, its adjoint.

The parameters are this package's white coordinates, so that optimisers meet the same problem. K(t) and b(t) cost two
small products a call: the basis is written in powers of 2t − 1, whose coefficients are made once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torchdiffeq
from torch import Tensor, nn

if TYPE_CHECKING:
    from deeplimit.mathematics.model.flow import Flow


class NeuralOde(nn.Module):
    """E_∞ in a Legendre basis, integrated by torchdiffeq in fixed steps.

    Parameters
    ----------
    flow
        This package's model: problem and basis.
    u
        Its flat coordinates (length,) to start from.
    method
        ``euler`` or ``rk4``, which is torchdiffeq's 3/8 rule: of order 4 as the classical one is.
    steps
        Equal steps on [0, 1].
    adjoint
        Whether the gradient integrates the continuous adjoint backwards, or differentiates the steps.
    """

    def __init__(self, flow: Flow, u: Tensor, *, method: str, steps: int, adjoint: bool) -> None:
        super().__init__()
        problem, parts = flow.problem, flow.coordinates.unpack(u)
        weights = {problem.weight(name) for name in problem.trained}
        if len(weights) != 1 or {problem.tau(name) for name in ("K", "b")} != {1.0}:
            raise ValueError("written for one weight and τ = 1")
        self._weight = weights.pop()
        self._field = _Field(problem.state_dim, flow.basis.size, parts["K"], parts["b"])
        self.W, self.c = nn.Parameter(parts["W"].clone()), nn.Parameter(parts["c"].clone())
        self._x, self._y = problem.x, problem.y
        self._times = self._x.new_tensor([0.0, 1.0])
        self._solver = {"method": method, "options": {"step_size": 1.0 / steps}}
        self._integrate = torchdiffeq.odeint_adjoint if adjoint else torchdiffeq.odeint

    def forward(self) -> Tensor:
        """Return E_∞ of all samples."""
        final = self._integrate(self._field, self._x, self._times, **self._solver)[-1]
        terminal = nn.functional.cross_entropy(nn.functional.linear(final, self.W, self.c), self._y)
        return terminal + self._weight * sum((v.square().sum() for v in self.parameters()), start=0.0 * terminal)

    def evaluate(self) -> Tensor:
        """Return E_∞, detached, with its gradient in each parameter's ``grad``."""
        self.zero_grad()
        objective: Tensor = self()
        objective.backward()  # type: ignore[no-untyped-call]  # PyTorch's has no types
        return objective.detach()

    def coordinates(self, flow: Flow, *, gradient: bool = False) -> Tensor:
        """Return the parameters, or their gradient, as the flow's flat coordinates (length,)."""
        values = [self._field.u, self.W, self.c]
        u, W, c = (value.grad if gradient and value.grad is not None else value.detach() for value in values)
        d = flow.problem.state_dim
        K, b = u[:, : d * d].reshape(-1, d, d), u[:, d * d :]
        return flow.coordinates.pack({"K": K, "b": b, "W": W, "c": c})


class _Field(nn.Module):
    """tanh(K(t) x + b(t)) with K and b by one product of the powers of 2t − 1."""

    def __init__(self, d: int, size: int, K: Tensor, b: Tensor) -> None:
        super().__init__()
        self.u = nn.Parameter(torch.cat([K.reshape(size, -1), b], 1))
        self._d = d
        self._powers = torch.arange(size, dtype=K.dtype)
        self._basis = torch.from_numpy(_in_powers(size)).to(K)

    def forward(self, t: Tensor, x: Tensor) -> Tensor:
        values = (((2.0 * t - 1.0) ** self._powers) @ self._basis) @ self.u
        K, b = values[: -self._d].view(self._d, self._d), values[-self._d :]
        return torch.tanh(nn.functional.linear(x, K, b))


def _in_powers(size: int) -> np.ndarray:
    """Return the (q, q) coefficients of 1 and of ∫₀ᵗ φ_k, k < q − 1, in powers of 2t − 1; a column for each."""
    power = np.polynomial.legendre.leg2poly
    found = np.zeros((size, size))
    found[0, 0] = 1.0
    for k in range(size - 1):
        # ∫₀ᵗ φ_0 = t, and ∫₀ᵗ φ_k = (P_{k+1} − P_{k−1})(2t − 1) / (2 √(2k + 1))
        series = np.zeros(k + 2)
        series[k + 1] = 0.5 / np.sqrt(2.0 * k + 1.0)
        series[max(k - 1, 0)] += 0.5 if k == 0 else -series[k + 1]
        column = power(series)
        found[: len(column), k + 1] = column
    return found
