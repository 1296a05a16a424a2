"""Increment coordinates u of a layer-wise parameter A (K or b): R(A) = ‖u‖² exactly.

Discrete, depth n: u_0 = √τ A_0, u_i = √n (A_i − A_{i−1}), so A is a scaled cumulative sum of u.
Continuum: A(t) = u_0/√τ + ∫₀ᵗ v with v in an L²-orthonormal basis, so R_∞(A) = τ‖A(0)‖² + ∫‖A'‖² = ‖u‖².
The gradient in u is the transpose of the map u → A applied to the gradient in A: O(n), no solve.
The data term's Hessian is a compact perturbation of 2αI in these coordinates, which is why the number of quasi-Newton
iterations does not grow with depth, and the Euclidean gradient norm is the dual H¹ norm.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor


class StageMap(Protocol):
    """The linear map from coordinates (q, ...) to the values that a kernel's Q stages read, and its transpose."""

    def apply(self, u: Tensor, tau: float) -> Tensor:
        """Return the stage values (Q, ...)."""

    def transpose(self, gradient: Tensor, tau: float) -> Tensor:
        """Return the gradient in u (q, ...) from the one by stage values (Q, ...)."""


class DiscreteIncrements:
    """Coordinates of the n nodal values A_i, i = 0..n−1, which are also what Euler's stages read.

    ``scale`` stands in place of √n, for penalties of increments that are scaled otherwise.
    """

    def __init__(self, depth: int, scale: float | None = None) -> None:
        self.size = depth
        self.scale = math.sqrt(depth) if scale is None else scale

    def apply(self, u: Tensor, tau: float) -> Tensor:
        """Return A (n, ...) from u (n, ...)."""
        scaled = u * (1.0 / self.scale)
        scaled[0] = u[0] / math.sqrt(tau)
        return torch.cumsum(scaled, 0)

    def transpose(self, gradient: Tensor, tau: float) -> Tensor:
        """Return the gradient in u from the one in A, both (n, ...)."""
        out = torch.flip(torch.cumsum(torch.flip(gradient, (0,)), 0), (0,))
        first = out[0] / math.sqrt(tau)
        out.mul_(1.0 / self.scale)
        out[0] = first
        return out

    def coordinates(self, A: Tensor, tau: float) -> Tensor:
        """Return u (n, ...) from A (n, ...)."""
        u = torch.empty_like(A)
        u[0] = A[0] * math.sqrt(tau)
        torch.sub(A[1:], A[:-1], out=u[1:])
        u[1:].mul_(self.scale)
        return u

    def scale_start(self, u: Tensor) -> None:
        """Turn standard normal numbers into a start with normal √τ A_0 and √n (A_i − A_{i−1}), in place."""
        u[1:].mul_(self.scale / math.sqrt(self.size))


