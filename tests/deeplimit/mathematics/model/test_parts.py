"""Gradients in parts: the same from few samples and few steps at once, in the bytes and for the work allowed."""

import math

import pytest
import torch
from torch import Tensor

from deeplimit.mathematics import Block, Integrator, Problem, Regime, Weights
from deeplimit.mathematics.kernels.activations import ACTIVATIONS
from deeplimit.mathematics.kernels.checkpoints import CheckpointedKernel, nodes
from deeplimit.mathematics.kernels.kernel import Kernel, Trajectory
from deeplimit.mathematics.kernels.runge_kutta import ExplicitRungeKutta
from deeplimit.mathematics.kernels.tableau import EULER
from deeplimit.mathematics.model.parts import Parts, cheapest_parts
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.problem.memory import Memory
from tests.support import known_answers, regimes

REGIMES = {
    "paper": Regime(),
    "rk4": Regime(integrator=Integrator.RK4),
    "midpoint with a running cost": Regime(integrator=Integrator.MIDPOINT, running_cost=0.3, horizon=1.5),
    "implicit": Regime(integrator=Integrator.IMPLICIT_EULER, running_cost=0.3),
    "two layers": Regime(block=Block.TWO_LAYER, width=4, integrator=Integrator.RK4, running_cost=0.3),
    "constant": Regime(weights=Weights.CONSTANT),
}


