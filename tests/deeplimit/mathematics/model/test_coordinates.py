"""Increment coordinates: the regulariser is ‖u‖², maps round-trip, transposes are adjoints, projections are exact."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import legendre
from torch import Tensor

from deeplimit.mathematics.model.coordinates import (
    ContinuumBasis,
    DiscreteIncrements,
    InterpolatedStages,
    LegendreIncrements,
    PiecewiseLinearIncrements,
    stages_of,
)
from deeplimit.mathematics.model.flow import stage_times
from tests.support import known_answers

BASES = [LegendreIncrements(1), LegendreIncrements(7), PiecewiseLinearIncrements(1), PiecewiseLinearIncrements(6)]

sizes = st.integers(2, 40)
taus = st.floats(0.05, 20.0)
seeds = st.integers(0, 2**31)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def times(count: int) -> Tensor:
    return torch.linspace(0.0, 1.0, count, dtype=torch.float64)


def integral_of_square(basis: ContinuumBasis, u: Tensor, pieces: int) -> float:
    """∫₀¹ ‖A'‖² by Gauss's rule on equal pieces."""
    nodes, weights = legendre.leggauss(12)
    t = torch.as_tensor(((np.arange(pieces)[:, None] + (nodes + 1.0) / 2.0) / pieces).ravel())
    squares = basis.derivative(u, t).square().flatten(1).sum(1)
    return float(squares @ torch.as_tensor(np.tile(weights / (2.0 * pieces), pieces)))


@given(size=sizes, tau=taus, seed=seeds)
def test_the_discrete_regulariser_is_the_squared_norm(size: int, tau: float, seed: int) -> None:
    map_ = DiscreteIncrements(size)
    u = normal(seed, size, 3, 2)
    A = map_.apply(u, tau)
    R = size * sum(float((A[i] - A[i - 1]).square().sum()) for i in range(1, size)) + tau * float(A[0].square().sum())
    assert pytest.approx(float(u.square().sum()), rel=1e-11) == R
    torch.testing.assert_close(map_.coordinates(A, tau), u, rtol=0.0, atol=1e-12 * size)
    torch.testing.assert_close(map_.apply(map_.coordinates(A, tau), tau), A, rtol=0.0, atol=1e-12 * size)


@given(size=sizes, tau=taus, seed=seeds)
def test_the_discrete_transpose_is_the_adjoint(size: int, tau: float, seed: int) -> None:
    map_ = DiscreteIncrements(size)
    u, g = normal(seed, size, 3, 2), normal(seed + 1, size, 3, 2)
    left, right = float((map_.apply(u, tau) * g).sum()), float((u * map_.transpose(g, tau)).sum())
    assert left == pytest.approx(right, rel=1e-11, abs=1e-11 * size)


@pytest.mark.parametrize("basis", BASES, ids=lambda basis: f"{basis.family} {basis.size}")
@given(tau=taus, steps=st.integers(1, 12), seed=seeds)
def test_the_continuum_transpose_is_the_adjoint(basis: ContinuumBasis, tau: float, steps: int, seed: int) -> None:
    map_ = stages_of(basis, stage_times(steps))
    u, g = normal(seed, basis.size, 3, 2), normal(seed + 1, 4 * steps, 3, 2)
    left, right = float((map_.apply(u, tau) * g).sum()), float((u * map_.transpose(g, tau)).sum())
    assert left == pytest.approx(right, rel=1e-11, abs=1e-10)
    torch.testing.assert_close(map_.apply(u, tau), basis.sample(u, tau, stage_times(steps)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("basis", BASES, ids=lambda basis: f"{basis.family} {basis.size}")
@given(tau=taus, seed=seeds)
def test_the_continuum_regulariser_is_the_squared_norm(basis: ContinuumBasis, tau: float, seed: int) -> None:
    u = normal(seed, basis.size, 3, 2)
    start = basis.sample(u, tau, torch.zeros(1, dtype=torch.float64))
    R = tau * float(start.square().sum()) + integral_of_square(basis, u, 6)
    assert pytest.approx(float(u.square().sum()), rel=1e-11) == R


def test_the_matrix_is_the_samples() -> None:
    basis, t = LegendreIncrements(7), times(31)
    u = normal(3, basis.size, 2)
    torch.testing.assert_close(basis.matrix(t, 0.7) @ u, basis.sample(u, 0.7, t), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
@pytest.mark.parametrize("cells", [1, 6, 50])
def test_interpolation_is_the_ramp_matrix(cells: int, dtype: torch.dtype, tolerance: float) -> None:
    """u_0/√τ and, for every cell, u_i/√M times the share of the cell that t has gone through."""
    basis, t, tau = PiecewiseLinearIncrements(cells), stage_times(3 * cells).to(dtype), 0.7
    edges = torch.arange(cells, dtype=dtype)
    ramps = torch.clamp(t[:, None] * cells - edges, 0.0, 1.0) / math.sqrt(cells)
    matrix = torch.cat([torch.full_like(t, 1.0 / math.sqrt(tau))[:, None], ramps], 1)
    map_ = InterpolatedStages(basis, t)
    u, g = normal(3, cells + 1, 2).to(dtype), normal(4, len(t), 2).to(dtype)
    scale = math.sqrt(cells) * float(u.abs().max() * g.abs().max())
    torch.testing.assert_close(map_.apply(u, tau), matrix @ u, rtol=0.0, atol=scale * tolerance)
    torch.testing.assert_close(map_.transpose(g, tau), matrix.T @ g, rtol=0.0, atol=len(t) * scale * tolerance)


def test_interpolation_keeps_one_number_or_two_for_each_stage() -> None:
    """A matrix would hold 4097 for each."""
    map_ = InterpolatedStages(PiecewiseLinearIncrements(4096), stage_times(8192))
    held = [value for value in vars(map_).values() if isinstance(value, Tensor)]
    assert 0 < sum(value.numel() for value in held) <= 2 * 4 * 8192


@given(degree=st.integers(0, 20), tau=taus, seed=seeds)
def test_legendre_against_numpy(degree: int, tau: float, seed: int) -> None:
    """A(t) = u_0/√τ + Σ u_{k+1} √(2k+1) ∫₀ᵗ P_k(2s − 1) ds."""
    basis, u, t = LegendreIncrements(degree), normal(seed, degree + 1), times(23)
    slope = np.sqrt(2.0 * np.arange(degree) + 1.0) * u[1:].numpy()
    series = legendre.legint(slope, lbnd=-1.0) / 2.0 if degree else np.zeros(1)
    series[0] += float(u[0]) / math.sqrt(tau)
    np.testing.assert_allclose(basis.coefficients(u, tau).numpy(), series, rtol=1e-12, atol=1e-12)
    x = 2.0 * t.numpy() - 1.0
    np.testing.assert_allclose(basis.sample(u, tau, t).numpy(), legendre.legval(x, series), rtol=1e-10, atol=1e-10)
    if degree:
        np.testing.assert_allclose(basis.derivative(u, t).numpy(), legendre.legval(x, slope), rtol=1e-10, atol=1e-10)


@given(cells=st.integers(1, 20), tau=taus, seed=seeds)
def test_piecewise_linear_against_numpy(cells: int, tau: float, seed: int) -> None:
    basis, u, t = PiecewiseLinearIncrements(cells), normal(seed, cells + 1), times(37)
    nodes = basis.apply(u, tau)
    expected = np.interp(t.numpy(), np.arange(cells + 1) / cells, nodes.numpy())
    np.testing.assert_allclose(basis.sample(u, tau, t).numpy(), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(basis.coordinates(nodes, tau), u, rtol=1e-11, atol=1e-11)


@given(cells=st.integers(1, 9), degree=st.integers(1, 12), tau=taus, seed=seeds)
def test_projection_onto_legendre_keeps_the_start_and_the_moments_of_the_slope(
    cells: int, degree: int, tau: float, seed: int
) -> None:
    fine, nodes = PiecewiseLinearIncrements(cells), normal(seed, cells + 1, 2)
    basis = LegendreIncrements(degree)
    u = basis.project(nodes, tau)
    torch.testing.assert_close(u[0], nodes[0] * math.sqrt(tau))
    slope = (nodes[1:] - nodes[:-1]).numpy() * cells
    points, weights = legendre.leggauss(12)
    t = ((np.arange(cells)[:, None] + (points + 1.0) / 2.0) / cells).ravel()
    w = np.tile(weights / (2.0 * cells), cells)
    phi = legendre.legvander(2.0 * t - 1.0, degree - 1) * np.sqrt(2.0 * np.arange(degree) + 1.0)
    np.testing.assert_allclose(u[1:].numpy(), (phi * w[:, None]).T @ np.repeat(slope, 12, 0), rtol=1e-10, atol=1e-10)
    # A projection never lengthens: the seminorm of the lift bounds its own.
    assert float(u.square().sum()) <= float(fine.coordinates(nodes, tau).square().sum()) * (1.0 + 1e-12)


@given(degree=st.integers(0, 8), more=st.integers(0, 8), seed=seeds)
def test_refining_legendre_is_exact(degree: int, more: int, seed: int) -> None:
    coarse, fine, u = LegendreIncrements(degree), LegendreIncrements(degree + more), normal(seed, degree + 1, 2)
    refined = coarse.refine(u, fine)
    torch.testing.assert_close(fine.sample(refined, 1.0, times(9)), coarse.sample(u, 1.0, times(9)))
    assert torch.equal(refined[: degree + 1], u)
    assert not refined[degree + 1 :].any()


@given(cells=st.integers(1, 8), factor=st.integers(1, 5), seed=seeds)
def test_refining_and_interpolating_piecewise_linear_functions_is_exact(cells: int, factor: int, seed: int) -> None:
    coarse, fine = PiecewiseLinearIncrements(cells), PiecewiseLinearIncrements(factor * cells)
    u = normal(seed, cells + 1, 2)
    refined = coarse.refine(u, fine)
    torch.testing.assert_close(fine.sample(refined, 1.0, times(41)), coarse.sample(u, 1.0, times(41)))
    assert float(refined.square().sum()) == pytest.approx(float(u.square().sum()), rel=1e-11)
    projected = fine.project(coarse.apply(u, 1.0), 2.5)
    refined[0] *= math.sqrt(2.5)
    torch.testing.assert_close(projected, refined)


def test_a_known_seminorm() -> None:
    """F: K(t) = t − t²/2 at ten nodes."""
    t = torch.arange(10, dtype=torch.float64) / 10
    u = DiscreteIncrements(10).coordinates(t - t.square() / 2.0, 1.0)
    assert float(u.square().sum()) == pytest.approx(known_answers.F_SEMINORM, rel=1e-14)
