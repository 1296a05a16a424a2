"""The objective E(θ) = (1/S) Σ_s L(h(W X_N + c), y_s) + Σ_A α_A R(A) of either problem, in increment coordinates.

A regime may add a running cost, which is a part of the kernel.

``DiscretisedObjective`` is the residual network's objective when its kernel is Euler and its stage map the cumulative
sum, and the continuum's when they are Runge-Kutta and a basis (residual_network.py, flow.py). The mean over samples
stands where Thorpe and van Gennip sum, which rescales α by S.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.kernels.checkpoints import CheckpointedKernel, nodes
from deeplimit.mathematics.kernels.kernel import Adjoint, Increments, Kernel, Trajectory
from deeplimit.mathematics.model.coordinates import DiscreteIncrements, StageMap
from deeplimit.mathematics.model.parts import cheapest_parts
from deeplimit.mathematics.problem.learning_problem import LAYERED, PARAMETERS, Problem
from deeplimit.mathematics.watch import look

_ARRAYS: Final = 13
"""Arrays of (Q, S, d) numbers that a Hessian-vector product keeps: trajectory, adjoint and tangent, its own, copies."""
_TERMS: Final = ("terminal", "running", *PARAMETERS)

_SWEPT: Final = 18
"""The same of a trajectory and its adjoint of fused kernels: nine, and those of the part before until they are done."""
_LANES: Final = 16
"""Samples that the fused kernel goes through at once, at least."""


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
    norm
        ‖∂E/∂u‖ where it was computed with it, else None.
    """

    objective: float
    terms: dict[str, float]
    gradient: Tensor
    norm: float | None = None

    @classmethod
    def of(cls, numbers: list[float], gradient: Tensor) -> Evaluation:
        """Return it from its terms in the order above with the norm behind them, as kernels give them."""
        *terms, norm = numbers
        return cls(sum(terms), dict(zip(_TERMS, terms, strict=True)), gradient, norm)

    @classmethod
    def unknown(cls, u: Tensor) -> Evaluation:
        """Return what is known of a point (length,) that there was no time to evaluate: nothing, every number NaN."""
        return cls(math.nan, dict.fromkeys(_TERMS, math.nan), u.new_full((), math.nan).expand_as(u), math.nan)


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

    def pack(self, parts: Mapping[str, Tensor]) -> Tensor:
        """Return the flat vector of the trained parts."""
        return torch.cat([parts[name].reshape(-1) for name in self.slices])


