"""By how much parameters move states and predictions, to first order: the adjoint of one entry.

The derivative of e · X_i[x] in increment coordinates is what the adjoint carries back from step i with the costate e
there (Hager 2000, *Runge-Kutta methods in optimal control and the transformed adjoint system*). Its norm times a
distance in these coordinates bounds how far the entry moves.
"""

from __future__ import annotations

import torch
from torch import Tensor

from deeplimit.mathematics.kernels.kernel import Trajectory
from deeplimit.mathematics.model.objective import DiscretisedObjective, read_out
from deeplimit.mathematics.problem.learning_problem import LAYERED


def state_gradient(objective: DiscretisedObjective, u: Tensor, x: Tensor, step: int, e: Tensor) -> Tensor:
    """Return ∂(e · X_step)/∂u, flat, of one lifted input x (d,) and a direction e (d,)."""
    return _pulled_back(objective, u, x, step, e)


def prediction_gradient(objective: DiscretisedObjective, u: Tensor, x: Tensor, entry: int) -> Tensor:
    """Return ∂h_entry/∂u, flat, of the prediction h(W X_N + c) for one lifted input x (d,)."""
    theta = objective.stage_parameters(u)
    run = objective.kernel.forward(theta["K"], theta["b"], x[None])
    final = run.states[-1].clone()
    z = read_out(theta, final).requires_grad_()
    (r,) = torch.autograd.grad(objective.problem.loss.predict(z)[0, entry], z)
    gradient = _pulled_back(objective, u, x, objective.kernel.steps, (r @ theta["W"])[0], run)
    parts = objective.coordinates.unpack(gradient)
    for name, part in (("W", r.T @ final), ("c", r[0])):
        if name in parts:
            parts[name].add_(part)
    return gradient


def _pulled_back(
    objective: DiscretisedObjective, u: Tensor, x: Tensor, step: int, e: Tensor, run: Trajectory | None = None
) -> Tensor:
    """Return ∂(e · X_step)/∂u, flat; ``run`` is the trajectory of the whole kernel if there is one."""
    theta = objective.stage_parameters(u)
    data = {name: torch.zeros_like(theta[name]) for name in objective.problem.trained}
    if step and objective.problem.varying:
        kernel = objective.kernel.shortened(step)
        stages = step * kernel.stages
        K, b = (theta[name][:stages] for name in LAYERED)
        run = kernel.forward(K, b, x[None]) if run is None else run
        for name, part in zip(LAYERED, kernel.gradient(run, K, e[None]), strict=True):
            if name in data:
                data[name][:stages] = part
    return objective.by_coordinates(data, torch.zeros_like(u))
