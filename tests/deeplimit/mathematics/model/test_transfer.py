"""Prolongation, restriction, the H¹ lift and the recovery sequence."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import legendre
from torch import Tensor

from deeplimit.mathematics import Problem, Regime, Weights
from deeplimit.mathematics.model.coordinates import DiscreteIncrements, LegendreIncrements, PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters, Flow
from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from deeplimit.mathematics.model.transfer import Model, Transfer, lift, prolong, recover, restrict

depths = st.integers(2, 24)
seeds = st.integers(0, 2**31)


def random_parameters(depth: int, seed: int) -> DiscreteParameters:
    generator = torch.Generator().manual_seed(seed)
    return DiscreteParameters(
        *(torch.randn(shape, generator=generator).double() for shape in ((depth, 3, 3), (depth, 3), (2, 3), (2,)))
    )


def seminorm(A: Tensor, tau: float = 1.0) -> float:
    """R_n(A) by its definition."""
    return len(A) * float((A[1:] - A[:-1]).square().sum()) + tau * float(A[0].square().sum())


def assert_equal(left: DiscreteParameters, right: DiscreteParameters) -> None:
    for name in "KbWc":
        torch.testing.assert_close(getattr(left, name), getattr(right, name), rtol=1e-12, atol=1e-12)


@given(depth=depths, factor=st.integers(1, 6), seed=seeds)
def test_restricting_what_was_prolonged_gives_it_back(depth: int, factor: int, seed: int) -> None:
    parameters = random_parameters(depth, seed)
    assert_equal(restrict(prolong(parameters, factor * depth), depth), parameters)


@given(depth=depths, finer=st.integers(0, 30), seed=seeds)
def test_prolongation_is_linear_interpolation_of_the_nodes(depth: int, finer: int, seed: int) -> None:
    parameters = random_parameters(depth, seed)
    fine = prolong(parameters, depth + finer)
    t, nodes = np.arange(depth + finer) / (depth + finer), np.arange(depth) / depth
    for name in "Kb":
        coarse = getattr(parameters, name).flatten(1).numpy()
        # np.interp is constant beyond the last node, as the lift is.
        expected = np.stack([np.interp(t, nodes, column) for column in coarse.T], 1)
        np.testing.assert_allclose(getattr(fine, name).flatten(1).numpy(), expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(fine.W, parameters.W)
    assert torch.equal(fine.c, parameters.c)


@given(depth=depths, seed=seeds)
def test_restriction_by_a_divisor_takes_every_kth_layer(depth: int, seed: int) -> None:
    parameters = random_parameters(3 * depth, seed)
    torch.testing.assert_close(restrict(parameters, depth).K, parameters.K[::3], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(restrict(parameters, depth).b, parameters.b[::3], rtol=1e-12, atol=1e-12)


@given(depth=depths, seed=seeds, tau=st.floats(0.1, 5.0))
def test_the_lift_keeps_the_regulariser(depth: int, seed: int, tau: float) -> None:
    parameters = random_parameters(depth, seed)
    lifted = lift(parameters)
    assert isinstance(lifted.basis, PiecewiseLinearIncrements)
    for name in "Kb":
        u = getattr(lifted, name).clone()
        u[0] *= tau**0.5
        assert float(u.square().sum()) == pytest.approx(seminorm(getattr(parameters, name), tau), rel=1e-11)


@given(depth=depths, factor=st.integers(2, 5), seed=seeds)
def test_prolongation_by_a_multiple_keeps_the_regulariser(depth: int, factor: int, seed: int) -> None:
    parameters = random_parameters(depth, seed)
    assert seminorm(prolong(parameters, factor * depth).K) == pytest.approx(seminorm(parameters.K), rel=1e-11)


@given(depth=depths, seed=seeds)
def test_repeating_layers_doubles_the_seminorm(depth: int, seed: int) -> None:
    K = random_parameters(depth, seed).K
    start = float(K[0].square().sum())
    doubled = seminorm(K.repeat_interleave(2, 0)) - start
    assert doubled == pytest.approx(2.0 * (seminorm(K) - start), rel=1e-11)


@given(depth=depths, seed=seeds)
def test_the_lift_passes_through_the_nodes_and_is_constant_beyond_the_last(depth: int, seed: int) -> None:
    parameters = random_parameters(depth, seed)
    t = torch.arange(depth, dtype=torch.float64) / depth
    K, b = lift(parameters).sample(t)
    torch.testing.assert_close(K, parameters.K, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(b, parameters.b, rtol=1e-11, atol=1e-11)
    beyond = torch.linspace((depth - 1) / depth, 1.0, 5, dtype=torch.float64)
    K, b = lift(parameters).sample(beyond)
    torch.testing.assert_close(K, parameters.K[-1:].expand_as(K), rtol=1e-11, atol=1e-11)
    assert float(lift(parameters).derivative(beyond[1:])[0].abs().max()) <= 1e-10 * depth


@given(degree=st.integers(1, 10), depth=depths, seed=seeds)
def test_the_recovery_sequence_samples_at_the_nodes(degree: int, depth: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    K, b = torch.randn(degree + 1, 2, 2, generator=generator), torch.randn(degree + 1, 2, generator=generator)
    W, c = torch.randn(1, 2, generator=generator), torch.randn(1, generator=generator)
    limit = ContinuumParameters(LegendreIncrements(degree), K.double(), b.double(), W.double(), c.double())
    recovered = recover(limit, depth)
    x = 2.0 * np.arange(depth) / depth - 1.0
    coefficients = limit.coefficients()
    for found, series in ((recovered.K, coefficients[0]), (recovered.b, coefficients[1])):
        expected = np.moveaxis(legendre.legval(x, series.numpy()), -1, 0)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-9)
    assert torch.equal(recovered.W, limit.W)
    assert torch.equal(recovered.c, limit.c)
    # Sampling then summing never exceeds the integral of the squared slope (Cauchy-Schwarz on every cell).
    increments = DiscreteIncrements(depth).coordinates(recovered.K, 1.0)
    assert float(increments.square().sum()) <= float(limit.K.square().sum()) * (1.0 + 1e-12)


def test_directions_that_make_no_sense() -> None:
    parameters = random_parameters(8, 0)
    with pytest.raises(ValueError, match="depth 4 is not finer than 8"):
        prolong(parameters, 4)
    with pytest.raises(ValueError, match="depth 16 is not coarser than 8"):
        restrict(parameters, 16)


@pytest.mark.parametrize(
    "basis", [(LegendreIncrements, 6, 9), (PiecewiseLinearIncrements, 6, 12)], ids=["legendre", "linear"]
)
@pytest.mark.parametrize("weights", [Weights.VARYING, Weights.CONSTANT])
def test_transfers_of_directions_are_adjoint_and_lengthen_nothing(
    basis: tuple[type[LegendreIncrements] | type[PiecewiseLinearIncrements], int, int], weights: Weights
) -> None:
    problem = Problem([[1.0], [-1.0]], [[2.0], [-2.0]], state_dim=2, regime=Regime(weights=weights))
    kind, *sizes = basis
    if weights is Weights.CONSTANT:
        kind, sizes = LegendreIncrements, [0, 0]
    models: list[Model] = [ResidualNetwork(problem, depth) for depth in (2, 4, 5, 8, 12)]
    models += [Flow(problem, kind(size), 24) for size in sizes]
    for source in models:
        for target in models:
            there, back = Transfer(source, target), Transfer(target, source)
            T = torch.stack([there(row) for row in torch.eye(source.coordinates.length, dtype=torch.float64)], 1)
            adjoint = torch.stack([back(row) for row in torch.eye(target.coordinates.length, dtype=torch.float64)], 0)
            torch.testing.assert_close(T, adjoint, rtol=0.0, atol=1e-12)
            assert float(torch.linalg.matrix_norm(T, 2)) <= 1.0 + 1e-12


def test_a_transfer_of_directions_is_the_prolongation_and_the_projection() -> None:
    problem = Problem([[1.0], [-1.0]], [[2.0], [-2.0]], state_dim=2)
    coarse, fine, flow = (
        ResidualNetwork(problem, 5),
        ResidualNetwork(problem, 10),
        Flow(problem, LegendreIncrements(7), 16),
    )
    u = coarse.random(torch.Generator().manual_seed(0), 1.0)
    prolonged = fine.encode(prolong(coarse.parameters(u), 10))
    torch.testing.assert_close(Transfer(coarse, fine)(u), prolonged, rtol=1e-12, atol=1e-12)
    projected = flow.project(lift(coarse.parameters(u)))
    torch.testing.assert_close(Transfer(coarse, flow)(u), projected, rtol=1e-12, atol=1e-12)
    sampled = fine.encode(recover(flow.parameters(projected), 10))
    torch.testing.assert_close(Transfer(flow, fine)(projected), sampled, rtol=1e-12, atol=1e-12)
