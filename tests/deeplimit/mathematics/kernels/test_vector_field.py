"""Right-hand sides and their derivatives against automatic differentiation of the definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from deeplimit.mathematics.kernels.activations import ACTIVATIONS
from deeplimit.mathematics.kernels.vector_field import FieldValue, SingleLayer, TwoLayer, VectorField

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

NODES, SAMPLES, D, WIDTH = 3, 5, 4, 6
FIELDS: dict[str, tuple[type[VectorField], int, int]] = {
    "single": (SingleLayer, D, D),
    "two_layer": (TwoLayer, 2 * WIDTH, WIDTH),
}


def definition(field: VectorField, K: Tensor, b: Tensor, X: Tensor) -> Tensor:
    """f at one node and one sample, written down once more."""
    if isinstance(field, SingleLayer):
        return torch.tanh(K @ X + b)
    inner, outer = K[:WIDTH], K[WIDTH:]
    return outer.T @ torch.tanh(inner @ X + b)


@pytest.fixture(params=FIELDS)
def case(request: pytest.FixtureRequest) -> tuple[VectorField, FieldValue, Tensor, Tensor]:
    kind, rows, width = FIELDS[request.param]
    generator = torch.Generator().manual_seed(3)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    field = kind(ACTIVATIONS["tanh"])
    K, b = drawn(NODES, rows, D), drawn(NODES, width)
    return field, field.value(K, b, drawn(NODES, SAMPLES, D)), b, drawn(NODES, SAMPLES, D)


def each(at: FieldValue, make: Callable[[int, int], Tensor]) -> Tensor:
    """One tensor for every node and sample, as the definition gives it."""
    nodes, samples, _ = at.X.shape
    return torch.stack([torch.stack([make(i, s) for s in range(samples)]) for i in range(nodes)])


def test_the_value(case: tuple[VectorField, FieldValue, Tensor, Tensor]) -> None:
    field, at, b, _ = case
    torch.testing.assert_close(at.f, each(at, lambda i, s: definition(field, at.K[i], b[i], at.X[i, s])))


def test_the_derivative_along_all_three(case: tuple[VectorField, FieldValue, Tensor, Tensor]) -> None:
    field, at, b, dX = case
    dK, db = torch.sin(7.0 * at.K), torch.cos(5.0 * b)

    def along(i: int, s: int) -> Tensor:
        of = (at.K[i], b[i], at.X[i, s])
        direction = (dK[i], db[i], dX[i, s])
        found: Tensor = torch.autograd.functional.jvp(  # type: ignore[no-untyped-call]  # torch's own
            lambda *theta: definition(field, *theta), of, direction
        )[1]
        return found

    torch.testing.assert_close(field.push(at, dX, dK, db), each(at, along), rtol=1e-13, atol=1e-13)


def test_the_force_and_its_norms(case: tuple[VectorField, FieldValue, Tensor, Tensor]) -> None:
    field, at, b, p = case

    def force(i: int, s: int, of: int) -> Tensor:
        gradients = torch.func.grad(lambda K, b: definition(field, K, b, at.X[i, s]) @ p[i, s], argnums=(0, 1))
        found = gradients(at.K[i], b[i])[of]
        assert isinstance(found, torch.Tensor)
        return found

    for of, (sums, norms) in enumerate(zip(field.gradient(at, p), field.gradient_norms(at, p), strict=True)):
        wanted = each(at, lambda i, s, of=of: force(i, s, of))  # type: ignore[misc]  # bound in this turn
        torch.testing.assert_close(sums, wanted.sum(1), rtol=1e-13, atol=1e-13)
        torch.testing.assert_close(norms, wanted.flatten(2).norm(dim=2), rtol=1e-13, atol=1e-13)
