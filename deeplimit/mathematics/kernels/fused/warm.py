"""Compile the fused kernel into the cache: ``python -m deeplimit.mathematics.kernels.fused.warm``."""

from __future__ import annotations

import os

import torch

from deeplimit.mathematics.kernels.activations import ACTIVATIONS
from deeplimit.mathematics.kernels.fused.cache import can_be_written, marker
from deeplimit.mathematics.kernels.fused.kernel import FusedRungeKutta
from deeplimit.mathematics.kernels.kernel import Increments
from deeplimit.mathematics.kernels.tableau import EULER


def warm() -> None:
    """Call everything once, with the types that it is always called with, and leave the marker."""
    kernel = FusedRungeKutta(EULER, 1, ACTIVATIONS["tanh"])
    K, b = torch.zeros(1, 1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    W, c, x = K[0], b[0], torch.ones(1, 1, dtype=torch.float64)
    theta = {"K": K, "b": b, "W": W, "c": c}
    kernel.gradients(theta, x, x, "squared_error")
    kernel.hessian_product(theta, theta, x, x, "squared_error")
    layout = Increments((1.0, 1.0), (1.0, 1.0), (1.0, 1.0, 1.0, 1.0), 1)
    kernel.objective(layout, torch.zeros(4, dtype=torch.float64), x, x, "squared_error")
    kernel.objectives(layout, torch.zeros(1, 4, dtype=torch.float64), x, x, "squared_error")
    run = kernel.forward(K, b, x)
    adjoint = kernel.backward(run, K, x)
    tangent = kernel.tangent(run, adjoint.slope, K, K, b)
    kernel.second_adjoint(run, adjoint, tangent, K, K, x)
    if can_be_written():
        marker().touch()


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(19)  # a fit is what the processor is for
    warm()
