"""Without a regulariser of the layers valleys are flat: a curvature that vanishes with the gradient is no saddle."""

import numpy as np
import pytest
import torch

from deeplimit.mathematics import Problem, Regime, Regularisation, Scaling
from deeplimit.mathematics.minimise import Budget, minimise
from deeplimit.mathematics.minimise.certificate import Kind, certify, judge
from deeplimit.mathematics.minimise.davidson import RitzPair
from deeplimit.mathematics.model.residual_network import ResidualNetwork


def network(depth: int) -> ResidualNetwork:
    """Six samples and more weights than they determine, so that the minimisers are a manifold."""
    rng = np.random.default_rng(0)
    problem = Problem(
        rng.normal(size=(6, 2)),
        rng.normal(size=(6, 1)),
        activation="sin",
        kernel="torch",  # which points are met, and how steep they are, rounding decides
        regularisation=Regularisation(dict.fromkeys("KbWc", 1e-3)),
        regime=Regime(scaling=Scaling.NONE),
    )
    return ResidualNetwork(problem, depth)


def start(layered: ResidualNetwork, seed: int) -> torch.Tensor:
    return layered.random(torch.Generator().manual_seed(seed), 0.5)


def test_curvatures_that_fall_with_the_gradient_are_degenerate() -> None:
    layered, shares, curvatures = network(8), [], []
    for seed in (0, 2):
        u = start(layered, seed)
        for tolerance in (1e-5, 1e-6, 1e-7, 1e-8, 1e-10):
            solution = minimise(layered, u, Budget(gradient_tolerance=tolerance))
            assert solution.status.optimised
            u, found = solution.u, certify(layered, solution)
            assert found.lambda_min is not None
            assert found.kind is Kind.DEGENERATE
            shares.append(-found.lambda_min / solution.gradient_norm)
            curvatures.append(abs(found.lambda_min))
    # Many are steeper than ‖g‖, and none stays when the gradient goes: there is no saddle.
    assert max(shares) > 1.5
    assert max(curvatures[4::5]) < 1e-3 * max(curvatures[::5])


@pytest.mark.parametrize(
    ("share", "kind"), [(-1.0, Kind.DEGENERATE), (-5.0, Kind.DEGENERATE), (-20.0, Kind.SADDLE), (-1e4, Kind.SADDLE)]
)
def test_how_many_gradients_a_saddle_is_steep(share: float, kind: Kind) -> None:
    layered = network(4)
    solution = minimise(layered, start(layered, 0), Budget(gradient_tolerance=1e-5))
    direction = torch.nn.functional.normalize(torch.ones_like(solution.u), dim=0)
    pair = RitzPair(share * solution.gradient_norm, direction, 1e-15, largest=1.0, products=50, converged=True)
    assert judge(layered.problem, solution, pair).kind is kind