def normal(length: int, seed: int) -> Tensor:
    return 0.5 * torch.randn(length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("longest", [1, 3, 4, 12])
@pytest.mark.parametrize("name", REGIMES)
def test_states_computed_again_give_the_gradient_bit_by_bit(name: str, longest: int) -> None:
    network, _ = regimes.network(REGIMES[name], 13)
    kernel, x = network.kernel, network.problem.x
    theta = network.stage_parameters(normal(network.coordinates.length, 1))
    p = normal(x.numel(), 2).view(x.shape)
    whole = kernel.forward(theta["K"], theta["b"], x)
    final, running = whole.states[-1].clone(), kernel.running_cost(whole)
    expected = dict(zip(("K", "b"), kernel.gradient(whole, theta["K"], p), strict=True))
    checkpointed, reuse = CheckpointedKernel(kernel, longest), None
    for _ in range(2):  # the second time in the buffers of the first
        kept = checkpointed.forward(theta["K"], theta["b"], x, reuse)
        found = {name: torch.zeros_like(value) for name, value in expected.items()}
        assert torch.equal(kept.final, final)
        assert len(kept.last.z) == longest * kernel.stages
        assert float(kept.running) == pytest.approx(float(running), rel=1e-13)
        checkpointed.add_gradient(kept, theta["K"], theta["b"], p, found)
        assert all(torch.equal(found[name], value) for name, value in expected.items())
        reuse = kept.last


@pytest.mark.parametrize("name", REGIMES)
def test_an_objective_is_the_same_in_any_memory(name: str) -> None:
    whole, _ = regimes.network(REGIMES[name], 20)
    u = normal(whole.coordinates.length, 1)
    expected = whole.evaluate(u)
    assert whole.parts == Parts(whole.problem.samples, 20)
    whole.problem.memory = Memory(states=1)
    least = ResidualNetwork(whole.problem, 20)
    assert least.parts.samples == 1
    assert least.parts.steps < 8
    found = least.evaluate(u)
    assert found.terms == pytest.approx(expected.terms, rel=1e-13)
    torch.testing.assert_close(found.gradient, expected.gradient, rtol=1e-12, atol=1e-13)


class Counting(ExplicitRungeKutta):
    """Counts steps forward, and what the largest trajectory has in bytes."""

    forward_steps = 0
    bytes_kept = 0

    def forward(self, K: Tensor, b: Tensor, x: Tensor, reuse: Trajectory | None = None) -> Trajectory:
        run = super().forward(K, b, x, reuse)
        Counting.forward_steps += self.steps
        Counting.bytes_kept = max(Counting.bytes_kept, sum(t.nbytes for t in (run.states, run.z, run.a)))
        return run


@pytest.mark.parametrize("depth", [64, 1000, 4096])
def test_a_gradient_of_any_depth_fits_for_a_third_more_steps(depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step back is two forward, by its two products with K or δ. The states are 3 n S d numbers when all are kept."""
    problem = known_answers.two_moons()
    array = 8 * problem.x.numel()
    allowed = 12 * math.isqrt(depth) * array
    monkeypatch.setattr(problem, "memory", Memory(states=allowed))
    monkeypatch.setattr(problem, "kernel", lambda tableau, steps: Counting(tableau, steps, problem.activation))
    network = ResidualNetwork(problem, depth)
    assert network.parts.samples == problem.samples
    Counting.forward_steps = Counting.bytes_kept = 0
    network.evaluate(normal(network.coordinates.length, 1))
    starts = -(-depth // network.parts.steps) * array
    assert Counting.bytes_kept + starts <= allowed < 3 * depth * array
    assert depth < Counting.forward_steps < 2 * depth
    assert (Counting.forward_steps + 2 * depth) / (3 * depth) <= 4 / 3


def euler(steps: int) -> Kernel:
    return ExplicitRungeKutta(EULER, steps, ACTIVATIONS["tanh"])


def test_all_is_gone_through_at_once_where_it_fits() -> None:
    assert cheapest_parts(euler(64), 1000, 8, 8, 3 * 65 * 1000 * 8) == Parts(1000, 64)


def test_samples_are_parted_where_parts_stay_large_and_steps_where_not() -> None:
    """Half the memory: of 100 000 samples a half loses nothing; of 50, half of the calls would pay for nothing."""
    many = cheapest_parts(euler(64), 100_000, 8, 8, 1.55 * 65 * 100_000 * 8)
    assert many == Parts(50_000, 64)
    few = cheapest_parts(euler(64), 50, 8, 8, 1.55 * 65 * 50 * 8)
    assert few.samples == 50
    assert few.steps < 64


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2, 0.1, 0.03, 0.01, 0.002])
@pytest.mark.parametrize(("steps", "samples", "d"), [(4096, 200, 4), (64, 1797, 64), (512, 20_000, 16)])
def test_parts_fit_what_is_allowed(steps: int, samples: int, d: int, share: float) -> None:
    allowed = share * 3 * steps * samples * d
    parts = cheapest_parts(euler(steps), samples, d, d, allowed)
    starts = 0 if parts.steps == steps else -(-steps // parts.steps)
    assert parts.samples * d * (3 * parts.steps + starts) <= allowed


def test_a_study_keeps_the_buffers_of_one_network(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = known_answers.two_moons()
    monkeypatch.setattr(problem, "kernel", lambda _, steps: euler(steps))  # torch's, which has buffers
    networks = [ResidualNetwork(problem, depth) for depth in (4, 8)]
    for network in networks:
        network.evaluate(normal(network.coordinates.length, 1))
    assert problem.workspace.take(networks[0], problem.samples) is None
    networks[1].evaluate(normal(networks[1].coordinates.length, 1))
    run = problem.workspace.take(networks[1], problem.samples)
    assert run is not None
    assert len(run.states) == 9
    problem.workspace.leave(networks[1], run)
    networks[1].sweep(networks[1].stage_parameters(normal(networks[1].coordinates.length, 1)), problem.x, problem.y)
    assert problem.workspace.take(networks[1], problem.samples) is None


def test_more_bytes_than_make_it_faster_are_not_taken() -> None:
    problem = Problem(torch.zeros(100_000, 64).numpy(), torch.zeros(100_000).numpy())
    assert ResidualNetwork(problem, 64).parts.samples < 5000
    problem.memory = Memory(states=2**40)
    assert ResidualNetwork(problem, 64).parts.samples < 5000


@pytest.mark.parametrize("every", [1, 2, 5, 20])
@pytest.mark.parametrize("name", REGIMES)
def test_states_without_a_trajectory_are_those_of_one(name: str, every: int) -> None:
    network, _ = regimes.network(REGIMES[name], 20)
    theta = network.stage_parameters(normal(network.coordinates.length, 1))
    kernel, x = network.kernel, network.problem.x
    expected = kernel.forward(theta["K"], theta["b"], x).states[::every]
    for allowed in (1, 3 * 8 * x.numel() * kernel.numbers_kept(1, 1), 2**30):  # one step, some, and all at once
        found = nodes(kernel, lambda part: (theta["K"][part], theta["b"][part]), x, every, allowed)
        assert torch.equal(found, expected)
