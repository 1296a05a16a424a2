"""The fused kernel against torch's: the same numbers to rounding, whatever the method, activation, loss and sizes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor

from deeplimit.mathematics import Problem, Regime
from deeplimit.mathematics.kernels.activations import ACTIVATIONS
from deeplimit.mathematics.kernels.choice import FUSED_ACTIVATIONS
from deeplimit.mathematics.kernels.runge_kutta import ExplicitRungeKutta
from deeplimit.mathematics.kernels.tableau import EULER, MIDPOINT, RK4, Tableau
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.problem.regime import Integrator, Scaling, Weights
from deeplimit.mathematics.problem.terminal_loss import TERMINAL_LOSSES

pytest.importorskip("numba", reason="the fused kernel needs Numba")

from deeplimit.mathematics.kernels.fused.evaluation import block_lanes
from deeplimit.mathematics.kernels.fused.kernel import FusedRungeKutta
from deeplimit.mathematics.kernels.fused.lanes import PANEL
from deeplimit.mathematics.kernels.fused.sigma import SECOND, SIGMA

if TYPE_CHECKING:
    from deeplimit.mathematics.kernels.kernel import Kernel
    from deeplimit.mathematics.model.objective import DiscretisedObjective

TABLEAUX = (EULER, MIDPOINT, RK4)
ROUNDING = 1e-13


def test_every_activation_that_is_offered_has_its_form() -> None:
    assert set(SIGMA) == set(SECOND) == FUSED_ACTIVATIONS


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)), dtype=torch.float64)


def assert_close(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs, rtol=0.0, atol=ROUNDING * (1.0 + float(theirs.abs().max())))


def passes(kernel: Kernel, d: int, samples: int) -> dict[str, Tensor]:
    """Everything that a kernel's five passes give."""
    stages = kernel.steps * kernel.stages
    K, b, dK, db = normal(stages, d, d), normal(stages, d), normal(stages, d, d, seed=1), normal(stages, d, seed=1)
    x, p, dp = normal(samples, d), normal(samples, d, seed=1), normal(samples, d, seed=2)
    run = kernel.forward(K, b, x)
    adjoint = kernel.backward(run, K, p)
    tangent = kernel.tangent(run, adjoint.slope, K, dK, db)
    second = kernel.second_adjoint(run, adjoint, tangent, K, dK, dp)
    parts = {"run": run, "adjoint": adjoint, "tangent": tangent}
    found = {f"{part}.{name}": value for part in parts for name, value in tensors(parts[part]).items()}
    found |= dict(zip(("by K", "by b"), kernel.gradient(kernel.forward(K, b, x), K, p), strict=True))
    return found | {"running": kernel.running_cost(run), "dK": second[0], "db": second[1]}


def tensors(part: object) -> dict[str, Tensor]:
    return {name: value for name, value in vars(part).items() if isinstance(value, Tensor)}


@pytest.mark.parametrize("tableau", TABLEAUX, ids=lambda t: t.name)
@pytest.mark.parametrize("activation", sorted(FUSED_ACTIVATIONS))
def test_every_pass_agrees(activation: str, tableau: Tableau) -> None:
    for d, samples, running in ((1, 1, 0.0), (3, PANEL + 1, 0.2), (4, 2 * PANEL, 0.1), (6, 5, 0.0)):
        fused, plain = (
            passes(kind(tableau, 3, ACTIVATIONS[activation], horizon=1.3, running=running), d, samples)
            for kind in (FusedRungeKutta, ExplicitRungeKutta)
        )
        assert fused.keys() == plain.keys()
        for name, value in plain.items():
            assert_close(fused[name], value)


def reference(kernel: Kernel, theta: dict[str, Tensor], x: Tensor, y: Tensor, loss: str) -> dict[str, Tensor]:
    terminal_loss = TERMINAL_LOSSES[loss]
    run = kernel.forward(theta["K"], theta["b"], x)
    z = run.states[-1] @ theta["W"].T + theta["c"]
    r = terminal_loss.gradient(z, y) / len(x)
    found = {"terminal": terminal_loss.total(z, y), "running": kernel.running_cost(run), "W": r.T @ run.states[-1]}
    by_K, by_b = kernel.gradient(run, theta["K"], r @ theta["W"])
    return found | {"c": r.sum(0), "K": by_K, "b": by_b}


