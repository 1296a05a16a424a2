"""One gradient of E_n: this package's against automatic differentiation, and against the least it could take.

Also a Hessian-vector product against differentiating twice, and whether the cost is linear in the depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from benchmarks.speed.bound import products_and_tanh
from benchmarks.speed.measure import Record, in_turns, one_thread
from benchmarks.speed.problems import problem, start
from benchmarks.speed.residual import LinearLayers, PlainResidualNetwork
from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from deeplimit.mathematics.problem.learning_problem import LAYERED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

    from deeplimit.mathematics.problem.learning_problem import Problem


@dataclass(frozen=True)
class Case:
    """A data set, d, and a depth."""

    data: str
    d: int | None
    depth: int
    products: bool = False


WHOLE = (
    Case("moons", 4, 64, products=True),
    *(Case("moons", 4, depth) for depth in (256, 1024)),
    *(Case("moons", 16, depth) for depth in (64, 256)),
    Case("breast_cancer", None, 64, products=True),
    Case("digits", None, 64),
)
QUICK = (Case("moons", 4, 64, products=True), Case("moons", 16, 64), Case("breast_cancer", None, 16))
LINEAR = (16, 64, 256, 1024, 4096)
"""Depths at which the cost of one layer is compared, on two moons."""


def plain_gradient(network: ResidualNetwork, flat: Tensor) -> DiscreteParameters:
    """Return the gradient in (K, b, W, c) from the one in increment coordinates (length,): u is linear in them."""
    parts, tau = network.coordinates.unpack(flat), network.problem.regularisation.tau
    plain = dict(parts)
    for name in LAYERED:
        scaled = parts[name] * network.depth**0.5
        scaled[0] = parts[name][0] * tau[name] ** 0.5
        plain[name] = scaled - torch.cat([scaled[1:], torch.zeros_like(scaled[:1])])
    return DiscreteParameters(**plain)


def gap(left: DiscreteParameters, right: DiscreteParameters) -> float:
    """Return the distance of two gradients relative to the second."""
    one, other = (torch.cat([v.reshape(-1) for v in (p.K, p.b, p.W, p.c)]) for p in (left, right))
    return float((one - other).norm() / other.norm())


def product_by_graph(module: PlainResidualNetwork, direction: list[Tensor]) -> list[Tensor]:
    """Return the Hessian in plain parameters times a direction, by differentiating twice."""
    values = list(module.parameters())
    first = torch.autograd.grad(module(), values, create_graph=True)
    slope = sum(((g * v).sum() for g, v in zip(first, direction, strict=True)), start=torch.zeros(()))
    return list(torch.autograd.grad(slope, values))


def measured(case: Case, repeats: int) -> dict[str, object]:
    """Return the row of one case: milliseconds of ours, the others relative to it, and how far gradients agree."""
    given = problem(case.data, case.d)
    first = start(given, case.depth)
    network, module, layers = ResidualNetwork(given, case.depth), *_modules(given, first)
    u = network.encode(first)
    calls = {
        "ours": lambda: network.evaluate(u),
        "autograd": module.evaluate,
        "autograd, nn.Linear": layers.evaluate,
        "products and tanh": products_and_tanh(given, case.depth),
    }
    if case.products:
        v = network.random(torch.Generator().manual_seed(1), 1.0)
        direction = [torch.randn_like(value) for value in module.parameters()]
        calls["product"] = lambda: network.linearise(u).hessian_product(v)
        calls["product, autograd"] = lambda: product_by_graph(module, direction)
    seconds = in_turns(calls, repeats)
    exact = plain_gradient(network, network.evaluate(u).gradient)
    row: dict[str, object] = {
        "data": case.data,
        "samples": given.samples,
        "d": given.state_dim,
        "depth": case.depth,
        "ours_ms": 1e3 * seconds["ours"],
        "autograd": seconds["autograd"] / seconds["ours"],
        "autograd_linear_layers": seconds["autograd, nn.Linear"] / seconds["ours"],
        "of_bound": seconds["ours"] / seconds["products and tanh"],
        "agree": max(gap(each.gradient(), exact) for each in (module, layers)),
    }
    if case.products:
        row["product_autograd"] = seconds["product, autograd"] / seconds["product"]
        row["product_gradients"] = seconds["product"] / seconds["ours"]
    return row


def _modules(given: Problem, first: DiscreteParameters) -> tuple[PlainResidualNetwork, LinearLayers]:
    return PlainResidualNetwork(given, first), LinearLayers(given, first)


def cost_of_a_layer(depths: tuple[int, ...], repeats: int) -> Iterator[tuple[int, float]]:
    """Yield depths and the CPU seconds of a gradient per layer, on two moons."""
    given = problem("moons", 4)
    networks = {depth: ResidualNetwork(given, depth) for depth in depths}
    points = {depth: network.encode(start(given, depth)) for depth, network in networks.items()}
    calls = {f"{depth}": lambda depth=depth: networks[depth].evaluate(points[depth]) for depth in depths}
    for name, seconds in in_turns(calls, repeats).items():
        yield int(name), seconds / int(name)


def main(folder: Path, *, quick: bool) -> None:
    """Write every row."""
    record = Record("gradient", folder, quick=quick)
    repeats = 3 if quick else 7
    with one_thread():
        for case in QUICK if quick else WHOLE:
            record.add(**measured(case, repeats))
        for depth, seconds in cost_of_a_layer(LINEAR[:3] if quick else LINEAR, repeats):
            record.add(data="moons", samples=200, d=4, depth=depth, layer_us=1e6 * seconds)
