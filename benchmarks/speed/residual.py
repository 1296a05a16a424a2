"""The residual network as PyTorch users write it: an ``nn.Module``, plain parameters, automatic differentiation.

`LinearLayers` has an ``nn.Linear`` for each layer, as most would. `PlainResidualNetwork` leaves out what costs that one
time for nothing: K and b are one parameter each, which optimisers step at once, and they are taken apart by ``unbind``,
whose derivative is linear in the depth where that of indexing is not. It is what the trainings compare with.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from deeplimit.mathematics.model.residual_network import DiscreteParameters
from deeplimit.mathematics.problem.learning_problem import LAYERED, PARAMETERS, Problem


class PlainResidualNetwork(nn.Module):
    """E_n of tanh layers and cross entropy, with the H¹ penalties, as a function of (K, b, W, c)."""

    def __init__(self, problem: Problem, start: DiscreteParameters) -> None:
        super().__init__()
        if problem.activation.name != "tanh" or problem.loss.name != "cross_entropy" or problem.fixed:
            raise ValueError("written for tanh, cross entropy and no fixed parameters")
        self.K, self.b, self.W, self.c = (nn.Parameter(getattr(start, name).clone()) for name in PARAMETERS)
        self._x, self._y = problem.x, problem.y
        self._alpha, self._tau = dict(problem.regularisation.alpha), dict(problem.regularisation.tau)

    def forward(self) -> Tensor:
        """Return E_n of all samples."""
        x, n = self._x, len(self.b)
        for K, b in zip(self.K.unbind(0), self.b.unbind(0), strict=True):
            x = x + torch.tanh(nn.functional.linear(x, K, b)) / n
        terminal = nn.functional.cross_entropy(nn.functional.linear(x, self.W, self.c), self._y)
        return terminal + sum((self._penalty(name) for name in PARAMETERS), start=torch.zeros_like(terminal))

    def _penalty(self, name: str) -> Tensor:
        value: Tensor = getattr(self, name)
        if name not in LAYERED:
            return self._alpha[name] * value.square().sum()
        increments = len(value) * (value[1:] - value[:-1]).square().sum()
        return self._alpha[name] * (increments + self._tau[name] * value[0].square().sum())

    def evaluate(self) -> Tensor:
        """Return E_n, detached, with its gradient in each parameter's ``grad``."""
        self.zero_grad()
        objective: Tensor = self()
        objective.backward()  # type: ignore[no-untyped-call]  # PyTorch's has no types
        return objective.detach()

    def gradient(self) -> DiscreteParameters:
        """Return the gradient in (K, b, W, c)."""
        return DiscreteParameters(*(getattr(self, name).grad for name in PARAMETERS))

    def found(self) -> DiscreteParameters:
        """Return a copy of the parameters."""
        return DiscreteParameters(*(getattr(self, name).detach().clone() for name in PARAMETERS))


class LinearLayers(nn.Module):
    """The same E_n with an ``nn.Linear`` for each layer and for the read-out."""

    def __init__(self, problem: Problem, start: DiscreteParameters) -> None:
        super().__init__()
        d, m = problem.state_dim, problem.output_dim
        self.layers = nn.ModuleList(nn.Linear(d, d, dtype=problem.dtype) for _ in range(start.depth))
        self.output = nn.Linear(d, m, dtype=problem.dtype)
        self._x, self._y = problem.x, problem.y
        self._alpha, self._tau = dict(problem.regularisation.alpha), dict(problem.regularisation.tau)
        values = [*zip(start.K, start.b, strict=True), (start.W, start.c)]
        with torch.no_grad():
            for layer, (weight, bias) in zip([*self.layers, self.output], values, strict=True):
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)

    def forward(self) -> Tensor:
        """Return E_n of all samples."""
        x, n = self._x, len(self.layers)
        for layer in self.layers:
            x = x + torch.tanh(layer(x)) / n
        total = nn.functional.cross_entropy(self.output(x), self._y)
        for name, values in {
            "K": [each.weight for each in self.layers],
            "b": [each.bias for each in self.layers],
        }.items():
            value = torch.stack(values)  # type: ignore[arg-type]  # tensors, which the module list does not say
            increments = n * (value[1:] - value[:-1]).square().sum()
            total = total + self._alpha[name] * (increments + self._tau[name] * value[0].square().sum())
        read_out = {"W": self.output.weight, "c": self.output.bias}
        return total + sum(self._alpha[name] * value.square().sum() for name, value in read_out.items())

    def evaluate(self) -> Tensor:
        """Return E_n, detached, with its gradient in each parameter's ``grad``."""
        self.zero_grad()
        objective: Tensor = self()
        objective.backward()  # type: ignore[no-untyped-call]  # PyTorch's has no types
        return objective.detach()

    def gradient(self) -> DiscreteParameters:
        """Return the gradient in (K, b, W, c)."""
        K, b = (torch.stack([getattr(each, name).grad for each in self.layers]) for name in ("weight", "bias"))
        W, c = (cast("Tensor", each.grad) for each in (self.output.weight, self.output.bias))
        return DiscreteParameters(K, b, W, c)