@pytest.mark.parametrize("tableau", [EULER, RK4], ids=lambda t: t.name)
@pytest.mark.parametrize("loss", sorted(TERMINAL_LOSSES))
def test_a_whole_evaluation_agrees(loss: str, tableau: Tableau) -> None:
    steps = 3
    for d, samples, running in ((3, 2 * PANEL + 5, 0.2), (4, 300, 0.0), (5, 1, 0.1)):
        outputs = 1 if loss == "logistic" else 3
        stages = steps * tableau.stages
        theta = {"K": normal(stages, d, d), "b": normal(stages, d), "W": normal(outputs, d), "c": normal(outputs)}
        x, y = normal(samples, d), normal(samples, outputs, seed=3)
        if loss != "squared_error":
            y = torch.sign(y) if loss == "logistic" else torch.arange(samples) % outputs
        plain = reference(ExplicitRungeKutta(tableau, steps, ACTIVATIONS["tanh"], running=running), theta, x, y, loss)
        fused = FusedRungeKutta(tableau, steps, ACTIVATIONS["tanh"], running=running).gradients(theta, x, y, loss)
        sums = {"terminal": fused.terminal, "running": fused.running}
        found = fused.by_name | {name: torch.tensor(value, dtype=x.dtype) for name, value in sums.items()}
        for name, value in plain.items():
            assert_close(found[name], value)


def objectives(kernel: str, **more: Any) -> dict[str, DiscretisedObjective]:
    x = normal(90, 3).numpy()
    problem = Problem(x, np.arange(90) % 3, loss="cross_entropy", kernel=kernel, **more)
    found: dict[str, DiscretisedObjective] = {"network": ResidualNetwork(problem, 5)}
    if problem.regime.scaling is Scaling.H1:
        found["flow"] = Flow(problem, LegendreIncrements(3), 4)
    assert {objective.kernel.name for objective in found.values()} == {kernel}
    return found


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"state_dim": 5, "activation": "softplus"},
        {
            "regime": Regime(integrator=Integrator.MIDPOINT, running_cost=0.3, horizon=0.7),
            "fixed": {"b": [0.1, 0.2, 0.3]},
        },
        {"regime": Regime(scaling=Scaling.L2)},
        {"regime": Regime(weights=Weights.CONSTANT), "fixed": {"W": np.ones((3, 3))}},
        {"fixed": {"K": np.eye(3), "b": np.zeros(3)}},
    ],
)
def test_objectives_agree(more: dict[str, Any]) -> None:
    fused, plain = objectives("fused", **more), objectives("torch", **more)
    for name, ours in fused.items():
        theirs = plain[name]
        u, v = normal(ours.coordinates.length), normal(ours.coordinates.length, seed=1)
        found, wanted = ours.evaluate(u), theirs.evaluate(u)
        assert found.terms == pytest.approx(wanted.terms, rel=ROUNDING)
        assert found.objective == pytest.approx(ours.value(u), rel=ROUNDING)
        assert_close(found.gradient, wanted.gradient)
        assert_close(ours.linearise(u).hessian_product(v), theirs.linearise(u).hessian_product(v))


@pytest.mark.parametrize("activation", sorted(FUSED_ACTIVATIONS))
@pytest.mark.parametrize("loss", sorted(TERMINAL_LOSSES))
def test_hessian_products_agree(loss: str, activation: str) -> None:
    x, targets = (
        normal(37, 2).numpy(),
        {"squared_error": normal(37, 2).numpy(), "logistic": np.sign(normal(37).numpy())},
    )
    fused, plain = (
        ResidualNetwork(
            Problem(
                x,
                targets.get(loss, np.arange(37) % 3),
                activation=activation,
                loss=loss,
                regime=Regime(running_cost=0.2),
                kernel=kernel,
            ),
            3,
        )
        for kernel in ("fused", "torch")
    )
    u, v = normal(fused.coordinates.length), normal(fused.coordinates.length, seed=1)
    assert_close(fused.linearise(u).hessian_product(v), plain.linearise(u).hessian_product(v))


def test_a_gradient_stays_when_the_next_is_computed() -> None:
    network = objectives("fused")["network"]
    u = normal(network.coordinates.length)
    first = network.evaluate(u).gradient
    kept = first.clone()
    network.evaluate(2.0 * u)
    assert torch.equal(first, kept)


