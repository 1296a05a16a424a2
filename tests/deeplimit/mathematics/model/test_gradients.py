"""Gradients and Hessian-vector products against an independent reference, and by Taylor remainders."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from deeplimit.mathematics import Problem, Regularisation
from deeplimit.mathematics.model.coordinates import LegendreIncrements, PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.model.objective import DiscretisedObjective
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.problem.memory import Memory
from tests.support.reference import LOSSES, SIGMA, Reference, example, gradient, hessian_product

FIXED = ((), ("K",), ("b",), ("W",), ("c",), ("K", "b"), ("b", "c"), ("W", "c"), ("K", "W", "c"), ("K", "b", "W"))


@dataclass(frozen=True)
class Model:
    """One objective, and what it should be."""

    build: Callable[[Problem], DiscretisedObjective]
    reference: Callable[[Reference, Tensor], Tensor]
    size: int


MODELS = {
    "network": Model(lambda p: ResidualNetwork(p, 5), lambda r, u: r.network(u, 5), 5),
    "legendre": Model(lambda p: Flow(p, LegendreIncrements(4), 3), lambda r, u: r.legendre_flow(u, 4, 3), 5),
    "piecewise linear": Model(
        lambda p: Flow(p, PiecewiseLinearIncrements(3), 6), lambda r, u: r.piecewise_linear_flow(u, 3, 6), 4
    ),
}


def problem(reference: Reference, memory: Memory | None = None, kernel: str = "auto") -> Problem:
    return Problem(
        reference.x.numpy(),
        reference.y.numpy(),
        activation=reference.activation,
        loss=reference.loss,
        regularisation=Regularisation(reference.alpha, reference.tau),
        state_dim=reference.d,
        fixed={name: value.numpy() for name, value in reference.fixed.items()},
        memory=memory,
        kernel=kernel,
    )


def normal(length: int, seed: int) -> Tensor:
    return torch.randn(length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def assert_agree(reference: Reference, size: int, left: Tensor, right: Tensor) -> None:
    """Agreement to 1e-10 relative in every trained parameter by itself."""
    ours, theirs = reference.split(left, size), reference.split(right, size)
    for name, value in theirs.items():
        assert float((ours[name] - value).norm()) <= 1e-10 * float(value.norm()), name


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", SIGMA)
def test_derivatives_agree_with_automatic_differentiation(activation: str, loss: str, model: str) -> None:
    check(example(activation, loss), MODELS[model])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fixed", FIXED, ids="".join)
@pytest.mark.parametrize(("activation", "loss"), [("tanh", "squared_error"), ("silu", "cross_entropy")])
def test_derivatives_with_fixed_parameters(activation: str, loss: str, fixed: tuple[str, ...], model: str) -> None:
    check(example(activation, loss, fixed=fixed), MODELS[model])


def check(reference: Reference, model: Model) -> None:
    ours = model.build(problem(reference))
    assert ours.coordinates.length == reference.length(model.size)
    u, v = normal(ours.coordinates.length, 1), normal(ours.coordinates.length, 2)
    value, slope = gradient(lambda at: model.reference(reference, at), u)
    evaluation = ours.evaluate(u)
    assert evaluation.objective == pytest.approx(value, rel=1e-12)
    assert sum(evaluation.terms.values()) == pytest.approx(value, rel=1e-12)
    assert all(evaluation.terms[name] == 0.0 for name in reference.fixed)
    assert_agree(reference, model.size, evaluation.gradient, slope)
    expected = hessian_product(lambda at: model.reference(reference, at), u, v)
    linearisation = ours.linearise(u)
    assert_agree(reference, model.size, linearisation.hessian_product(v), expected)
    w = normal(len(u), 3)
    symmetric = float(w @ linearisation.hessian_product(v) - v @ linearisation.hessian_product(w))
    assert abs(symmetric) <= 1e-11 * float(expected.norm() * w.norm())


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", SIGMA)
def test_taylor_remainders(activation: str, loss: str, model: str) -> None:
    """E − its linear model is O(h²), − its quadratic model O(h³), ∇E − its linear model O(h²)."""
    ours = MODELS[model].build(problem(example(activation, loss, samples=2)))
    steps = [2.0**-8, 2.0**-9, 2.0**-10]
    v = normal(ours.coordinates.length, 2)
    v /= v.norm()
    u = next(u for u in points(ours) if ours.problem.smooth or no_kinks(ours, u, [h * v for h in steps]))
    at, product = ours.evaluate(u), ours.linearise(u).hessian_product(v)
    remainders = []
    for h in steps:
        # Both signs together: the next term of the expansion then moves the observed order by O(h²) only.
        sides = []
        for step in (h, -h):
            there = ours.evaluate(u + step * v)
            linear = there.objective - at.objective - step * float(at.gradient @ v)
            slopes = there.gradient - at.gradient - step * product
            sides.append((linear, linear - 0.5 * h * h * float(v @ product), float(slopes.norm())))
        remainders.append([math.hypot(*values) for values in zip(*sides, strict=True)])
    for column, order in enumerate((2.0, 3.0, 2.0)):
        values = [row[column] for row in remainders]
        observed = [math.log2(before / after) for before, after in pairwise(values)]
        assert observed == pytest.approx([order] * len(observed), abs=0.04)


def points(ours: DiscretisedObjective) -> Iterator[Tensor]:
    return (normal(ours.coordinates.length, seed) for seed in range(10, 60))


def no_kinks(ours: DiscretisedObjective, u: Tensor, moves: list[Tensor]) -> bool:
    """Whether every activation stays on its side of zero under ± each move."""
    return all(torch.equal(stage_signs(ours, u), stage_signs(ours, u + s * v)) for v in moves for s in (1.0, -1.0))


def stage_signs(ours: DiscretisedObjective, u: Tensor) -> Tensor:
    theta = ours.stage_parameters(u)
    return torch.sign(ours.kernel.forward(theta["K"], theta["b"], ours.problem.x).z)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("loss", LOSSES)
def test_going_through_the_samples_in_parts_changes_nothing(loss: str, model: str) -> None:
    reference = example("silu", loss, samples=11)
    u, v = (normal(reference.length(MODELS[model].size), seed) for seed in (1, 2))
    whole = MODELS[model].build(problem(reference, kernel="torch"))
    assert whole.chunk_size() > 11
    array = 4 * 8 * whole.kernel.steps * whole.kernel.stages
    parts = MODELS[model].build(problem(reference, Memory(states=2 * 3 * (18 * array + 64)), "torch"))
    assert [len(x) for x, _ in parts.chunks()] == [3, 3, 3, 2]
    result, expected = parts.evaluate(u), whole.evaluate(u)
    assert result.objective == pytest.approx(expected.objective, rel=1e-14)
    torch.testing.assert_close(
        result.gradient, expected.gradient, rtol=0.0, atol=1e-12 * float(expected.gradient.norm())
    )
    product = whole.linearise(u).hessian_product(v)
    torch.testing.assert_close(
        parts.linearise(u).hessian_product(v), product, rtol=0.0, atol=1e-12 * float(product.norm())
    )
    torch.testing.assert_close(
        parts.output(u, whole.problem.x), whole.output(u, whole.problem.x), rtol=1e-13, atol=1e-14
    )


def test_a_linearisation_outlives_later_evaluations() -> None:
    """Evaluations share buffers; what a Hessian was built on must not be written over."""
    reference = example("tanh", "cross_entropy")
    network = ResidualNetwork(problem(reference), 5)
    u, v = normal(network.coordinates.length, 1), normal(network.coordinates.length, 2)
    network.evaluate(u)
    linearisation = network.linearise(u)
    before = linearisation.hessian_product(v)
    network.evaluate(v)
    assert torch.equal(linearisation.hessian_product(v), before)
