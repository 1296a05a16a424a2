"""What implicit Euler does with layers whose linear systems have no solution."""

import torch

from deeplimit.mathematics import Integrator, Problem, Regime
from deeplimit.mathematics.minimise import Budget, minimise
from deeplimit.mathematics.minimise.certificate import certify
from deeplimit.mathematics.minimise.solution import Status
from deeplimit.mathematics.model.residual_network import ResidualNetwork

STEPS = 2


def network(K: float) -> tuple[ResidualNetwork, torch.Tensor]:
    """Two layers of size ½ with σ = identity: I − hσ'K is 1 − K/2."""
    regime = Regime(integrator=Integrator.IMPLICIT_EULER)
    problem = Problem([[1.0]], [[1.0]], activation="identity", regime=regime, fixed={"K": [[K]]})
    layered = ResidualNetwork(problem, STEPS)
    return layered, torch.ones(layered.coordinates.length, dtype=torch.float64)


def test_a_singular_layer_gives_no_number_and_no_exception() -> None:
    layered, u = network(2.0)
    assert not torch.isfinite(torch.tensor(layered.value(u)))
    assert not torch.isfinite(layered.evaluate(u).gradient).all()
    product = layered.linearise(u).hessian_product(u)
    assert not torch.isfinite(product).all()


def test_a_minimisation_from_there_ends_with_a_status() -> None:
    layered, u = network(2.0)
    solution = minimise(layered, u, Budget())
    assert solution.status is Status.DIVERGED
    assert certify(layered, solution).kind is None


def test_a_layer_that_can_be_solved_does() -> None:
    layered, u = network(1.0)
    assert torch.isfinite(layered.linearise(u).hessian_product(u)).all()
    assert minimise(layered, u, Budget()).status is Status.CONVERGED
