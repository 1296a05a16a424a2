"""What an objective asks of a kernel: forward map, adjoint, tangent and second-order adjoint.

A kernel sees the layered map as Q stages, Q = steps · stages per step, stage j with its own K_j (d, d) and b_j (d,).
Shapes are those of blocks σ(K X + b); two-layer blocks have K (2w, d), and w entries of b, z, a, σ'(z) and δ.

It knows nothing of regularisation, coordinates or terminal losses; a running cost ρ Σ_s ∫‖X_s‖² dt is part of it, by
the quadrature of its own weights, and every costate and gradient contains it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from torch import Tensor

from deeplimit.mathematics.kernels.activations import Activation
from deeplimit.mathematics.kernels.tableau import Tableau
from deeplimit.mathematics.watch import paced


@dataclass
class Trajectory:
    """What a forward pass keeps, for S samples.

    Attributes
    ----------
    states
        (steps + 1, S, d): X_0 … X_N.
    inputs
        (Q, S, d): the state each stage reads; where that is a node's own, a view of ``states``.
    z, a
        (Q, S, d): K_j Y_j + b_j and σ of it.
    """

    states: Tensor
    inputs: Tensor
    z: Tensor
    a: Tensor


@dataclass
class Adjoint:
    """What a backward pass keeps.

    Attributes
    ----------
    costates
        (steps + 1, S, d): p_i = ∂/∂X_i of the terminal term and the running cost from there on.
    kappa
        (Q, S, d): derivative by the stage's value, divided by the step.
    slope
        (Q, S, d): σ'(z).
    delta
        (Q, S, d): σ'(z) ⊙ the derivative by a, divided by the step.
    gradient_K, gradient_b
        (Q, d, d) and (Q, d): derivatives by the stages' parameters, summed over samples.
    """

    costates: Tensor
    kappa: Tensor
    slope: Tensor
    delta: Tensor
    gradient_K: Tensor
    gradient_b: Tensor


@dataclass
class Tangent:
    """Directional derivatives of a trajectory: of the last state (S, d), the stage inputs and z (Q, S, d)."""

    final: Tensor
    inputs: Tensor
    z: Tensor


@dataclass
class Gradients:
    """What one evaluation needs of its samples, S of them.

    Attributes
    ----------
    terminal
        The sum of the terminal losses.
    running
        The running cost.
    by_name
        Derivatives of terminal/S and the running cost by K (Q, d, d), b (Q, d), W (m, d) and c (m,).
    """

    terminal: float
    running: float
    by_name: dict[str, Tensor]


@dataclass(frozen=True)
class Increments:
    """How flat coordinates u = (u_K, u_b, W, c) give the parameters of Euler's layers, and how they are penalised.

    A_i = first · u_0 + rest · Σ_{0 < j ≤ i} u_j for A in {K, b}, and weight · ‖·‖² for each of the four parts.
    """

    first: tuple[float, float]
    rest: tuple[float, float]
    weights: tuple[float, ...]
    outputs: int


class Kernel(ABC):
    """``steps`` equal steps of a method over [0, T], with their derivatives; ``running`` is the running cost's ρ.

    ρ h Σ_q b_j ‖Y_q‖² is what the method makes of ρ ∫‖X‖² as one more state.

    Attributes
    ----------
    call
        What calling one stage costs, forward and back, in numbers of z that a gradient takes as long for.
    again
        What a forward pass costs, as a share of a gradient.
    refilled
        The same of a pass that finds its z and a kept; ``again`` where that is not done.
    """

    name: ClassVar[str] = "torch"
    """As in a specification."""
    call: ClassVar[float] = 1500.0
    again: ClassVar[float] = 0.42
    refilled: ClassVar[float] = again

    def __init__(
        self, tableau: Tableau, steps: int, activation: Activation, *, horizon: float = 1.0, running: float = 0.0
    ) -> None:
        self.tableau = tableau
        self.steps = steps
        self.stages = tableau.stages
        self.h = horizon / steps
        self.activation = activation
        self.running = running

    def work_in(self, evaluators: dict[object, Any]) -> None:  # noqa: B027 - most kernels keep no memory to work in
        """Share the memory to work in with the other kernels of a problem."""

    def forth(self, x: Tensor, width: int) -> Iterable[int]:
        """Go through the steps of samples x (S, d), with a look at the watches now and then."""
        return paced(range(self.steps), self.stages * x.numel() * width)

    def back(self, x: Tensor, width: int) -> Iterable[int]:
        """Go through them from the last to the first."""
        return paced(range(self.steps - 1, -1, -1), self.stages * x.numel() * width)

    def part(self, steps: int) -> Self:
        """Return ``steps`` of the steps, as long as they are."""
        part = copy(self)
        part.steps = steps
        return part

    def shortened(self, steps: int) -> Self:
        """Return the first ``steps`` of the steps, as long as they are, without the running cost."""
        part = self.part(steps)
        part.running = 0.0
        return part

    def gradients(self, theta: Mapping[str, Tensor], x: Tensor, y: Tensor, loss: str) -> Gradients | None:
        """Return what an evaluation needs of samples x (S, d) with targets y, if the kernel does it in one go.

        ``theta`` holds K, b, W and c, and ``loss`` names the terminal loss. The gradients may lie in memory that the
        next call writes to. A kernel that goes forward and back, with the loss in between, returns None.
        """
        del theta, x, y, loss
        return None

    def hessian_product(
        self, theta: Mapping[str, Tensor], direction: Mapping[str, Tensor], x: Tensor, y: Tensor, loss: str
    ) -> dict[str, Tensor] | None:
        """Return the derivatives, by name, of what ``gradients`` returns, along a direction of K, b, W and c.

        As with ``gradients``, a kernel that needs the terminal loss's derivatives in between returns None.
        """
        del theta, direction, x, y, loss
        return None

    def objective(
        self, layout: Increments, u: Tensor, x: Tensor, y: Tensor, loss: str
    ) -> tuple[list[float], Tensor] | None:
        """Return the objective's terms and its gradient in u, if the kernel does even that in one go.

        Terms are in a fixed order: terminal loss, running cost, those of K, b, W and c; then the gradient's norm.
        """
        del layout, u, x, y, loss
        return None

    def product(self, layout: Increments, u: Tensor, v: Tensor, x: Tensor, y: Tensor, loss: str) -> Tensor | None:
        """Return the product of the objective's Hessian at u with v, if the kernel does even that in one go."""
        del layout, u, v, x, y, loss
        return None

    def objectives(
        self, layout: Increments, rows: Tensor, x: Tensor, y: Tensor, loss: str
    ) -> tuple[list[list[float]], Tensor] | None:
        """Return the same for many u, the rows (B, length), if the kernel does that in one go."""
        del layout, rows, x, y, loss
        return None

    def numbers_kept(self, state_dim: int, width: int) -> int:
        """Return how many numbers of a sample and a step a gradient keeps, of its trajectory and on its way back."""
        return self._trajectory(state_dim, width) + 2 * state_dim + self.stages * (2 * width + state_dim)

    def numbers_of_values(self, state_dim: int, width: int) -> int:
        """Return how many of them are z and a, beside which the rest is soon made again: 0 where it is not."""
        del state_dim, width
        return 0

    def numbers_beside(self, state_dim: int, width: int) -> int:
        """Return how many numbers of a sample a gradient needs beside those of its steps."""
        del width
        return 2 * state_dim

    def _trajectory(self, state_dim: int, width: int) -> int:
        inputs = 0 if self.tableau.c in {(0.0,), (1.0,)} else self.stages * state_dim
        return state_dim + inputs + 2 * self.stages * width + (self.stages * state_dim if self.running else 0)

    def running_cost(self, trajectory: Trajectory) -> Tensor:
        """Return ρ h Σ_q b_j ‖Y_q‖², summed over samples, a scalar tensor."""
        squares = trajectory.inputs.square().sum((1, 2)).view(self.steps, self.stages)
        return (squares @ squares.new_tensor(self.tableau.b)).sum() * (self.running * self.h)

    def room(self, x: Tensor, width: int, valued: int) -> Trajectory:
        """Return the least buffers that a gradient by x (S, d) needs, with z and a of ``valued`` steps."""
        shape = (valued * self.stages, len(x), width)
        return self._around(x, x.new_empty(shape), x.new_empty(shape))

    def refill(self, run: Trajectory, x: Tensor) -> None:
        """Fill states and inputs from x (S, d) and the values z and a that ``run`` has.

        Raises
        ------
        NotImplementedError
            Where no values are kept, ``numbers_of_values`` being 0.
        """
        raise NotImplementedError

    def propagate(self, K: Tensor, b: Tensor, x: Tensor, room: Trajectory) -> Tensor:
        """Return X_N (S, d) alone, from x (S, d); the buffers may be written into, and the state be one of them."""
        return self.forward(K, b, x, room).states[-1]

    @abstractmethod
    def forward(self, K: Tensor, b: Tensor, x: Tensor, reuse: Trajectory | None = None) -> Trajectory:
        """Propagate x (S, d) through Q stages; the buffers of ``reuse`` are written into if they fit."""

    @abstractmethod
    def backward(self, trajectory: Trajectory, K: Tensor, p: Tensor) -> Adjoint:
        """Propagate the final costate p (S, d) back to X_0."""

    def gradient(self, trajectory: Trajectory, K: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        """Return the adjoint's parameter gradients alone; the trajectory's z may be overwritten."""
        by_K, by_b, _ = self.pull_back(trajectory, K, p)
        return by_K, by_b

    def pull_back(self, trajectory: Trajectory, K: Tensor, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what ``gradient`` does and the costate of X_0 (S, d); the trajectory's z may be overwritten."""
        adjoint = self.backward(trajectory, K, p)
        return adjoint.gradient_K, adjoint.gradient_b, adjoint.costates[0]

    @abstractmethod
    def tangent(self, trajectory: Trajectory, slope: Tensor, K: Tensor, dK: Tensor, db: Tensor) -> Tangent:
        """Differentiate the trajectory along (dK, db)."""

    @abstractmethod
    def second_adjoint(
        self, trajectory: Trajectory, adjoint: Adjoint, tangent: Tangent, K: Tensor, dK: Tensor, dp: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Differentiate ``gradient_K`` and ``gradient_b`` along (dK, db), with dp the change of the final costate."""

    def _buffers(self, x: Tensor, b: Tensor, reuse: Trajectory | None) -> Trajectory:
        """Return ``reuse`` if it was made for as many samples, or else new buffers."""
        if reuse is not None and reuse.states.shape[1] == len(x):
            return reuse
        return Kernel.room(self, x, b.shape[1], self.steps)

    def _around(self, x: Tensor, z: Tensor, a: Tensor) -> Trajectory:
        """Return z and a with new buffers of states and inputs."""
        states = x.new_empty((self.steps + 1, *x.shape))
        at_nodes: dict[tuple[float, ...], Tensor] = {(0.0,): states[:-1], (1.0,): states[1:]}
        inputs = at_nodes.get(self.tableau.c)
        if inputs is None:
            inputs = x.new_empty((self.steps * self.stages, *x.shape))
        return Trajectory(states, inputs, z, a)
