"""What one gradient takes at the least of dense products and tanh, whoever arranges them.

Per layer: one product with the bias added, one tanh, and two products backward, for the costate and for the derivative
by K. Every array is there beforehand, and nothing else is computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from deeplimit.mathematics.problem.learning_problem import Problem


def products_and_tanh(problem: Problem, depth: int) -> Callable[[], None]:
    """Return a call that makes the products and tanh of one gradient of a network of this depth."""
    x = problem.x
    samples, d = x.shape
    K = x.new_full((depth, d, d), 0.1)
    b = x.new_full((depth, d), 0.1)
    states = x.new_full((depth, samples, d), 0.1)
    costate, slope, by_K = torch.empty_like(x), x.clone(), torch.empty_like(K)

    def call() -> None:
        for i in range(depth):
            torch.addmm(b[i], x, K[i].T, out=states[i])
            torch.tanh(states[i], out=states[i])
        for i in range(depth - 1, -1, -1):
            torch.mm(slope, K[i], out=costate)
            torch.mm(slope.T, states[i], out=by_K[i])

    return call