class LegendreIncrements:
    """Polynomials A of degree p: A' is expanded in orthonormal shifted Legendre polynomials φ_0..φ_{p−1}.

    φ_k(t) = √(2k+1) P_k(2t−1); u_0 = √τ A(0), u_{k+1} = ∫ A' φ_k. q = p + 1.
    """

    family = "legendre"

    def __init__(self, degree: int) -> None:
        self.degree = degree
        self.size = degree + 1

    def sample(self, u: Tensor, tau: float, t: Tensor) -> Tensor:
        """Return A (T, ...) at times t (T,) from u (q, ...)."""
        return _contract(self.matrix(t, tau), u)

    def derivative(self, u: Tensor, t: Tensor) -> Tensor:
        """Return A' (T, ...) at times t (T,), which does not depend on τ."""
        p = _legendre(t, self.degree)
        scale = torch.sqrt(2.0 * torch.arange(self.degree, dtype=t.dtype, device=t.device) + 1.0)
        return _contract(p[:, : self.degree] * scale, u[1:])

    def matrix(self, t: Tensor, tau: float) -> Tensor:
        """Return the (T, q) matrix that maps u to A(t).

        Notes
        -----
        ∫₀ᵗ φ_k = (P_{k+1} − P_{k−1})(2t−1) / (2 √(2k+1)) for k ≥ 1, and t for k = 0.
        """
        p = _legendre(t, self.degree + 1)
        columns = [torch.full_like(t, 1.0 / math.sqrt(tau)), t]
        columns += [(p[:, k + 1] - p[:, k - 1]) / (2.0 * math.sqrt(2.0 * k + 1.0)) for k in range(1, self.degree)]
        return torch.stack(columns[: self.size], 1)

    def coefficients(self, u: Tensor, tau: float) -> Tensor:
        """Return the coefficients of A in the plain P_k(2t−1), k = 0..p, shape (p + 1, ...)."""
        out = torch.zeros_like(u)
        out[0] += u[0] / math.sqrt(tau)
        if self.degree:
            # ∫₀ᵗ φ_0 = t = (P_0 + P_1)/2
            out[0] += 0.5 * u[1]
            out[1] += 0.5 * u[1]
        for k in range(1, self.degree):
            weight = 1.0 / (2.0 * math.sqrt(2.0 * k + 1.0))
            out[k + 1] += weight * u[k + 1]
            out[k - 1] -= weight * u[k + 1]
        return out

    def coordinates(self, coefficients: Tensor, tau: float) -> Tensor:
        """Return u from A's coefficients c in the plain P_k(2t−1), both (p + 1, ...); the inverse of ``coefficients``.

        With w_k = 1/(2√(2k+1)), c_0 = u_0/√τ + w_0 u_1 − w_1 u_2 and c_j = w_{j−1} u_j − w_{j+1} u_{j+2}, solved from
        the highest degree down.
        """
        w = [0.5 / math.sqrt(2.0 * k + 1.0) for k in range(self.degree + 2)]
        u = torch.zeros_like(coefficients)
        for j in range(self.degree, 0, -1):
            beyond = w[j + 1] * u[j + 2] if j + 2 <= self.degree else 0.0
            u[j] = (coefficients[j] + beyond) / w[j - 1]
        u[0] = coefficients[0]
        if self.degree >= 1:
            u[0] -= w[0] * u[1]
        if self.degree >= 2:
            u[0] += w[1] * u[2]
        u[0] *= math.sqrt(tau)
        return u

    def project(self, nodes: Tensor, tau: float) -> Tensor:
        """Project a piecewise-linear A with equispaced nodes (M+1, ...): A(0) is kept, A' is projected in L².

        ∫ over a cell of φ_k is exact, from the antiderivative at its ends.
        """
        cells = len(nodes) - 1
        t = torch.linspace(0.0, 1.0, cells + 1, dtype=nodes.dtype, device=nodes.device)
        antiderivative = self.matrix(t, 1.0)[:, 1:]
        u = nodes.new_empty((self.size, *nodes.shape[1:]))
        u[0] = nodes[0] * math.sqrt(tau)
        u[1:] = _contract((antiderivative[1:] - antiderivative[:-1]).T, (nodes[1:] - nodes[:-1]) * cells)
        return u

    def refine(self, u: Tensor, finer: LegendreIncrements) -> Tensor:
        """Return the same function in a basis of higher degree: the spaces are nested, zeros are appended."""
        return torch.cat([u, u.new_zeros((finer.size - self.size, *u.shape[1:]))])

    def carried(self, u: Tensor, other: LegendreIncrements) -> Tensor:
        """Return the nearest function in a basis of any degree; the adjoint of the same the other way."""
        return self.refine(u, other) if other.size >= self.size else u[: other.size]


