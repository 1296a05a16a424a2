"""One gradient on a GPU: its share of what the products and tanh alone take, against autograd, and against the CPU.

S = 2000, d = 64, n = 1024, in float64 and in float32. Times are of the device, between events.

Run from the project's root:  .venv/bin/python -m benchmarks.gpu
Without CUDA it refuses; ``--on-cpu`` runs the same with a small problem on the CPU, to see that it runs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from benchmarks.speed.bound import products_and_tanh
from benchmarks.speed.measure import PASSING, RESULTS, Record
from benchmarks.speed.problems import ALPHA, START_SCALE
from benchmarks.speed.residual import PlainResidualNetwork
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.problem.learning_problem import PARAMETERS, Problem, Regularisation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REPEATS = 7


@dataclass(frozen=True)
class Size:
    """Samples, d and depth."""

    samples: int
    d: int
    depth: int


WHOLE, SMALL = Size(2000, 64, 1024), Size(50, 8, 16)
CLASSES = 10


def problem(size: Size, device: str, dtype: torch.dtype) -> Problem:
    """Return normal inputs with classes by a random linear map."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(size.samples, size.d, generator=generator, dtype=torch.float64)
    labels = (x @ torch.randn(size.d, CLASSES, generator=generator, dtype=torch.float64)).argmax(1)
    weights = Regularisation(alpha=dict.fromkeys(PARAMETERS, ALPHA))
    return Problem(
        x.numpy(),
        labels.numpy(),
        loss="cross_entropy",
        classes=CLASSES,
        regularisation=weights,
        device=device,
        dtype=dtype,
    )


def milliseconds(call: Callable[[], object], device: str) -> float:
    """Return the time of one call."""
    if device == "cpu":
        begun = time.process_time()
        call()
        return 1e3 * (time.process_time() - begun)
    first, last = (
        torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # PyTorch's has no types
        for _ in range(2)
    )
    first.record()
    call()
    last.record()
    torch.cuda.synchronize()
    return float(first.elapsed_time(last))


def measured(size: Size, device: str, dtype: torch.dtype, repeats: int = REPEATS) -> dict[str, object]:
    """Return the row of one precision."""
    given, reference = problem(size, device, dtype), problem(size, "cpu", torch.float64)
    network, same = ResidualNetwork(given, size.depth), ResidualNetwork(reference, size.depth)
    u = network.random(torch.Generator().manual_seed(0), START_SCALE)
    module = PlainResidualNetwork(given, network.parameters(u))
    calls: dict[str, Callable[[], object]] = {
        "ours": lambda: network.evaluate(u),
        "autograd": module.evaluate,
        "bound": products_and_tanh(given, size.depth),
    }
    for call in calls.values():
        call()  # compiled, allocated and chosen once
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            taken[name].append(milliseconds(call, device))
    ms = {name: statistics.median(values) for name, values in taken.items()}
    found, exact = network.evaluate(u), same.evaluate(u.to("cpu", torch.float64))
    gradient = found.gradient.to("cpu", torch.float64)
    return {
        "precision": str(dtype).removeprefix("torch."),
        "samples": size.samples,
        "d": size.d,
        "depth": size.depth,
        "ours_ms": ms["ours"],
        "share_of_bound": ms["bound"] / ms["ours"],
        "autograd": ms["autograd"] / ms["ours"],
        "objective_error": abs(found.objective - exact.objective) / abs(exact.objective),
        "gradient_error": float((gradient - exact.gradient).norm() / exact.gradient.norm()),
    }


def available() -> bool:
    """Whether there is a GPU."""
    return torch.cuda.is_available()


def main(folder: Path, *, on_cpu: bool) -> None:
    """Write a row for each precision.

    Raises
    ------
    SystemExit
        If the GPU is asked for and there is none.
    """
    if not on_cpu and not available():
        raise SystemExit("benchmarks.gpu needs CUDA and this machine has none; --on-cpu runs a small problem without")
    device = "cpu" if on_cpu else "cuda"
    card = "none" if on_cpu else torch.cuda.get_device_name()
    record = Record("gpu", folder, quick=on_cpu, card=card)
    for dtype in (torch.float64, torch.float32):
        record.add(**measured(SMALL if on_cpu else WHOLE, device, dtype))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="One gradient on a GPU.")
    parser.add_argument("--on-cpu", action="store_true", help="a small problem on the CPU")
    chosen = parser.parse_args().on_cpu
    main(PASSING if chosen else RESULTS, on_cpu=chosen)
