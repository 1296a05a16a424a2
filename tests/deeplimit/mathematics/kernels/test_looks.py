"""What takes long looks at the watches on its way, and may be broken off there: what comes after is as good."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import pytest
import torch
from torch import Tensor

from deeplimit.mathematics import Problem, Regime
from deeplimit.mathematics.journal import Step, journaled
from deeplimit.mathematics.model.batched_objective import BatchedObjective
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.problem.regime import Block, Integrator
from deeplimit.mathematics.watch import OutOfTimeError, look, paced, until, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deeplimit.mathematics.model.objective import DiscretisedObjective

SAMPLES, STEPS = 600, 6
REGIMES: Final = {
    "Euler": Regime(),
    "the midpoint rule": Regime(integrator=Integrator.MIDPOINT),
    "implicit Euler": Regime(integrator=Integrator.IMPLICIT_EULER),
    "two layers": Regime(block=Block.TWO_LAYER),
}
OBJECTIVES: Final = [*((name, "torch") for name in REGIMES), ("Euler", "fused"), ("the midpoint rule", "fused")]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return 0.3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network_of(regime: str, kernel: str, samples: int = SAMPLES) -> ResidualNetwork:
    if kernel == "fused":
        pytest.importorskip("numba", reason="the fused kernel needs Numba")
    inputs = normal(samples, 3).numpy()
    targets = normal(samples, 1, seed=1).numpy()
    return ResidualNetwork(Problem(inputs, targets, regime=REGIMES[regime], kernel=kernel), STEPS)


def of_batch(objective: DiscretisedObjective) -> Tensor:
    batch = BatchedObjective.of(objective)
    assert batch is not None
    rows = torch.stack([normal(objective.coordinates.length, seed=seed) for seed in (2, 3, 4)])
    return torch.cat([found.gradient for found in batch.evaluate(rows)])


WORKS: Final[dict[str, Callable[[DiscretisedObjective, Tensor], Tensor]]] = {
    "gradient": lambda objective, u: objective.evaluate(u).gradient,
    "Hessian-vector product": lambda objective, u: objective.linearise(u).hessian_product(normal(len(u), seed=5)),
    "outputs": lambda objective, u: objective.output(u, objective.problem.x),
}


def looks(work: Callable[[], object]) -> int:
    count = 0

    def counted() -> None:
        nonlocal count
        count += 1

    with watched(counted):
        work()
    return count


def broken_off(work: Callable[[], object], at: int) -> None:
    """Do a piece of work until it looks for the so many-th time."""
    left = at

    def watch() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise OutOfTimeError

    with watched(watch), pytest.raises(OutOfTimeError):
        work()


def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have everything count as long, and forward passes go in several segments."""
    monkeypatch.setattr("deeplimit.mathematics.watch._BETWEEN", 1)
    monkeypatch.setattr("deeplimit.mathematics.problem.memory.FORWARD", 2**14)


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize(("regime", "kernel"), OBJECTIVES)
def test_it_looks_on_its_way_and_is_as_good_after_it_was_broken_off(
    regime: str, kernel: str, work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = network_of(regime, kernel)
    u = normal(network.coordinates.length, seed=2)
    wanted = WORKS[work](network, u).clone()
    seldom = looks(lambda: WORKS[work](network, u))
    often(monkeypatch)
    network = network_of(regime, kernel)
    found = looks(lambda: WORKS[work](network, u))
    assert found >= seldom + 2
    assert torch.equal(WORKS[work](network, u), wanted)
    for at in range(1, found + 1):
        broken_off(lambda: WORKS[work](network, u), at)
        assert torch.equal(WORKS[work](network, u), wanted), at


@pytest.mark.parametrize("kernel", ["torch", "fused"])
def test_many_at_once_look_as_well(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of("Euler", kernel)
    wanted = of_batch(network)
    often(monkeypatch)
    network = network_of("Euler", kernel)
    found = looks(lambda: of_batch(network))
    assert found >= 3
    for at in range(1, found + 1):
        broken_off(lambda: of_batch(network), at)
        torch.testing.assert_close(of_batch(network), wanted, rtol=1e-13, atol=1e-15)


def test_the_continuum_looks_between_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = network_of("Euler", "torch").problem
    flow = Flow(problem, LegendreIncrements(3), STEPS)
    u = normal(flow.coordinates.length, seed=2)
    seldom = looks(lambda: flow.evaluate(u))
    often(monkeypatch)
    assert looks(lambda: flow.evaluate(u)) >= seldom + 2 * (STEPS - 1)


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[ResidualNetwork]:
    """A network whose samples are shared out among threads, each of which goes through several pieces of them."""
    monkeypatch.setattr("deeplimit.mathematics.kernels.fused.evaluation._WORTH_SHARING", 1)
    often(monkeypatch)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        yield network_of("Euler", "fused", 6 * SAMPLES)
    finally:
        torch.set_num_threads(before)


def test_threads_have_all_ended_when_one_has_run_out_of_time(in_threads: ResidualNetwork) -> None:
    u = normal(in_threads.coordinates.length, seed=2)
    wanted = in_threads.evaluate(u).gradient
    found = looks(lambda: in_threads.evaluate(u))
    assert found > 3, "threads look"
    for at in range(1, found // 2):
        broken_off(lambda: in_threads.evaluate(u), at)
        assert torch.equal(in_threads.evaluate(u).gradient, wanted)


class Recalling:
    """A journal that knows what is to come."""

    recalls = True

    def step(self, name: str, *of: Tensor) -> Step:
        del name, of
        return Step()


def test_in_threads_as_well_what_is_recalled_takes_no_time(in_threads: ResidualNetwork) -> None:
    u = normal(in_threads.coordinates.length, seed=2)
    wanted = in_threads.evaluate(u).gradient
    with journaled(Recalling()), until(-math.inf):
        assert torch.equal(in_threads.evaluate(u).gradient, wanted)


def test_steps_that_take_little_are_gone_through_without_a_look() -> None:
    def never() -> Any:
        raise AssertionError

    with watched(never):
        assert list(paced(range(4, -1, -1), 10.0)) == [4, 3, 2, 1, 0]
        with pytest.raises(AssertionError):
            look()
