"""What the benchmarks of speed compare with is the same problem: E and its gradient agree to rounding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.speed.bound import products_and_tanh
from benchmarks.speed.gradient import gap, plain_gradient, product_by_graph
from benchmarks.speed.problems import problem, start, usual_start
from benchmarks.speed.residual import LinearLayers, PlainResidualNetwork
from benchmarks.speed.rivals import as_function
from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from deeplimit.mathematics.problem.learning_problem import Problem

TOLERANCE = 1e-10
STARTS = {"usual": usual_start, "smooth": start}
each_start = pytest.mark.parametrize("begun", STARTS)


def given(begun: str, depth: int = 12) -> tuple[ResidualNetwork, DiscreteParameters]:
    moons = problem("moons", 4, samples=30)
    return ResidualNetwork(moons, depth), STARTS[begun](moons, depth)


@each_start
@pytest.mark.parametrize("rival", [PlainResidualNetwork, LinearLayers])
def test_modules_have_the_same_objective_and_gradient(
    begun: str, rival: type[PlainResidualNetwork | LinearLayers]
) -> None:
    network, parameters = given(begun)
    module = rival(network.problem, parameters)
    exact = network.evaluate(network.encode(parameters))
    assert float(module.evaluate()) == pytest.approx(exact.objective, rel=TOLERANCE)
    assert gap(module.gradient(), plain_gradient(network, exact.gradient)) < TOLERANCE


def test_a_second_evaluation_does_not_add_to_the_first_gradient() -> None:
    network, parameters = given("smooth")
    module = PlainResidualNetwork(network.problem, parameters)
    module.evaluate()
    first = module.gradient().K.clone()
    module.evaluate()
    assert torch.equal(module.gradient().K, first)


def test_the_function_for_scipy_has_the_same_objective_and_gradient() -> None:
    network, parameters = given("usual")
    evaluate, u = as_function(PlainResidualNetwork(network.problem, parameters))
    u = u + 0.01
    moved = DiscreteParameters(*(part + 0.01 for part in vars(parameters).values()))
    exact = network.evaluate(network.encode(moved))
    objective, gradient = evaluate(u)
    plain = plain_gradient(network, exact.gradient)
    expected = np.concatenate([part.numpy().ravel() for part in vars(plain).values()])
    assert objective == pytest.approx(exact.objective, rel=TOLERANCE)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=TOLERANCE * float(np.abs(expected).max()))


def test_the_product_by_graph_is_the_hessian_in_plain_parameters() -> None:
    """By the plain gradient's differences, which increments know nothing of."""
    network, parameters = given("smooth", 4)
    module = PlainResidualNetwork(network.problem, parameters)
    direction = [torch.ones_like(value) for value in module.parameters()]
    product = torch.cat([part.reshape(-1) for part in product_by_graph(module, direction)])
    step, ends = 1e-5, []
    for sign in (1.0, -1.0):
        moved = PlainResidualNetwork(
            network.problem, DiscreteParameters(*(part + sign * step for part in vars(parameters).values()))
        )
        moved.evaluate()
        ends.append(torch.cat([part.reshape(-1) for part in vars(moved.gradient()).values()]))
    difference = (ends[0] - ends[1]) / (2.0 * step)
    assert float((product - difference).norm() / product.norm()) < 1e-8


def test_what_is_not_written_for_is_refused() -> None:
    other = Problem([[1.0], [-1.0]], [[2.0], [-2.0]])
    with pytest.raises(ValueError, match="cross entropy"):
        PlainResidualNetwork(other, start(other, 8))


def test_the_bound_makes_the_products_of_the_depth() -> None:
    """Its profile holds three dense products and one tanh a layer, and nothing that costs."""
    call = products_and_tanh(problem("moons", 4, samples=30), 6)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        call()
    counts = {event.key: event.count for event in seen.key_averages()}
    assert {name: counts[f"aten::{name}"] for name in ("addmm", "tanh", "mm")} == {"addmm": 6, "tanh": 6, "mm": 12}
    assert not {"aten::mul", "aten::sum", "aten::add"} & set(counts)
