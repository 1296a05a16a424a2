"""Depth sequences of weights whose class is known, and a network trained from a smooth initialisation."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from deeplimit.mathematics import Problem, Regime, Regularisation, Scaling
from deeplimit.mathematics.diagnostics.sequence.scaling import NetworkWeights

Floats = npt.NDArray[np.float64]
D = 3


def of(K: Callable[[int], Floats], b: Callable[[int], Floats], depths: Sequence[int]) -> list[NetworkWeights]:
    return [NetworkWeights({"K": K(n), "b": b(n)}) for n in depths]


def gaussian(depths: Sequence[int], beta: float, seed: int = 0) -> list[NetworkWeights]:
    """Independent layers of size n^{−β}."""
    rng = np.random.default_rng(seed)
    return of(lambda n: rng.normal(size=(n, D, D)) * n**-beta, lambda n: rng.normal(size=(n, D)) * n**-beta, depths)


def brownian(depths: Sequence[int], seed: int = 0) -> list[NetworkWeights]:
    """Layers that are the nodes of Brownian paths, a new one for each network."""
    rng = np.random.default_rng(seed)
    return of(
        lambda n: rng.normal(size=(n, D, D)).cumsum(axis=0) / np.sqrt(n),
        lambda n: rng.normal(size=(n, D)).cumsum(axis=0) / np.sqrt(n),
        depths,
    )


def smooth(depths: Sequence[int], seed: int = 0) -> list[NetworkWeights]:
    """The nodes of one smooth function."""
    return of(lambda n: smooth_path(n, (D, D), seed), lambda n: smooth_path(n, (D,), seed + 1), depths)


def smooth_path(n: int, shape: tuple[int, ...], seed: int) -> Floats:
    """A trigonometric polynomial with Gaussian coefficients, at i/n."""
    rng = np.random.default_rng(seed)
    t = (np.arange(n) / n).reshape(-1, *(1 for _ in shape))
    path = np.zeros((n, *shape))
    for k in range(4):
        cosine, sine = rng.normal(size=shape), rng.normal(size=shape)
        path += (cosine * np.cos(k * np.pi * t) + sine * np.sin(k * np.pi * t)) / (1 + k) ** 2
    return path


def odd_pair(scaling: Scaling = Scaling.H1) -> Problem:
    """Known answer C: tanh, d = 1, x = ±1, y = ±2."""
    alpha = {"K": 0.05, "b": 0.05, "W": 0.1, "c": 0.1}
    return Problem(
        [[1.0], [-1.0]], [[2.0], [-2.0]], regularisation=Regularisation(alpha), regime=Regime(scaling=scaling)
    )


def gradient_flow(K: Floats, x: Tensor, y: Tensor, steps: int = 30, rate: float = 0.2) -> tuple[Floats, Tensor]:
    """Train X_{i+1} = X_i + (1/n) tanh(K_i X_i) by gradient descent of rate n · ``rate``, and return K and all states.

    The experiment of Marion, Wu, Sander and Biau (2024), whose rate grows with n, so that the flow has a limit.
    """
    weights, n = torch.tensor(K, requires_grad=True), len(K)
    for _ in range(steps):
        loss = (_states(weights, x)[-1] - y).square().sum(1).mean()
        (gradient,) = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            weights -= rate * n * gradient
    with torch.no_grad():
        return weights.detach().numpy(), torch.stack(_states(weights, x))


def _states(K: Tensor, x: Tensor) -> list[Tensor]:
    states = [x]
    for layer in K:
        states.append(states[-1] + torch.tanh(states[-1] @ layer.T) / len(K))
    return states
