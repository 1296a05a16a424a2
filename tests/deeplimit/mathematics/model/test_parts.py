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
from deeplimit.mathematics.kernels.tableau import EULER, MIDPOINT, RK4, Tableau
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
    """Counts steps forward, steps made again from values, and what the largest room has in bytes."""

    forward_steps = 0
    refilled_steps = 0
    bytes_kept = 0

    @staticmethod
    def begin() -> None:
        Counting.forward_steps = Counting.refilled_steps = Counting.bytes_kept = 0

    def room(self, x: Tensor, width: int, valued: int) -> Trajectory:
        room = super().room(x, width, valued)
        memory = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in vars(room).values()}
        Counting.bytes_kept = max(Counting.bytes_kept, sum(memory.values()))
        return room

    def forward(self, K: Tensor, b: Tensor, x: Tensor, reuse: Trajectory | None = None) -> Trajectory:
        Counting.forward_steps += self.steps
        return super().forward(K, b, x, reuse)

    def propagate(self, K: Tensor, b: Tensor, x: Tensor, room: Trajectory) -> Tensor:
        Counting.forward_steps += self.steps
        return super().propagate(K, b, x, room)

    def refill(self, run: Trajectory, x: Tensor) -> None:
        Counting.refilled_steps += self.steps
        super().refill(run, x)


def counting(monkeypatch: pytest.MonkeyPatch, arrays: float, depth: int) -> ResidualNetwork:
    """Return a network of two moons that may keep so many arrays (S, d), and evaluate it once."""
    problem = known_answers.two_moons()
    memory = Memory(states=int(arrays * 8 * problem.x.numel()))
    monkeypatch.setattr(problem, "memory", memory)
    monkeypatch.setattr(problem, "kernel", lambda tableau, steps: Counting(tableau, steps, problem.activation))
    network = ResidualNetwork(problem, depth)
    assert network.parts.samples == problem.samples
    Counting.begin()
    network.evaluate(normal(network.coordinates.length, 1))
    starts = 0 if network.parts.steps == depth else -(-depth // network.parts.steps) * 8 * problem.x.numel()
    assert memory.states is not None
    assert Counting.bytes_kept + starts <= memory.states + 8 * problem.x.numel()  # X_N is one more
    return network


@pytest.mark.parametrize("depth", [64, 1000, 4096])
def test_a_gradient_of_any_depth_fits_for_a_third_more_steps(depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step back is two forward, by its two products with K or δ. The states are 2 n S d numbers when all are kept."""
    counting(monkeypatch, 6 * math.isqrt(depth), depth)
    assert depth < Counting.forward_steps < 2 * depth
    assert (Counting.forward_steps + 2 * depth) / (3 * depth) <= 4 / 3


@pytest.mark.parametrize("depth", [64, 1000, 4096])
def test_with_room_for_all_values_no_layer_is_computed_twice(depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """a of every layer, and X between two checkpoints: little more than half of all."""
    network = counting(monkeypatch, depth + 3 * math.isqrt(depth), depth)
    assert Counting.forward_steps == depth
    assert 0 < Counting.refilled_steps == network.parts.values < depth


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_what_memory_is_left_saves_computing_layers_again(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    network = counting(monkeypatch, share * 1000, 1000)
    assert 0 < Counting.refilled_steps == network.parts.values
    assert Counting.forward_steps == 1000 + 1000 - network.parts.steps - network.parts.values
    assert Counting.forward_steps < (2.15 - share) * 1000


def test_a_gradient_keeps_no_more_than_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of tanh states and values: σ' is 1 − a², and δ is written over it."""
    network = counting(monkeypatch, 2 * 64 + 2, 64)
    assert network.parts == Parts(network.problem.samples, 64)
    assert Counting.forward_steps == 64
    assert Counting.bytes_kept == (2 * 64 + 1) * 8 * network.problem.x.numel()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("tableau", "running"), [(EULER, 0.0), (RK4, 0.3), (MIDPOINT, 0.0)])
@pytest.mark.parametrize("values", [3, 6, 10])
def test_values_that_are_kept_give_the_gradient_bit_by_bit(
    activation: str, tableau: Tableau, running: float, values: int
) -> None:
    """13 steps in segments of 3: those of the last one, and of some or all before it.

    A stage has whole vectors of numbers: at the end of an array torch rounds some functions otherwise.
    """
    kernel = ExplicitRungeKutta(tableau, 13, ACTIVATIONS[activation], running=running)
    stages, x, p = kernel.steps * kernel.stages, normal(32, 1).view(8, 4), normal(32, 2).view(8, 4)
    K, b = normal(16 * stages, 3).view(stages, 4, 4), normal(4 * stages, 4).view(stages, 4)
    whole = kernel.forward(K, b, x)
    expected = dict(zip(("K", "b"), kernel.gradient(whole, K, p), strict=True))
    checkpointed, reuse = CheckpointedKernel(kernel, 3, values), None
    for _ in range(2):
        kept = checkpointed.forward(K, b, x, reuse)
        found = {name: torch.zeros_like(value) for name, value in expected.items()}
        assert torch.equal(kept.final, whole.states[-1])
        assert len(kept.room.a) == (3 + values) * kernel.stages
        checkpointed.add_gradient(kept, K, b, p, found)
        assert all(torch.equal(found[name], value) for name, value in expected.items())
        reuse = kept.room


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
    assert parts.steps + parts.values <= steps
    assert parts.samples * d * (2 * parts.steps + parts.values + starts) <= allowed


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
