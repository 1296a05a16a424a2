"""Hand-derived gradient and Hessian-vector product against automatic differentiation: the same numbers, ratios of time.

Run from the project's root:  .venv/bin/python -m benchmarks.gradient [depth ...]
"""

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.problem.datasets import Standardisation, load
from deeplimit.mathematics.problem.learning_problem import Problem

PAIRS = 7


def seconds(call: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def autograd_objective(network: ResidualNetwork, u: Tensor) -> Tensor:
    """Return E_n with PyTorch's graph, in the same increment coordinates."""
    problem, n = network.problem, network.depth
    parts = network.coordinates.unpack(u)
    scale = torch.full((n, 1), n**-0.5, dtype=u.dtype)
    scale[0] = 1.0
    K = torch.cumsum(parts["K"] * scale[:, :, None], 0)
    b = torch.cumsum(parts["b"] * scale, 0)
    X = problem.x
    for i in range(n):
        X = X + torch.tanh(torch.addmm(b[i], X, K[i].T)) / n
    loss = torch.nn.functional.cross_entropy(X @ parts["W"].T + parts["c"], problem.y)
    alpha = problem.regularisation.alpha
    return loss + sum((alpha[name] * part.square().sum() for name, part in parts.items()), start=torch.zeros(()))


def compare(depth: int) -> None:
    """Print the ratios at one depth, on breast_cancer (S = 569, d = 30, tanh, softmax)."""
    data = load("breast_cancer")
    problem = Problem(Standardisation.fit(data.inputs).inputs(data.inputs), data.targets, loss="cross_entropy")
    network = ResidualNetwork(problem, depth)
    u = network.random(torch.Generator().manual_seed(0), 0.3)
    v = network.random(torch.Generator().manual_seed(1), 1.0)
    leaf = u.clone().requires_grad_()

    def by_graph() -> Tensor:
        return torch.autograd.grad(autograd_objective(network, leaf), leaf)[0]

    def product_by_graph() -> Tensor:
        first = torch.autograd.grad(autograd_objective(network, leaf), leaf, create_graph=True)[0]
        return torch.autograd.grad(first @ v, leaf)[0]

    def product() -> Tensor:
        return network.linearise(u).hessian_product(v)

    gap = float((network.evaluate(u).gradient - by_graph()).norm() / by_graph().norm())
    gap_product = float((product() - product_by_graph()).norm() / product_by_graph().norm())
    gradients = [seconds(by_graph) / seconds(lambda: network.evaluate(u)) for _ in range(PAIRS)]
    products = [seconds(product_by_graph) / seconds(product) for _ in range(PAIRS)]
    print(
        f"n = {depth:4d}: autograd/ours  gradient {statistics.median(gradients):.2f} (agree to {gap:.0e}),"
        f"  linearise + Hessian product {statistics.median(products):.2f} (agree to {gap_product:.0e})"
    )


if __name__ == "__main__":
    for argument in sys.argv[1:] or ["16", "64", "256"]:
        compare(int(argument))
