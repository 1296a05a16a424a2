"""Sixteen starts as one batch of parameter sets against sixteen times one: CPU time on one thread, in one run.

Two moons, S = 200, d = 4, every α = 1e-3, tanh, softmax, ‖g‖ ≤ 1e-7. The two alternate;
medians are compared, with each kernel.

Run from the project's root:  .venv/bin/python -m benchmarks.starts [depth ...]
"""

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable

import torch
from sklearn.datasets import make_moons

from deeplimit.mathematics import Problem, Regularisation
from deeplimit.mathematics.minimise import Budget, Solution, minimise, minimise_together
from deeplimit.mathematics.model.batched_objective import BatchedObjective
from deeplimit.mathematics.model.residual_network import ResidualNetwork

STARTS = 16
REPEATS = 5


def two_moons(kernel: str) -> Problem:
    """Return 200 standardised samples in four dimensions, for one kernel."""
    inputs, classes = make_moons(200, noise=0.1, random_state=0)
    return Problem(
        (inputs - inputs.mean(0)) / inputs.std(0),
        classes,
        loss="cross_entropy",
        state_dim=4,
        regularisation=Regularisation(dict.fromkeys("KbWc", 1e-3)),
        kernel=kernel,
    )


def timed(call: Callable[[], list[Solution]]) -> tuple[float, list[Solution]]:
    """Return the CPU time of one call, and what it found."""
    begun = time.process_time()
    found = call()
    return time.process_time() - begun, found


def compare(problem: Problem, depth: int) -> None:
    """Print the ratio at one depth, what was evaluated, and how far the minima are apart."""
    network = ResidualNetwork(problem, depth)
    batch = BatchedObjective.of(network)
    if batch is None:
        raise TypeError("explicit layers have a batched kernel")
    generator = torch.Generator().manual_seed(0)
    starts = [network.random(generator, 0.5) for _ in range(STARTS)]
    budget, floor = Budget(1e-7), problem.curvature_floor
    minimise_together(batch, starts[:2], Budget(max_iterations=2))  # what is compiled is compiled before it is timed
    minimise(network, starts[0], Budget(max_iterations=2))
    pairs = [
        (
            timed(lambda: [minimise(network, start, budget, curvature_floor=floor) for start in starts]),
            timed(lambda: minimise_together(batch, starts, budget, curvature_floor=floor)),
        )
        for _ in range(REPEATS)
    ]
    alone, together = (statistics.median(pair[which][0] for pair in pairs) for which in (0, 1))
    one, found = pairs[0][0][1], pairs[0][1][1]
    apart = max(abs(left.objective - right.objective) for left, right in zip(one, found, strict=True))
    print(
        f"{problem.kernel_name}, n = {depth:4d}:"
        f" together {together:.3f} s, one by one {alone:.3f} s, ratio {together / alone:.3f};"
        f"  evaluations {sum(each.evaluations for each in found)} and {sum(each.evaluations for each in one)},"
        f" {max(each.evaluations for each in found)} calls;  minima differ by {apart:.0e}"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in ("torch", "fused") if importlib.util.find_spec("numba") else ("torch",):
        moons = two_moons(name)
        for argument in sys.argv[1:] or ["8"]:
            compare(moons, int(argument))
