"""The preconditioner that a search for one model's smallest eigenvalue gives the next one."""

import torch
from torch import Tensor

from deeplimit.mathematics.minimise.davidson import smallest_eigenvalue
from deeplimit.mathematics.minimise.searched import Searched

_LENGTH = 200


def _operator(seed: int, low: float) -> Tensor:
    """Return a symmetric positive matrix (length, length) with many soft directions and a stiff end."""
    draw = torch.randn(_LENGTH, _LENGTH, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    vectors = torch.linalg.qr(draw).Q
    values = torch.cat([torch.linspace(low, 0.3, 20), torch.ones(_LENGTH - 30), torch.linspace(2.0, 50.0, 10)])
    matrix: Tensor = (vectors * values.double()) @ vectors.T
    return matrix


def test_the_span_is_solved_exactly_and_the_operator_stays_symmetric_and_positive() -> None:
    H = _operator(0, 0.01)
    vectors = torch.linalg.qr(torch.randn(_LENGTH, 12, generator=torch.Generator().manual_seed(1)).double()).Q.T
    searched = Searched(vectors, vectors @ H)
    solve = searched.improved(lambda v: v / 3.0)
    for vector, product in zip(searched.vectors, searched.products, strict=True):
        torch.testing.assert_close(solve(product), vector, rtol=0.0, atol=1e-10)
    M = torch.stack([solve(row) for row in torch.eye(_LENGTH, dtype=torch.float64)])
    torch.testing.assert_close(M, M.T, rtol=0.0, atol=1e-10)
    assert float(torch.linalg.eigvalsh(M)[0]) > 0.0


def test_a_span_of_negative_curvature_is_left_out() -> None:
    vectors = torch.eye(_LENGTH, dtype=torch.float64)[:3]
    solve = Searched(vectors, -vectors).improved(lambda v: 2.0 * v)
    v = torch.ones(_LENGTH, dtype=torch.float64)
    torch.testing.assert_close(solve(v), 2.0 * v)


def test_the_next_search_takes_fewer_products_and_finds_the_same() -> None:
    H = _operator(0, 0.01)
    bent = H + 1e-3 * _operator(3, 0.5)
    inverse = torch.linalg.inv(torch.diag(torch.diagonal(H)))
    start = torch.randn(_LENGTH, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    first = smallest_eigenvalue(
        lambda v: H @ v, start, precondition=lambda v: inverse @ v, tolerance=1e-3, max_products=150, kept=24
    )
    assert first.searched is not None
    exact = float(torch.linalg.eigvalsh(bent)[0])
    products = []
    for precondition in (lambda v: inverse @ v, first.searched.improved(lambda v: inverse @ v)):
        found = smallest_eigenvalue(
            lambda v: bent @ v,
            first.vector + 0.3 * start / start.norm(),
            precondition=precondition,
            tolerance=1e-2,
            least_products=6,
            max_products=150,
        )
        assert found.converged
        assert exact <= found.value <= exact + found.error
        products.append(found.products)
    assert products[1] < 0.7 * products[0]


def test_nothing_is_preconditioned_that_no_product_follows() -> None:
    H = _operator(0, 0.01)
    calls = 0

    def precondition(v: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return v / torch.diagonal(H)

    start = torch.randn(_LENGTH, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = smallest_eigenvalue(lambda v: H @ v, start, precondition=precondition, tolerance=1e-2, max_products=150)
    assert found.converged
    assert calls == found.products - 1