class DiscretisedObjective:
    """E as a function of the flat vector u, with exact first and second derivatives of the discrete scheme."""

    def __init__(self, problem: Problem, kernel: Kernel, stage_map: StageMap, size: int) -> None:
        self.problem = problem
        self.kernel = kernel
        self.coordinates = Coordinates(problem, size)
        self.stage_map = stage_map
        self._stages = kernel.steps * kernel.stages
        numbers = problem.memory.of_gradient / problem.x.element_size()
        self.parts = cheapest_parts(kernel, problem.samples, problem.state_dim, problem.width, numbers)
        self.layout = self._increments()

    def evaluate(self, u: Tensor) -> Evaluation:
        """Return E, its terms and ∂E/∂u."""
        look()
        if self.layout is not None:
            found = self.kernel.objective(self.layout, u, self.problem.x, self.problem.y, self.problem.loss.name)
            if found is not None:
                return Evaluation.of(*found)
        theta = self.stage_parameters(u)
        whole = self.kernel.gradients(theta, self.problem.x, self.problem.y, self.problem.loss.name)
        if whole is not None:
            return self._regularise(u, whole.terminal / self.problem.samples, whole.running, whole.by_name)
        gradient = {name: torch.zeros_like(theta[name]) for name in self.problem.trained}
        terminal, running = u.new_zeros(()), u.new_zeros(())
        add = self._add_whole if self.parts.steps >= self.kernel.steps else self._add_checkpointed
        for x, y in zip(
            *(torch.split(part, self.parts.samples) for part in (self.problem.x, self.problem.y)), strict=True
        ):
            look()
            of_loss, of_states = add(theta, x, y, gradient)
            terminal += of_loss
            running += of_states
        return self._regularise(u, float(terminal) / self.problem.samples, float(running), gradient)

    def value(self, u: Tensor) -> float:
        """Return E alone: a forward pass without its adjoint."""
        parts = self.coordinates.unpack(u)
        total = sum(self.problem.weight(name) * float(part.square().sum()) for name, part in parts.items())
        theta = self.stage_parameters(u)
        if not self.problem.regime.running_cost:
            z = read_out(theta, self._final(theta, self.problem.x))
            return total + float(self.problem.loss.total(z, self.problem.y)) / self.problem.samples
        for x, y in self.chunks():
            look()
            run = self.kernel.forward(theta["K"], theta["b"], x)
            z = read_out(theta, run.states[-1])
            total += float(self.problem.loss.total(z, y)) / self.problem.samples
            total += float(self.kernel.running_cost(run))
        return total

    def linearise(self, u: Tensor) -> Linearisation:
        """Return what Hessian-vector products at u need."""
        return Linearisation(self, u)

    def trajectory(self, u: Tensor, x: Tensor) -> Tensor:
        """Return the states X_0 … X_N (N + 1, S', d) from lifted inputs x (S', d)."""
        return self._nodes(self.stage_parameters(u), x, 1)

    def final(self, u: Tensor, x: Tensor) -> Tensor:
        """Return X_N (S', d) from lifted inputs x (S', d), in parts of bounded memory."""
        return self._final(self.stage_parameters(u), x)

    def output(self, u: Tensor, x: Tensor) -> Tensor:
        """Return the linear output W X_N + c (S', m) from lifted inputs x (S', d), in parts of bounded memory."""
        theta = self.stage_parameters(u)
        return read_out(theta, self._final(theta, x))

    def stage_parameters(self, u: Tensor) -> dict[str, Tensor]:
        """Return K (Q, d, d), b (Q, d), W (m, d) and c (m,) as the kernel reads them, fixed ones included."""
        return self._stage_values(u, self.problem.fixed)

    def directions(self, v: Tensor) -> dict[str, Tensor]:
        """Return the stage values of a direction v, zero for fixed parameters."""
        return self._stage_values(v, {name: torch.zeros_like(value) for name, value in self.problem.fixed.items()})

    def chunk_size(self) -> int:
        """Return how many samples are gone through at once, with every array kept.

        All, where Hessian-vector products find them kept, or else a part that is worth its calls; of the fused kernel,
        whose products keep nothing, no fewer samples than fill its lanes, which would take as much.
        """
        problem, fused = self.problem, self.kernel.name == "fused"
        beside = self.kernel.numbers_beside(problem.state_dim, problem.width)
        fitting = samples_at_once(problem, self._stages, beside)
        if problem.samples <= fitting and not fused:
            return fitting
        swept = samples_at_once(problem, self._stages, beside, _SWEPT, problem.memory.of_sweep)
        return max(_LANES, swept // _LANES * _LANES) if fused else min(swept, fitting)

    def chunks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the lifted inputs and targets in parts of bounded memory."""
        size = self.chunk_size()
        return zip(torch.split(self.problem.x, size), torch.split(self.problem.y, size), strict=True)

    def sweep(self, theta: dict[str, Tensor], x: Tensor, y: Tensor) -> tuple[Trajectory, Adjoint]:
        """Return trajectory and adjoint of some samples; costates are derivatives of the mean over all samples."""
        look()
        self.problem.workspace.release()
        run = self.kernel.forward(theta["K"], theta["b"], x)
        r = self.problem.loss.gradient(read_out(theta, run.states[-1]), y).div_(self.problem.samples)
        return run, self.kernel.backward(run, theta["K"], r @ theta["W"])

    def by_coordinates(self, data: Mapping[str, Tensor], u: Tensor) -> Tensor:
        """Return the flat gradient in u from the data's by stage values, with 2α u of the regularisers.

        The regularisers are quadratic, so that a Hessian-vector product is the same of a direction and its product.
        """
        flat = self.coordinates.pack(self._layerwise(data, self.stage_map.transpose))
        for name, part in self.coordinates.slices.items():
            flat[part].add_(u[part], alpha=2.0 * self.problem.weight(name))
        return flat

    def _increments(self) -> Increments | None:
        """Return how u gives Euler's layers, where it gives all of them by increments."""
        problem, stages = self.problem, self.stage_map
        if type(stages) is not DiscreteIncrements or problem.fixed:
            return None
        return Increments(
            first=(problem.tau("K") ** -0.5, problem.tau("b") ** -0.5),
            rest=(1.0 / stages.scale, 1.0 / stages.scale),
            weights=tuple(problem.weight(name) for name in PARAMETERS),
            outputs=problem.output_dim,
        )

    def _layerwise(self, parts: Mapping[str, Tensor], function: Callable[[Tensor, float], Tensor]) -> dict[str, Tensor]:
        """Return the parts by name; of those that depend on the layer, ``function`` of the part and its τ."""
        return {
            name: function(part, self.problem.tau(name)) if name in LAYERED else part for name, part in parts.items()
        }

    def _encoded(self, parameters: object, function: Callable[[Tensor, float], Tensor]) -> Tensor:
        """Return flat coordinates (length,) of parameters by attribute, ``function`` giving those of K and b."""
        trained = {name: getattr(parameters, name) for name in self.problem.trained}
        return self.coordinates.pack(self._layerwise(trained, function))

    def _stage_values(self, u: Tensor, fixed: Mapping[str, Tensor]) -> dict[str, Tensor]:
        values = self._layerwise(self.coordinates.unpack(u), self.stage_map.apply)
        for name, value in fixed.items():
            values[name] = value.expand(self._stages, *value.shape) if name in LAYERED else value
        return values

    def _final(self, theta: dict[str, Tensor], x: Tensor) -> Tensor:
        parts = torch.split(x, samples_at_once(self.problem, self.kernel.stages))
        return torch.cat([self._nodes(theta, part, self.kernel.steps)[-1] for part in parts])

    def _nodes(self, theta: dict[str, Tensor], x: Tensor, every: int) -> Tensor:
        look()
        self.problem.workspace.release()
        allowed = self.problem.memory.of_forward
        return nodes(self.kernel, lambda part: (theta["K"][part], theta["b"][part]), x, every, allowed)

    def _add_whole(
        self, theta: dict[str, Tensor], x: Tensor, y: Tensor, gradient: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Add some samples' data gradient by stage values into ``gradient``; return terminal sum and running cost."""
        workspace = self.problem.workspace
        room = workspace.take(self, len(x))
        if room is None:
            room = self.kernel.room(x, self.problem.width, self.kernel.steps)
        run = self.kernel.forward(theta["K"], theta["b"], x, room)
        running = self.kernel.running_cost(run) if self.problem.regime.running_cost else x.new_zeros(())
        terminal, p = self._read(theta, run.states[-1], y, gradient)
        if self.problem.varying:
            _add_layered(gradient, self.kernel.gradient(run, theta["K"], p))
        workspace.leave(self, run)
        return terminal, running

    def _add_checkpointed(
        self, theta: dict[str, Tensor], x: Tensor, y: Tensor, gradient: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """As ``_add_whole``, with states between checkpoints computed again on the way back."""
        workspace = self.problem.workspace
        kernel = CheckpointedKernel(self.kernel, self.parts.steps, self.parts.values)
        kept = kernel.forward(theta["K"], theta["b"], x, workspace.take(self, len(x)))
        terminal, p = self._read(theta, kept.final, y, gradient)
        if self.problem.varying:
            kernel.add_gradient(kept, theta["K"], theta["b"], p, gradient)
        workspace.leave(self, kept.room)
        return terminal, kept.running

    def _read(
        self, theta: dict[str, Tensor], final: Tensor, y: Tensor, gradient: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Add the readout's derivatives into ``gradient``; return the terminal sum and the final costate."""
        z = read_out(theta, final)
        r = self.problem.loss.gradient(z, y).div_(self.problem.samples)
        if "W" in gradient:
            gradient["W"].addmm_(r.T, final)
        if "c" in gradient:
            gradient["c"].add_(r.sum(0))
        return self.problem.loss.total(z, y), r @ theta["W"]

    def _regularise(self, u: Tensor, terminal: float, running: float, gradient: Mapping[str, Tensor]) -> Evaluation:
        flat = self.by_coordinates({name: gradient[name] for name in self.problem.trained}, u)
        terms = {"terminal": terminal, "running": running, **dict.fromkeys(PARAMETERS, 0.0)}
        for name, part in self.coordinates.slices.items():
            values = u[part]
            terms[name] = self.problem.weight(name) * float(torch.dot(values, values))
        return Evaluation(sum(terms.values()), terms, flat)


class Linearisation:
    """The Hessian of E at one point, as products.

    A kernel that goes through samples in one go needs nothing but the point. Of others the trajectory and its adjoint
    are kept when the samples fit one part, and computed again for every product when
    they do not, so that memory stays bounded.
    """

    def __init__(self, objective: DiscretisedObjective, u: Tensor) -> None:
        self._objective, self._u = objective, u.clone()

    def hessian_product(self, v: Tensor) -> Tensor:
        """Return ∇²E(u) v for a flat direction v."""
        look()
        objective, problem = self._objective, self._objective.problem
        if objective.layout is not None:
            found = objective.kernel.product(objective.layout, self._u, v, problem.x, problem.y, problem.loss.name)
            if found is not None:
                return found
        direction = objective.directions(v)
        whole = objective.kernel.hessian_product(self._theta, direction, problem.x, problem.y, problem.loss.name)
        if whole is not None:
            return objective.by_coordinates({name: whole[name] for name in problem.trained}, v)
        gradient = {name: torch.zeros_like(self._theta[name]) for name in problem.trained}
        for index, (x, y) in enumerate(objective.chunks()):
            look()
            run, adjoint = self._kept[index] if self._kept is not None else self._prepare(x, y)
            self._add(direction, run, adjoint, y, gradient)
        return objective.by_coordinates(gradient, v)

    @cached_property
    def _theta(self) -> dict[str, Tensor]:
        return self._objective.stage_parameters(self._u)

    @cached_property
    def _kept(self) -> list[tuple[Trajectory, Adjoint]] | None:
        """Trajectory and adjoint of all samples, where they fit one part."""
        return [self._prepare(x, y) for x, y in self._objective.chunks()] if self._single() else None

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
        z = read_out(theta, final)
        dz = torch.addmm(direction["c"], tangent.final, theta["W"].T).addmm_(final, direction["W"].T)
        r = problem.loss.gradient(z, y).div_(problem.samples)
        dr = problem.loss.hessian_product(z, y, dz).div_(problem.samples)
        if "W" in gradient:
            gradient["W"].addmm_(dr.T, final).addmm_(r.T, tangent.final)
        if "c" in gradient:
            gradient["c"].add_(dr.sum(0))
        if problem.varying:
            dp = (dr @ theta["W"]).addmm_(r, direction["W"])
            second = objective.kernel.second_adjoint(run, adjoint, tangent, theta["K"], direction["K"], dp)
            _add_layered(gradient, second)


def read_out(theta: Mapping[str, Tensor], final: Tensor) -> Tensor:
    """Return the linear output z = W X + c (S, m) of last states X (S, d)."""
    return torch.addmm(theta["c"], final, theta["W"].T)


def samples_at_once(
    problem: Problem, stages: int, beside: int = 0, arrays: int = _ARRAYS, allowed: int | None = None
) -> int:
    """Return how many samples may go through a kernel of Q stages at once, at least 1, with ``arrays`` kept there.

    ``allowed`` bytes are, unless said, those of a Hessian-vector product.
    """
    widest = -(-max(problem.state_dim, problem.width) // 4) * 4  # the fused kernel keeps whole fours of features
    entries = arrays * stages * widest + beside
    allowed = problem.memory.of_product if allowed is None else allowed
    return max(1, allowed // (entries * problem.x.element_size()))


def _add_layered(gradient: Mapping[str, Tensor], terms: tuple[Tensor, Tensor]) -> None:
    """Add a kernel's derivatives by K and b to those that are trained, in place."""
    for name, term in zip(LAYERED, terms, strict=True):
        if name in gradient:
            gradient[name].add_(term)
