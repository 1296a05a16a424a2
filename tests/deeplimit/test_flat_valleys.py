"""Without a regulariser of the layers valleys are flat: a curvature that vanishes with the gradient is no saddle."""

import numpy as np
import pytest
import torch

from worker.deeplimit import Problem, Regime, Regularisation, Scaling
from worker.deeplimit.diagnostics.certificate import Certificate, Kind, certify, judge
from worker.deeplimit.diagnostics.lanczos import RitzPair
from worker.deeplimit.minimise import Budget, Solution, minimise
from worker.deeplimit.residual_network import ResidualNetwork


def network(depth: int = 16) -> tuple[ResidualNetwork, torch.Tensor]:
    """Six samples that 100 weights fit, so that the minimisers are a manifold; σ = sin keeps it bounded."""
    rng = np.random.default_rng(0)
    problem = Problem(
        rng.normal(size=(6, 2)),
        rng.normal(size=(6, 1)),
        activation="sin",
        regularisation=Regularisation(dict.fromkeys("KbWc", 1e-3)),
        regime=Regime(scaling=Scaling.NONE),
    )
    layered = ResidualNetwork(problem, depth)
    return layered, layered.random(torch.Generator().manual_seed(0), 0.5)


def certified(layered: ResidualNetwork, solution: Solution) -> tuple[float, Certificate]:
    assert solution.status.optimised
    found = certify(layered, solution)
    assert found.lambda_min is not None
    return found.lambda_min, found


def test_a_curvature_that_falls_with_the_gradient_is_degenerate() -> None:
    layered, start = network()
    rough = minimise(layered, start, Budget(gradient_tolerance=1e-7))
    curvature, found = certified(layered, rough)
    # Beyond ‖g‖ and √eps of the largest curvature, which is about 5.
    assert curvature < -rough.gradient_norm
    assert found.kind is Kind.DEGENERATE
    fine = minimise(layered, rough.u, Budget(gradient_tolerance=1e-11))
    polished, found = certified(layered, fine)
    assert abs(polished) < 1e-3 * abs(curvature)
    assert found.kind is Kind.DEGENERATE


@pytest.mark.parametrize(
    ("share", "kind"), [(-1.0, Kind.DEGENERATE), (-5.0, Kind.DEGENERATE), (-20.0, Kind.SADDLE), (-1e4, Kind.SADDLE)]
)
def test_how_many_gradients_a_saddle_is_steep(share: float, kind: Kind) -> None:
    layered, start = network(4)
    solution = minimise(layered, start, Budget(gradient_tolerance=1e-5))
    direction = torch.nn.functional.normalize(torch.ones_like(start), dim=0)
    pair = RitzPair(share * solution.gradient_norm, direction, 1e-15, largest=1.0, products=50, converged=True)
    assert judge(layered.problem, solution, pair).kind is kind
