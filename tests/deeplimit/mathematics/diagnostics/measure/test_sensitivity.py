"""The adjoint of one state or prediction, against differences, for every kind of layer."""

import pytest
import torch

from deeplimit.mathematics import Problem, Regime
from deeplimit.mathematics.diagnostics.measure.sensitivity import prediction_gradient, state_gradient
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.model.objective import DiscretisedObjective
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.problem.regime import Block, Integrator, Weights

INPUTS = [[0.5, -1.0], [1.0, 0.3], [-0.7, 0.2]]
REGIMES = [
    Regime(),
    Regime(integrator=Integrator.RK4, horizon=2.0),
    Regime(integrator=Integrator.IMPLICIT_EULER, running_cost=0.3),
    Regime(block=Block.TWO_LAYER, width=3),
    Regime(weights=Weights.CONSTANT),
]


def objectives(regime: Regime, loss: str) -> list[DiscretisedObjective]:
    targets = [0, 1, 2] if loss == "cross_entropy" else [[1.0], [0.0], [2.0]]
    problem = Problem(INPUTS, targets, loss=loss, regime=regime)
    basis = LegendreIncrements(0 if regime.constant else 3)
    return [ResidualNetwork(problem, 6), Flow(problem, basis, 6)]


def by_differences(function: object, u: torch.Tensor) -> float:
    """Return the norm of a scalar's gradient by central differences."""
    assert callable(function)
    steps = 1e-6 * torch.eye(len(u), dtype=u.dtype)
    return float(torch.tensor([(function(u + e) - function(u - e)) / 2e-6 for e in steps]).norm())


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("step", [0, 2, 6])
def test_the_gradient_of_a_state_is_that_of_differences(regime: Regime, step: int) -> None:
    for objective in objectives(regime, "squared_error"):
        u = 0.4 * torch.randn(objective.coordinates.length, generator=torch.Generator().manual_seed(1)).double()
        x, e = objective.problem.x[1], torch.tensor([0.6, -0.8], dtype=torch.float64)
        expected = by_differences(lambda v, o=objective, x=x, e=e: o.trajectory(v, x[None])[step, 0] @ e, u)
        assert float(state_gradient(objective, u, x, step, e).norm()) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_the_gradient_of_a_prediction_is_that_of_differences(loss: str) -> None:
    for objective in objectives(Regime(), loss):
        u = 0.4 * torch.randn(objective.coordinates.length, generator=torch.Generator().manual_seed(2)).double()
        x, entry = objective.problem.x[2], objective.problem.output_dim - 1
        predict = objective.problem.loss.predict
        expected = by_differences(
            lambda v, o=objective, x=x, entry=entry, h=predict: h(o.output(v, x[None]))[0, entry], u
        )
        assert float(prediction_gradient(objective, u, x, entry).norm()) == pytest.approx(expected, rel=1e-6)
