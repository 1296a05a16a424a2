"""The objective E(θ) = (1/S) Σ_s L(h(W X_N + c), y_s) + Σ_A α_A R(A) of either problem, in increment coordinates.

``DiscretisedObjective`` is the residual network's objective when its kernel is Euler and its stage map the cumulative
sum, and the continuum's when they are Runge-Kutta and a basis (residual_network.py, flow.py). The mean over samples
stands where Thorpe and van Gennip sum, which rescales α by S.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from worker.deeplimit.kernels.kernel import Adjoint, Kernel, Trajectory
from worker.deeplimit.model.coordinates import StageMap
from worker.deeplimit.problem.learning_problem import LAYERED, PARAMETERS, Problem

_CHUNK_BYTES: Final = 96 * 2**20
"""Bytes of one (Q, S, d) array above which the samples are gone through in parts; a gradient keeps about four."""


@dataclass(frozen=True)
class Evaluation:
    """E at a point.

    Attributes
    ----------
    objective
        E, the sum of ``terms``.
    terms
        ``terminal`` (the mean terminal loss), ``running`` (the running cost, 0 in the paper's problem) and α_A R(A)
        for each trained parameter A, 0 for a fixed one.
    gradient
        ∂E/∂u, flat.
    """

    objective: float
    terms: dict[str, float]
    gradient: Tensor


class Coordinates:
    """Where each trained parameter sits in the flat vector u = (u_K, u_b, W, c), q coordinates for K and b each."""

    def __init__(self, problem: Problem, size: int) -> None:
        self._problem = problem
        self.slices: dict[str, slice] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        start = 0
        for name in problem.trained:
            shape = (size, *problem.shapes[name]) if name in LAYERED else problem.shapes[name]
            count = torch.Size(shape).numel()
            self.slices[name], self.shapes[name] = slice(start, start + count), shape
            start += count
        self.length = start

    def unpack(self, u: Tensor) -> dict[str, Tensor]:
        """Return views of the trained parts of u (length,) by name."""
        return {name: u[part].view(self.shapes[name]) for name, part in self.slices.items()}

    def pack(self, parts: dict[str, Tensor]) -> Tensor:
        """Return the flat vector of the trained parts."""
        return torch.cat([parts[name].reshape(-1) for name in self.slices])


class DiscretisedObjective:
    """E as a function of the flat vector u, with exact first and second derivatives of the discrete scheme."""

    def __init__(self, problem: Problem, kernel: Kernel, stage_map: StageMap, size: int) -> None:
        self.problem = problem
        self.kernel = kernel
        self.coordinates = Coordinates(problem, size)
        self._stage_map = stage_map
        self._buffers: Trajectory | None = None

    def evaluate(self, u: Tensor) -> Evaluation:
        """Return E, its terms and ∂E/∂u."""
        theta = self.stage_parameters(u)
        gradient = {name: torch.zeros_like(theta[name]) for name in self.problem.trained}
        terminal, running = u.new_zeros(()), u.new_zeros(())
        for x, y in self.chunks():
            run = self._buffers = self.kernel.forward(theta["K"], theta["b"], x, self._buffers)
            if self.problem.regime.running_cost:
                running += self.kernel.running_cost(run)
            terminal += self._accumulate(theta, run, y, gradient)
        return self._regularise(u, terminal / self.problem.samples, running, gradient)

    def value(self, u: Tensor) -> float:
        """Return E alone: a forward pass without its adjoint."""
        parts = self.coordinates.unpack(u)
        total = sum(self.problem.weight(name) * float(part.square().sum()) for name, part in parts.items())
        theta = self.stage_parameters(u)
        for x, y in self.chunks():
            run = self.kernel.forward(theta["K"], theta["b"], x)
            z = torch.addmm(theta["c"], run.states[-1], theta["W"].T)
            total += float(self.problem.loss.total(z, y)) / self.problem.samples
            if self.problem.regime.running_cost:
                total += float(self.kernel.running_cost(run))
        return total

    def linearise(self, u: Tensor) -> Linearisation:
        """Return what Hessian-vector products at u need."""
        return Linearisation(self, u)

    def trajectory(self, u: Tensor, x: Tensor) -> Tensor:
        """Return the states X_0 … X_N (N + 1, S', d) from lifted inputs x (S', d)."""
        theta = self.stage_parameters(u)
        return self.kernel.forward(theta["K"], theta["b"], x).states

    def output(self, u: Tensor, x: Tensor) -> Tensor:
        """Return the linear output W X_N + c (S', m) from lifted inputs x (S', d), in parts of bounded memory."""
        theta = self.stage_parameters(u)
        parts = []
        for part in torch.split(x, self.chunk_size()):
            final = self.kernel.forward(theta["K"], theta["b"], part).states[-1]
            parts.append(torch.addmm(theta["c"], final, theta["W"].T))
        return torch.cat(parts)

    def stage_parameters(self, u: Tensor) -> dict[str, Tensor]:
        """Return K (Q, d, d), b (Q, d), W (m, d) and c (m,) as the kernel reads them, fixed ones included."""
        theta = self._map(self.coordinates.unpack(u))
        count = self.kernel.steps * self.kernel.stages
        for name, value in self.problem.fixed.items():
            theta[name] = value.expand(count, *value.shape) if name in LAYERED else value
        return theta

    def directions(self, v: Tensor) -> dict[str, Tensor]:
        """Return the stage values of a direction v, zero for fixed parameters."""
        parts = self._map(self.coordinates.unpack(v))
        count = self.kernel.steps * self.kernel.stages
        for name, value in self.problem.fixed.items():
            zero = torch.zeros_like(value)
            parts[name] = zero.expand(count, *value.shape) if name in LAYERED else zero
        return parts

    def chunk_size(self) -> int:
        """Return how many samples are gone through at once."""
        entries = max(self.problem.state_dim, self.problem.width)
        stage_bytes = self.kernel.steps * self.kernel.stages * entries * self.problem.x.element_size()
        return max(1, _CHUNK_BYTES // stage_bytes)

    def chunks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the lifted inputs and targets in parts of bounded memory."""
        size = self.chunk_size()
        return zip(torch.split(self.problem.x, size), torch.split(self.problem.y, size), strict=True)

    def sweep(self, theta: dict[str, Tensor], x: Tensor, y: Tensor) -> tuple[Trajectory, Adjoint]:
        """Return trajectory and adjoint of some samples; costates are derivatives of the mean over all samples."""
        run = self.kernel.forward(theta["K"], theta["b"], x)
        z = torch.addmm(theta["c"], run.states[-1], theta["W"].T)
        r = self.problem.loss.gradient(z, y).div_(self.problem.samples)
        return run, self.kernel.backward(run, theta["K"], r @ theta["W"])

    def to_coordinates(self, gradient: dict[str, Tensor]) -> dict[str, Tensor]:
        """Apply the transpose of the map u → stage values."""
        return {
            name: self._stage_map.transpose(value, self.problem.tau(name)) if name in LAYERED else value
            for name, value in gradient.items()
        }

    def _map(self, parts: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            name: self._stage_map.apply(value, self.problem.tau(name)) if name in LAYERED else value
            for name, value in parts.items()
        }

    def _accumulate(self, theta: dict[str, Tensor], run: Trajectory, y: Tensor, gradient: dict[str, Tensor]) -> Tensor:
        """Add one part's data gradient by stage values into ``gradient``; return its terminal sum."""
        final = run.states[-1]
        z = torch.addmm(theta["c"], final, theta["W"].T)
        r = self.problem.loss.gradient(z, y).div_(self.problem.samples)
        if "W" in gradient:
            gradient["W"].addmm_(r.T, final)
        if "c" in gradient:
            gradient["c"].add_(r.sum(0))
        if "K" in gradient or "b" in gradient:
            by_K, by_b = self.kernel.gradient(run, theta["K"], r @ theta["W"])
            if "K" in gradient:
                gradient["K"].add_(by_K)
            if "b" in gradient:
                gradient["b"].add_(by_b)
        return self.problem.loss.total(z, y)

    def _regularise(self, u: Tensor, terminal: Tensor, running: Tensor, gradient: dict[str, Tensor]) -> Evaluation:
        weight = {name: self.problem.weight(name) for name in self.problem.trained}
        parts = self.coordinates.unpack(u)
        flat = self.coordinates.pack(self.to_coordinates(gradient))
        for name, part in self.coordinates.slices.items():
            flat[part].add_(u[part], alpha=2.0 * weight[name])
        norms = [weight[name] * part.square().sum() for name, part in parts.items()]
        values: list[float] = torch.stack([terminal, running, *norms]).tolist()
        terms = {"terminal": values[0], "running": values[1], **dict.fromkeys(PARAMETERS, 0.0)}
        terms.update(zip(parts, values[2:], strict=True))
        return Evaluation(sum(values), terms, flat)


class Linearisation:
    """The Hessian of E at one point, as products.

    The trajectory and its adjoint are kept when the samples fit one part, and computed again for every product when
    they do not, so that memory stays bounded.
    """

    def __init__(self, objective: DiscretisedObjective, u: Tensor) -> None:
        self._objective = objective
        self._theta = objective.stage_parameters(u)
        self._kept = [self._prepare(x, y) for x, y in objective.chunks()] if self._single() else None

    def hessian_product(self, v: Tensor) -> Tensor:
        """Return ∇²E(u) v for a flat direction v."""
        objective, problem = self._objective, self._objective.problem
        direction = objective.directions(v)
        gradient = {name: torch.zeros_like(self._theta[name]) for name in problem.trained}
        for index, (x, y) in enumerate(objective.chunks()):
            run, adjoint = self._kept[index] if self._kept is not None else self._prepare(x, y)
            self._add(direction, run, adjoint, y, gradient)
        flat = objective.coordinates.pack(objective.to_coordinates(gradient))
        for name, part in objective.coordinates.slices.items():
            flat[part].add_(v[part], alpha=2.0 * problem.weight(name))
        return flat

    def _single(self) -> bool:
        return self._objective.problem.samples <= self._objective.chunk_size()

    def _prepare(self, x: Tensor, y: Tensor) -> tuple[Trajectory, Adjoint]:
        return self._objective.sweep(self._theta, x, y)

    def _add(
        self, direction: dict[str, Tensor], run: Trajectory, adjoint: Adjoint, y: Tensor, gradient: dict[str, Tensor]
    ) -> None:
        objective, problem, theta = self._objective, self._objective.problem, self._theta
        tangent = objective.kernel.tangent(run, adjoint.slope, theta["K"], direction["K"], direction["b"])
        final = run.states[-1]
        z = torch.addmm(theta["c"], final, theta["W"].T)
        dz = torch.addmm(direction["c"], tangent.final, theta["W"].T).addmm_(final, direction["W"].T)
        r = problem.loss.gradient(z, y).div_(problem.samples)
        dr = problem.loss.hessian_product(z, y, dz).div_(problem.samples)
        if "W" in gradient:
            gradient["W"].addmm_(dr.T, final).addmm_(r.T, tangent.final)
        if "c" in gradient:
            gradient["c"].add_(dr.sum(0))
        if "K" in gradient or "b" in gradient:
            dp = (dr @ theta["W"]).addmm_(r, direction["W"])
            dK, db = objective.kernel.second_adjoint(run, adjoint, tangent, theta["K"], direction["K"], dp)
            if "K" in gradient:
                gradient["K"].add_(dK)
            if "b" in gradient:
                gradient["b"].add_(db)