def test_threads_share_samples_and_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deeplimit.mathematics.kernels.fused.evaluation._WORTH_SHARING", 1)
    network = objectives("fused")["network"]
    u = normal(network.coordinates.length)
    alone = network.evaluate(u)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        shared, again = network.evaluate(u), network.evaluate(u)
    finally:
        torch.set_num_threads(before)
    assert_close(shared.gradient, alone.gradient)
    assert shared.objective == pytest.approx(alone.objective, rel=ROUNDING)
    assert torch.equal(shared.gradient, again.gradient)


def test_buffers_of_another_network_are_not_written_to() -> None:
    long, short = (FusedRungeKutta(EULER, steps, ACTIVATIONS["tanh"]) for steps in (4, 2))
    x = normal(5, 2)
    run = long.forward(normal(4, 2, 2), normal(4, 2), x)
    kept = run.states.clone()
    other = short.forward(normal(2, 2, 2, seed=5), normal(2, 2), x, run)
    assert other.states.shape == (3, 5, 2)
    assert torch.equal(run.states, kept)
    assert long.forward(normal(4, 2, 2), normal(4, 2), x, run) is run


def test_divergence_is_seen_in_value_and_gradient() -> None:
    problem = Problem([[1.0], [2.0]], [[1.0], [0.0]], activation="identity", kernel="fused")
    network = ResidualNetwork(problem, 40)
    found = network.evaluate(torch.full((network.coordinates.length,), 1e30, dtype=torch.float64))
    assert not math.isfinite(found.objective)
    assert not torch.isfinite(found.gradient).all()


def test_one_bad_number_makes_the_sum_bad() -> None:
    network = objectives("fused")["network"]
    u = normal(network.coordinates.length)
    u[0] = math.nan
    assert math.isnan(network.evaluate(u).objective)


POINTS = np.concatenate(
    [np.linspace(-30.0, 30.0, 4001), 10.0 ** np.linspace(-300, 2.8, 500), -(10.0 ** np.linspace(-300, 2.8, 500)), [0.0]]
)
WIDE = np.longdouble(1.0)
EXACT = {
    "tanh": lambda z: np.tanh(z * WIDE),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z * WIDE)),
    "silu": lambda z: z / (1 + np.exp(-z * WIDE)),
    "sin": lambda z: np.sin(z * WIDE),
}


def values(activation: str, points: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """σ at points, as one layer gives it with K = 1 and b = 0."""
    kernel = FusedRungeKutta(EULER, 1, ACTIVATIONS[activation])
    one = torch.ones(1, 1, 1, dtype=torch.float64)
    found: np.ndarray[Any, np.dtype[np.float64]] = (
        kernel.forward(one, 0.0 * one[0], torch.from_numpy(points)[:, None]).a[0, :, 0].numpy()
    )
    return found


@pytest.mark.skipif(bool(np.finfo(np.longdouble).eps > 1e-18), reason="no wider floating-point type to compare with")
@pytest.mark.parametrize("activation", sorted(EXACT))
def test_activations_are_right_to_a_few_units_in_the_last_place(activation: str) -> None:
    exact = EXACT[activation](POINTS)
    found = values(activation, POINTS)
    near_zero = 1e-15 if activation == "sin" else 0.0  # at multiples of π
    assert (np.abs(found - exact) <= 4 * np.finfo(float).eps * np.abs(exact) + near_zero * 0.1 + 1e-305).all()


@pytest.mark.parametrize("activation", sorted(FUSED_ACTIVATIONS))
def test_activations_at_the_ends(activation: str) -> None:
    points = np.array([math.nan, 0.0, -0.0, 800.0, -800.0, 1e-310])
    found = values(activation, points)
    expected = ACTIVATIONS[activation](torch.from_numpy(points)).numpy()
    assert math.isnan(found[0])
    assert found[1:] == pytest.approx(expected[1:], rel=1e-14, abs=1e-15)


def test_blocks_share_samples_out_and_shrink_with_depth() -> None:
    assert block_lanes(200, 512) >= 200  # a shallow network's samples all at once
    assert block_lanes(200, 10**9) == PANEL
    assert block_lanes(569, 2 * 4 * 336 * 32, 32) == 32  # as many as features, to share out what is gone through once
    lanes = block_lanes(1000, 10**4)
    assert lanes % PANEL == 0
    assert lanes * math.ceil(1000 / lanes) < 1000 + lanes
