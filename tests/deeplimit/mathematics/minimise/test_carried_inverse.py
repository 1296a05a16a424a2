"""What is carried of the inverse Hessian from one model to another."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from deeplimit.mathematics import Regime, Scaling
from deeplimit.mathematics.minimise import Budget, minimise
from deeplimit.mathematics.minimise.carried_inverse import KnownCurvature, inverse_hessian_of, most_pairs
from deeplimit.mathematics.minimise.lbfgs import MEMORY, InverseHessian
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.problem.learning_problem import Problem, Regularisation
from tests.support import known_answers

if TYPE_CHECKING:
    from deeplimit.mathematics.model.transfer import Model


def normal(length: int, seed: int) -> Tensor:
    return torch.randn(length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def positive(size: int) -> Tensor:
    A = normal(size * size, 0).view(size, size)
    return A @ A.T + torch.eye(size, dtype=torch.float64)


def two_loops(pairs: deque[tuple[Tensor, Tensor]], scale: float, g: Tensor) -> Tensor:
    """Nocedal and Wright's algorithm 7.4."""
    q, kept = g.clone(), []
    for s, y in reversed(pairs):
        kept.append((s @ q) / (s @ y))
        q -= kept[-1] * y
    q *= scale
    for (s, y), weight in zip(pairs, reversed(kept), strict=True):
        q += s * (weight - (y @ q) / (s @ y))
    return q


@pytest.mark.parametrize("memory", [3, 20, 60])
def test_the_recursion_is_that_of_two_loops(memory: int) -> None:
    A, inverse = positive(40), InverseHessian(memory)
    pairs: deque[tuple[Tensor, Tensor]] = deque(maxlen=memory)
    for seed in range(2 * min(memory, 25)):
        s = normal(40, seed)
        y = A @ s
        inverse.update(s, y)
        pairs.append((s, y))
        g = normal(40, 1000 + seed)
        expected = two_loops(pairs, float((s @ y) / (y @ y)), g)
        torch.testing.assert_close(inverse.apply(g), expected, rtol=1e-8, atol=1e-10)


def learnt(model: Model, seed: int = 0) -> InverseHessian:
    start = 0.5 * normal(model.coordinates.length, seed)
    inverse = inverse_hessian_of(model)
    minimise(model, start, Budget(1e-9), inverse=inverse)
    return inverse


def two_moons() -> list[Model]:
    problem = known_answers.two_moons()
    flow = Flow(problem, LegendreIncrements(8), 16)
    return [ResidualNetwork(problem, 4), ResidualNetwork(problem, 7), ResidualNetwork(problem, 8), flow]


def test_what_is_carried_is_symmetric_and_positive() -> None:
    models = two_moons()
    for near in models:
        inverse = learnt(near)
        for model in models:
            carried = inverse_hessian_of(model, KnownCurvature(near, inverse))
            identity = torch.eye(model.coordinates.length, dtype=torch.float64)
            for share in (1.0, 0.01):
                H = torch.stack([carried.apply(row, share) for row in identity])
                assert float((H - H.T).abs().max()) <= 1e-9 * float(H.abs().max())
                assert float(torch.linalg.eigvalsh(H)[0]) > 0.0


def test_a_nearly_exact_hessian_of_one_depth_is_that_of_the_next() -> None:
    """Preconditioned by what depth 8 knows, the Hessian at depth 16 has a condition near 1."""
    problem = known_answers.odd_pair("tanh")
    coarse, fine = ResidualNetwork(problem, 8), ResidualNetwork(problem, 16)
    solution = minimise(fine, 0.5 * normal(fine.coordinates.length, 1), Budget(1e-10))
    at = minimise(
        coarse, 0.5 * normal(coarse.coordinates.length, 1), Budget(1e-10), inverse=(known := InverseHessian(99))
    )
    hessian = coarse.linearise(at.u)
    for row in torch.eye(coarse.coordinates.length, dtype=torch.float64):
        known.update(row, hessian.hessian_product(row))
    carried = inverse_hessian_of(fine, KnownCurvature(coarse, known))
    product = fine.linearise(solution.u).hessian_product
    identity = torch.eye(fine.coordinates.length, dtype=torch.float64)
    H = torch.stack([product(row) for row in identity])
    K = torch.stack([carried.apply(row) for row in identity])
    plain = torch.linalg.eigvalsh(H)
    values = torch.linalg.eigvals(K @ H).real.sort().values
    assert float(values[-1] / values[0]) < 3.0
    assert float(plain[-1] / plain[0]) > 50.0


def test_the_share_is_fitted_to_the_last_pair() -> None:
    models = two_moons()
    carried = inverse_hessian_of(models[1], KnownCurvature(models[0], learnt(models[0])))
    s = normal(models[1].coordinates.length, 5)
    carried.update(s, 400.0 * 2e-3 * s)  # far steeper than the regulariser's 2α = 2e-3 everywhere
    assert 3e-3 <= carried.share < 0.2
    assert carried.known
    carried.clear()
    assert not carried.known


def test_nothing_is_carried_where_nothing_holds() -> None:
    def network(**options: Any) -> ResidualNetwork:
        weights = Regularisation(dict.fromkeys("KbWc", 0.05))
        return ResidualNetwork(Problem([[1.0], [-1.0]], [[2.0], [-2.0]], regularisation=weights, **options), 6)

    for one in (network(activation="relu"), network(regime=Regime(scaling=Scaling.L2))):
        known = KnownCurvature(one, learnt(one))
        assert inverse_hessian_of(one, known).initial is None
    one = network()
    assert inverse_hessian_of(one, KnownCurvature(one, None)).initial is None
    assert inverse_hessian_of(one, KnownCurvature(one, learnt(one))).initial is not None


def test_pairs_are_as_many_as_are_worth_their_work_and_memory() -> None:
    assert most_pairs(two_moons()[0]) == 100
    digits = Problem(
        torch.zeros(1797, 64).numpy(), [0, 1, 2] * 599, loss="cross_entropy", regularisation=Regularisation()
    )
    assert most_pairs(ResidualNetwork(digits, 4)) == 449
    assert MEMORY <= most_pairs(ResidualNetwork(digits, 512)) < 100
