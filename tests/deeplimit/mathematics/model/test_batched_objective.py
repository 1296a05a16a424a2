"""The objective of many parameter sets against that of one: every activation, loss, regime and basis."""

import importlib.util
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from deeplimit.mathematics import Block, Integrator, Regime, Regularisation
from deeplimit.mathematics.kernels import choice
from deeplimit.mathematics.model import batched_objective
from deeplimit.mathematics.model.batched_objective import BatchedObjective
from deeplimit.mathematics.model.coordinates import LegendreIncrements, PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.model.objective import DiscretisedObjective
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.problem.learning_problem import Problem
from tests.deeplimit.mathematics.model.test_regimes_gradients import REGIMES
from tests.support import known_answers, regimes
from tests.support.reference import LOSSES, SIGMA, example

KERNELS = ("torch", "fused") if importlib.util.find_spec("numba") else ("torch",)
FIXED = ((), ("K",), ("b",), ("W",), ("c",), ("K", "b"), ("K", "W", "c"))
MODELS: dict[str, Callable[[Problem], DiscretisedObjective]] = {
    "network": lambda problem: ResidualNetwork(problem, 5),
    "legendre": lambda problem: Flow(problem, LegendreIncrements(4), 3),
    "piecewise linear": lambda problem: Flow(problem, PiecewiseLinearIncrements(3), 6),
}


def small(activation: str, loss: str, fixed: tuple[str, ...] = ()) -> Problem:
    reference = example(activation, loss, samples=7, fixed=fixed)
    return Problem(
        reference.x.numpy(),
        reference.y.numpy(),
        activation=activation,
        loss=loss,
        regularisation=Regularisation(reference.alpha, reference.tau),
        state_dim=reference.d,
        fixed={name: value.numpy() for name, value in reference.fixed.items()},
    )


def points(single: DiscretisedObjective, count: int = 3) -> Tensor:
    draw = torch.randn(
        count, single.coordinates.length, generator=torch.Generator().manual_seed(4), dtype=torch.float64
    )
    return (0.5 * draw).to(single.problem.x)


def check(single: DiscretisedObjective, accuracy: float = 1e-13) -> None:
    batch = BatchedObjective.of(single)
    assert batch is not None
    U = points(single)
    for u, found in zip(U, batch.evaluate(U), strict=True):
        alone = single.evaluate(u)
        assert found.objective == pytest.approx(alone.objective, rel=accuracy)
        assert found.terms == pytest.approx(alone.terms, rel=accuracy)
        size = float(alone.gradient.norm())
        torch.testing.assert_close(found.gradient, alone.gradient, rtol=0.0, atol=accuracy * size)
        assert found.norm == pytest.approx(size, rel=accuracy)


@pytest.fixture(autouse=True, params=KERNELS)
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each kernel, where it serves: the fused one is at hand before the first test."""
    name: str = request.param
    if name == "torch":
        monkeypatch.setattr(choice, "machine_code_at_hand", lambda: False)
    return name


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", SIGMA)
def test_every_activation_and_loss(activation: str, loss: str, model: str) -> None:
    check(MODELS[model](small(activation, loss)))


@pytest.mark.parametrize("fixed", FIXED, ids="".join)
def test_fixed_parameters(fixed: tuple[str, ...]) -> None:
    check(ResidualNetwork(small("silu", "cross_entropy", fixed), 5))


@pytest.mark.parametrize("name", [name for name in REGIMES if "implicit" not in name])
def test_every_regime(name: str) -> None:
    check(regimes.network(REGIMES[name])[0])


def test_implicit_layers_are_solved_set_by_set() -> None:
    single, _ = regimes.network(Regime(integrator=Integrator.IMPLICIT_EULER))
    assert BatchedObjective.of(single) is None


def test_single_precision() -> None:
    check(ResidualNetwork(known_answers.odd_pair("tanh", torch.float32), 16), accuracy=1e-5)


@pytest.mark.parametrize("two_layer", [False, True])
def test_going_through_the_samples_in_parts_changes_nothing(
    kernel: str, two_layer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many samples at once as a budget for all sets together has room for; the last part is a smaller one."""
    regime = Regime(block=Block.TWO_LAYER if two_layer else Block.SINGLE, integrator=Integrator.MIDPOINT)
    single = ResidualNetwork(regimes.example(regime, samples=8), 4)
    asked: list[int] = []

    def three(_: Problem, stages: int) -> int:
        asked.append(stages)
        return 3

    monkeypatch.setattr(batched_objective, "samples_at_once", three)
    check(single)
    if kernel == "fused" and not two_layer:
        assert asked == [], "it keeps no more than a block's states"
    else:
        assert asked == [3 * 4 * 2], "three sets, four steps of two stages"


def test_batches_are_as_large_as_is_worth_it_and_as_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(problem: Problem, depth: int) -> int:
        batch = BatchedObjective.of(ResidualNetwork(problem, depth))
        assert batch is not None
        return batch.sets_at_once()

    moons = known_answers.two_moons()
    assert at_once(moons, 8) >= 64
    assert 16 <= at_once(moons, 256) < at_once(moons, 8)
    assert at_once(known_answers.breast_cancer(), 8) == 1, "arithmetic takes the time there"
    monkeypatch.setattr(batched_objective, "samples_at_once", lambda _problem, _stages: 2 * 200 + 1)
    assert at_once(moons, 8) == 2


def test_results_do_not_change_with_later_calls() -> None:
    """Trajectories share buffers; what was returned does not."""
    batch = BatchedObjective.of(ResidualNetwork(known_answers.two_moons(), 4))
    assert batch is not None
    U = points(batch.single)
    first = [evaluation.gradient for evaluation in batch.evaluate(U)]
    kept = [gradient.clone() for gradient in first]
    batch.evaluate(-U)
    again = batch.evaluate(U[:2])
    assert all(torch.equal(left, right) for left, right in zip(first, kept, strict=True))
    for left, evaluation in zip(first, again, strict=False):
        torch.testing.assert_close(evaluation.gradient, left, rtol=1e-13, atol=1e-15)
