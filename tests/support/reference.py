"""Both objectives written a second time, straight from the formulas, for torch.autograd to differentiate.

Nothing of the package is used: the increment map is a plain loop, the regularisers are the sums and integrals of the
definition, Legendre polynomials come from NumPy, activations and losses from PyTorch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.polynomial import legendre
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

SIGMA: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda z: z,
    "tanh": torch.tanh,
    "sin": torch.sin,
    "relu": torch.relu,
    "leaky_relu": lambda z: functional.leaky_relu(z, 0.01),
    "softplus": lambda z: torch.log1p(torch.exp(z)) - math.log(2.0),
    "silu": lambda z: z / (1.0 + torch.exp(-z)),
    "gelu": lambda z: 0.5 * z * (1.0 + torch.erf(z / math.sqrt(2.0))),
    "sigmoid": lambda z: 1.0 / (1.0 + torch.exp(-z)),
}
SMOOTH = tuple(name for name in SIGMA if "relu" not in name)
LOSSES = ("squared_error", "cross_entropy", "logistic")


@dataclass(frozen=True)
class Reference:
    """A learning problem in plain numbers: x (S, f), y as the loss wants it, d, α, τ and fixed parameters."""

    x: Tensor
    y: Tensor
    activation: str
    loss: str
    d: int
    m: int
    alpha: dict[str, float]
    tau: dict[str, float]
    fixed: dict[str, Tensor] = field(default_factory=dict)

    def shape(self, name: str) -> tuple[int, ...]:
        return {"K": (self.d, self.d), "b": (self.d,), "W": (self.m, self.d), "c": (self.m,)}[name]

    def length(self, q: int) -> int:
        """Number of coordinates when K and b have q each."""
        counts = {name: math.prod(self.shape(name)) * (q if name in "Kb" else 1) for name in "KbWc"}
        return sum(count for name, count in counts.items() if name not in self.fixed)

    def split(self, u: Tensor, q: int) -> dict[str, Tensor]:
        """The trained parts of u, in the order K, b, W, c."""
        parts, start = {}, 0
        for name in "KbWc":
            if name not in self.fixed:
                shape = (q, *self.shape(name)) if name in "Kb" else self.shape(name)
                parts[name] = u[start : start + math.prod(shape)].reshape(shape)
                start += math.prod(shape)
        assert start == len(u)
        return parts

    def network(self, u: Tensor, n: int) -> Tensor:
        """E_n at increment coordinates u: u_0 = √τ A_0, u_i = √n (A_i − A_{i−1})."""
        theta = self.split(u, n)
        penalty = self.euclidean_penalty(theta)
        for name in "Kb":
            if name in theta:
                A = [theta[name][0] / math.sqrt(self.tau[name])]
                for i in range(1, n):
                    A.append(A[-1] + theta[name][i] / math.sqrt(n))
                R = self.tau[name] * (A[0] ** 2).sum()
                for i in range(1, n):
                    R = R + n * ((A[i] - A[i - 1]) ** 2).sum()
                penalty = penalty + self.alpha[name] * R
                theta[name] = torch.stack(A)
            else:
                theta[name] = self.fixed[name].expand(n, *self.shape(name))
        X = self.lifted()
        for i in range(n):
            X = X + SIGMA[self.activation](X @ theta["K"][i].T + theta["b"][i]) / n
        return self.terminal(X, theta) + penalty

    def legendre_flow(self, u: Tensor, degree: int, steps: int) -> Tensor:
        """E_∞ for A(t) = u_0/√τ + ∫₀ᵗ Σ_k u_{k+1} φ_k, φ_k(t) = √(2k+1) P_k(2t − 1), with RK4."""

        def values(t: Tensor) -> tuple[Tensor, Tensor]:
            s = 2.0 * t.numpy() - 1.0
            phi, integral = np.empty((2, len(s), degree))
            for k in range(degree):
                series = np.sqrt(2 * k + 1) * np.eye(degree)[k]
                phi[:, k] = legendre.legval(s, series)
                integral[:, k] = legendre.legval(s, legendre.legint(series, lbnd=-1.0)) / 2.0
            return torch.as_tensor(phi), torch.as_tensor(integral)

        nodes, weights = legendre.leggauss(degree + 1)
        times, gauss = torch.as_tensor((nodes + 1.0) / 2.0), torch.as_tensor(weights / 2.0)
        theta = self.split(u, degree + 1)
        penalty = self.euclidean_penalty(theta)
        functions: dict[str, Callable[[Tensor], Tensor]] = {}
        for name in "Kb":
            if name in theta:
                first, rest = theta[name][0] / math.sqrt(self.tau[name]), theta[name][1:]
                slope = torch.einsum("tk,k...->t...", values(times)[0], rest)
                R = self.tau[name] * (first**2).sum() + (gauss * (slope**2).flatten(1).sum(1)).sum()
                penalty = penalty + self.alpha[name] * R
                functions[name] = lambda t, first=first, rest=rest: (  # type: ignore[misc]  # defaults bind the loop
                    first + torch.einsum("tk,k...->t...", values(t)[1], rest)
                )
        return self.flow(theta, functions, steps) + penalty

    def piecewise_linear_flow(self, u: Tensor, cells: int, steps: int) -> Tensor:
        """E_∞ for A linear on M cells, u_i = √M (A(i/M) − A((i−1)/M)), with RK4."""
        theta = self.split(u, cells + 1)
        penalty = self.euclidean_penalty(theta)
        functions: dict[str, Callable[[Tensor], Tensor]] = {}
        for name in "Kb":
            if name in theta:
                nodes = [theta[name][0] / math.sqrt(self.tau[name])]
                for i in range(1, cells + 1):
                    nodes.append(nodes[-1] + theta[name][i] / math.sqrt(cells))
                A = torch.stack(nodes)
                R = self.tau[name] * (A[0] ** 2).sum() + (((A[1:] - A[:-1]) * cells) ** 2).sum() / cells
                penalty = penalty + self.alpha[name] * R
                hats = torch.arange(cells + 1, dtype=torch.float64) / cells
                functions[name] = lambda t, A=A, hats=hats: torch.einsum(  # type: ignore[misc]  # as above
                    "ti,i...->t...", torch.relu(1.0 - cells * (t[:, None] - hats).abs()), A
                )
        return self.flow(theta, functions, steps) + penalty

    def flow(self, theta: dict[str, Tensor], functions: dict[str, Callable[[Tensor], Tensor]], steps: int) -> Tensor:
        """Mean terminal loss of the classical Runge-Kutta method (Kutta 1901)."""
        h = 1.0 / steps
        times = torch.arange(2 * steps + 1, dtype=torch.float64) * (h / 2.0)
        K, b = (
            functions[name](times) if name in functions else self.fixed[name].expand(len(times), *self.shape(name))
            for name in "Kb"
        )

        def rhs(half_step: int, X: Tensor) -> Tensor:
            return SIGMA[self.activation](X @ K[half_step].T + b[half_step])

        X = self.lifted()
        for i in range(steps):
            k1 = rhs(2 * i, X)
            k2 = rhs(2 * i + 1, X + h / 2 * k1)
            k3 = rhs(2 * i + 1, X + h / 2 * k2)
            k4 = rhs(2 * i + 2, X + h * k3)
            X = X + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return self.terminal(X, theta)

    def lifted(self) -> Tensor:
        return torch.cat([self.x, torch.zeros(len(self.x), self.d - self.x.shape[1], dtype=self.x.dtype)], 1)

    def terminal(self, X: Tensor, theta: dict[str, Tensor]) -> Tensor:
        """(1/S) Σ_s L(h(W X_s + c), y_s)."""
        W, c = (theta.get(name, self.fixed.get(name)) for name in "Wc")
        assert W is not None
        assert c is not None
        z = X @ W.T + c
        if self.loss == "squared_error":
            return ((z - self.y) ** 2).sum() / len(z)
        if self.loss == "cross_entropy":
            return -torch.log_softmax(z, 1)[torch.arange(len(z)), self.y].sum() / len(z)
        return torch.log1p(torch.exp(-self.y * z)).sum() / len(z)

    def euclidean_penalty(self, theta: dict[str, Tensor]) -> Tensor:
        """α_W ‖W‖² + α_c ‖c‖²."""
        total = torch.zeros((), dtype=self.x.dtype)
        for name in "Wc":
            if name in theta:
                total = total + self.alpha[name] * (theta[name] ** 2).sum()
        return total


def example(activation: str, loss: str, *, fixed: tuple[str, ...] = (), samples: int = 7, seed: int = 0) -> Reference:
    """A random problem with f = 2, d = 4, distinct α, τ ≠ 1, and two or three outputs where the loss allows."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    m = {"squared_error": 2, "cross_entropy": 3, "logistic": 1}[loss]
    x = normal(samples, 2)
    labels = torch.arange(samples)
    y = {
        "squared_error": normal(samples, 2),
        "cross_entropy": labels % 3,
        "logistic": (2.0 * (labels % 2) - 1.0)[:, None].double(),
    }[loss]
    constants = {"K": normal(4, 4), "b": normal(4), "W": normal(m, 4), "c": normal(m)}
    return Reference(
        x=x,
        y=y,
        activation=activation,
        loss=loss,
        d=4,
        m=m,
        alpha={"K": 0.03, "b": 0.07, "W": 0.11, "c": 0.19},
        tau={"K": 0.6, "b": 1.7},
        fixed={name: constants[name] for name in fixed},
    )


def gradient(function: Callable[[Tensor], Tensor], u: Tensor) -> tuple[float, Tensor]:
    """Value and gradient by automatic differentiation."""
    at = u.clone().requires_grad_()
    value = function(at)
    return float(value.detach()), torch.autograd.grad(value, at)[0]


def hessian_product(function: Callable[[Tensor], Tensor], u: Tensor, v: Tensor) -> Tensor:
    """Hessian-vector product by differentiating twice."""
    at = u.clone().requires_grad_()
    first = torch.autograd.grad(function(at), at, create_graph=True)[0]
    return torch.autograd.grad(first @ v, at)[0]
