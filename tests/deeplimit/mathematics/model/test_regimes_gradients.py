"""Every regime's objective, gradient and Hessian-vector product against its definition, and by Taylor remainders."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from deeplimit.mathematics import Block, Integrator, Regime, Scaling, Weights
from tests.support.regimes import network

REGIMES = {
    **{f"{s.value}": Regime(scaling=s) for s in Scaling},
    **{f"{i.value}": Regime(integrator=i) for i in Integrator},
    **{f"constant {i.value}": Regime(weights=Weights.CONSTANT, integrator=i) for i in Integrator},
    **{f"horizon {s.value}": Regime(scaling=s, horizon=2.5) for s in Scaling},
    **{f"running {i.value}": Regime(integrator=i, horizon=1.5, running_cost=0.3) for i in Integrator},
    **{
        f"two layers {i.value}": Regime(block=Block.TWO_LAYER, width=width, integrator=i, horizon=1.5, running_cost=0.3)
        for i, width in ((Integrator.EULER, None), (Integrator.MIDPOINT, 4), (Integrator.RK4, 2))
    },
    "two layers constant": Regime(block=Block.TWO_LAYER, width=5, weights=Weights.CONSTANT),
    "running constant": Regime(weights=Weights.CONSTANT, horizon=0.5, running_cost=2.0),
}


def normal(length: int, seed: int) -> Tensor:
    return 0.5 * torch.randn(length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", REGIMES)
def test_derivatives_agree_with_automatic_differentiation_of_the_definition(name: str) -> None:
    ours, reference = network(REGIMES[name])
    u, v = normal(ours.coordinates.length, 1), normal(ours.coordinates.length, 2)
    at = u.clone().requires_grad_()
    expected = reference.objective(at)
    (slope,) = torch.autograd.grad(expected, at, create_graph=True)
    (product,) = torch.autograd.grad(slope @ v, at)
    slope, value = slope.detach(), expected.item()
    evaluation = ours.evaluate(u)
    assert evaluation.objective == pytest.approx(value, rel=1e-12)
    assert sum(evaluation.terms.values()) == pytest.approx(value, rel=1e-12)
    torch.testing.assert_close(evaluation.gradient, slope, rtol=0.0, atol=1e-11 * float(slope.norm()))
    hessian = ours.linearise(u)
    torch.testing.assert_close(hessian.hessian_product(v), product, rtol=0.0, atol=1e-11 * float(product.norm()))
    w = normal(len(u), 3)
    assert float(w @ hessian.hessian_product(v) - v @ hessian.hessian_product(w)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    "name", ["implicit_euler", "running implicit_euler", "rk4", "running midpoint", "two layers rk4"]
)
def test_taylor_remainders(name: str) -> None:
    """E − its quadratic model is O(h³), ∇E − its linear model O(h²)."""
    ours, _ = network(REGIMES[name])
    u, v = normal(ours.coordinates.length, 1), normal(ours.coordinates.length, 2)
    v /= v.norm()
    at, product = ours.evaluate(u), ours.linearise(u).hessian_product(v)
    remainders = []
    for h in (2.0**-6, 2.0**-7, 2.0**-8):
        sides = []
        for step in (h, -h):
            there = ours.evaluate(u + step * v)
            quadratic = there.objective - at.objective - step * float(at.gradient @ v) - h * h / 2 * float(v @ product)
            sides.append((quadratic, float((there.gradient - at.gradient - step * product).norm())))
        remainders.append([math.hypot(*values) for values in zip(*sides, strict=True)])
    for column, order in enumerate((3.0, 2.0)):
        observed = [math.log2(a[column] / b[column]) for a, b in pairwise(remainders)]
        assert observed == pytest.approx([order] * 2, abs=0.04)


@pytest.mark.parametrize("name", REGIMES)
def test_parameters_and_coordinates_invert_each_other(name: str) -> None:
    ours, reference = network(REGIMES[name])
    u = normal(ours.coordinates.length, 1)
    parameters = ours.parameters(u)
    for key, value in reference.nodes(u).items():
        torch.testing.assert_close(getattr(parameters, key), value, rtol=1e-13, atol=1e-13)
    assert parameters.depth == ours.depth
    torch.testing.assert_close(ours.encode(parameters), u, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("depth", [64, 256])
@pytest.mark.parametrize("scaling", [Scaling.L2, Scaling.NONE, Scaling.UNSCALED])
def test_starts_have_one_law_at_every_depth(scaling: Scaling, depth: int) -> None:
    """Without ties between layers K_i is standard normal times the scale; with them √n (K_i − K_{i−1}) is."""
    ours, _ = network(Regime(scaling=scaling), depth)
    K = ours.parameters(ours.random(torch.Generator().manual_seed(0), 0.5)).K
    deviation = (K[1:] - K[:-1]) * depth**0.5 if scaling is Scaling.UNSCALED else K
    assert float(deviation.std()) == pytest.approx(0.5, rel=0.08)