class PiecewiseLinearIncrements(DiscreteIncrements):
    """Continuous A, linear on M equal cells: u_0 = √τ A(0), u_i = √M (A(t_i) − A(t_{i−1})). q = M + 1.

    Its coefficients are the values at the nodes i/M, which ``coordinates`` maps back.
    """

    family = "piecewise_linear"

    def __init__(self, cells: int) -> None:
        super().__init__(cells + 1, math.sqrt(cells))
        self.cells = cells

    def coefficients(self, u: Tensor, tau: float) -> Tensor:
        """Return A at the nodes, (M + 1, ...)."""
        return self.apply(u, tau)

    def sample(self, u: Tensor, tau: float, t: Tensor) -> Tensor:
        """Return A (T, ...) at times t (T,) from u (q, ...)."""
        return InterpolatedStages(self, t).apply(u, tau)

    def derivative(self, u: Tensor, t: Tensor) -> Tensor:
        """Return A' (T, ...) at times t (T,), from the right at a node."""
        return u[self.cell(t) + 1] * math.sqrt(self.cells)

    def project(self, nodes: Tensor, tau: float) -> Tensor:
        """Interpolate a piecewise-linear A with equispaced nodes (N+1, ...) at this basis' nodes."""
        t = torch.linspace(0.0, 1.0, self.size, dtype=nodes.dtype, device=nodes.device)
        other = PiecewiseLinearIncrements(len(nodes) - 1)
        return self.coordinates(other.sample(other.coordinates(nodes, 1.0), 1.0, t), tau)

    def refine(self, u: Tensor, finer: PiecewiseLinearIncrements) -> Tensor:
        """Return the interpolant on other cells: on a multiple of them the same function."""
        t = torch.linspace(0.0, 1.0, finer.size, dtype=u.dtype, device=u.device)
        return finer.coordinates(self.sample(u, 1.0, t), 1.0)

    def carried(self, u: Tensor, other: PiecewiseLinearIncrements) -> Tensor:
        """Return the interpolant on any number of cells; the adjoint of the same the other way."""
        return self.refine(u, other)

    def cell(self, t: Tensor) -> Tensor:
        """Return the index of the cell that each time (T,) is in."""
        return torch.clamp((t * self.cells).long(), 0, self.cells - 1)


ContinuumBasis = LegendreIncrements | PiecewiseLinearIncrements
"""The families that a continuum model's K and b are sought in."""


def stages_of(basis: ContinuumBasis, times: Tensor) -> StageMap:
    """Return how a kernel whose stages read A at ``times`` (Q,) gets its values."""
    return MatrixStages(basis, times) if isinstance(basis, LegendreIncrements) else InterpolatedStages(basis, times)


class InterpolatedStages:
    """Stage values of a piecewise-linear A: nodes by a cumulative sum, then linear interpolation, O(Q + q)."""

    def __init__(self, basis: PiecewiseLinearIncrements, times: Tensor) -> None:
        self._basis = basis
        self._cell = basis.cell(times)
        self._weight = times * basis.cells - self._cell

    def apply(self, u: Tensor, tau: float) -> Tensor:
        """Return A at the stage times, (Q, ...)."""
        nodes = self._basis.apply(u, tau)
        weight = self._weight.view(-1, *[1] * (nodes.ndim - 1))
        return torch.lerp(nodes.index_select(0, self._cell), nodes.index_select(0, self._cell + 1), weight)

    def transpose(self, gradient: Tensor, tau: float) -> Tensor:
        """Return the gradient in u, (q, ...)."""
        upper = gradient * self._weight.view(-1, *[1] * (gradient.ndim - 1))
        by_node = gradient.new_zeros((self._basis.size, *gradient.shape[1:]))
        by_node.index_add_(0, self._cell, gradient - upper).index_add_(0, self._cell + 1, upper)
        return self._basis.transpose(by_node, tau)


class MatrixStages:
    """Stage values of a polynomial A: a (Q, q) matrix."""

    def __init__(self, basis: LegendreIncrements, times: Tensor) -> None:
        self._columns = basis.matrix(times, 1.0)

    def apply(self, u: Tensor, tau: float) -> Tensor:
        """Return A at the stage times, (Q, ...)."""
        return _contract(self._columns, self._scaled(u, tau))

    def transpose(self, gradient: Tensor, tau: float) -> Tensor:
        """Return the gradient in u, (q, ...)."""
        return self._scaled(_contract(self._columns.T, gradient), tau)

    @staticmethod
    def _scaled(u: Tensor, tau: float) -> Tensor:
        if tau == 1.0:
            return u
        u = u.clone()
        u[0] /= math.sqrt(tau)
        return u


def _contract(matrix: Tensor, values: Tensor) -> Tensor:
    """Return the (T, q) matrix times values (q, ...), shape (T, ...)."""
    return (matrix @ values.reshape(len(values), math.prod(values.shape[1:]))).view(-1, *values.shape[1:])


def _legendre(t: Tensor, degree: int) -> Tensor:
    """Return P_k(2t−1), k = 0..degree, as (T, degree + 1), by the three-term recurrence."""
    x = 2.0 * t - 1.0
    columns = [torch.ones_like(x), x]
    for k in range(1, degree):
        columns.append(((2 * k + 1) * x * columns[k] - k * columns[k - 1]) / (k + 1))
    return torch.stack(columns[: degree + 1], 1)
