"""The exact p-variation of a path."""

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deeplimit.mathematics.diagnostics.sequence.p_variation import p_variation_sum

Floats = npt.NDArray[np.float64]
P = st.floats(1.0, 4.0)
COORDINATES = st.floats(-3.0, 3.0, allow_subnormal=False)
PATHS = st.tuples(st.integers(1, 8), st.integers(1, 3)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=COORDINATES)
)


def over_partition(path: Floats, points: tuple[int, ...], p: float) -> float:
    return float((np.linalg.norm(np.diff(path[list(points)], axis=0), axis=1) ** p).sum())


def by_brute_force(path: Floats, p: float) -> float:
    """The largest sum over every partition."""
    indices = range(len(path))
    return max(over_partition(path, points, p) for size in indices for points in combinations(indices, size + 1))


def finest(path: Floats, p: float) -> float:
    return over_partition(path, tuple(range(len(path))), p)


def test_known_answers() -> None:
    assert p_variation_sum([0.0, 1.0, 0.5, 1.5], 3.0) == 3.375
    assert p_variation_sum([(-1.0) ** i for i in range(9)], 2.0) == 32.0


def test_the_finest_partition_is_not_the_answer() -> None:
    """What a sum over neighbours would report for the known answer: the control of the maximum over partitions."""
    assert finest(np.array([[0.0], [1.0], [0.5], [1.5]]), 3.0) == 2.125


def test_one_variation_compares_neighbours_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the triangle inequality the finest partition is the supremum; no pair of distances is looked at."""
    path = np.random.default_rng(1).normal(size=(9, 2))
    assert p_variation_sum(path, 1.0) == pytest.approx(by_brute_force(path, 1.0), rel=1e-14)
    monkeypatch.setattr("deeplimit.mathematics.diagnostics.sequence.p_variation.cdist", None)
    long = np.tile([0.0, 1.0], 50_000)
    assert p_variation_sum(long, 1.0) == 99_999.0
    with pytest.raises(TypeError):
        p_variation_sum(long, 2.0)


def test_a_checkpoint_stops_it_between_blocks() -> None:
    calls = 0

    def checkpoint() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise InterruptedError

    path = np.random.default_rng(0).normal(size=2000)
    with pytest.raises(InterruptedError):
        p_variation_sum(path, 2.0, checkpoint)
    assert calls == 3


def test_a_monotone_path_is_one_step() -> None:
    path = np.linspace(0.0, 3.0, 50)
    assert p_variation_sum(path, 2.0) == pytest.approx(9.0, rel=1e-14)
    assert p_variation_sum(path, 1.0) == pytest.approx(3.0, rel=1e-13)


def test_a_long_path_crosses_blocks_of_distances() -> None:
    path = np.random.default_rng(0).normal(size=(700, 2)).cumsum(axis=0)
    best = np.zeros(len(path))
    for j in range(1, len(path)):
        best[j] = (best[:j] + np.linalg.norm(path[j] - path[:j], axis=1) ** 2.5).max()
    assert p_variation_sum(path, 2.5) == pytest.approx(best[-1], rel=1e-12)


@given(PATHS, P)
@settings(deadline=None)
def test_it_is_the_supremum_over_every_partition(path: Floats, p: float) -> None:
    assert p_variation_sum(path, p) == pytest.approx(by_brute_force(path, p), rel=1e-12, abs=1e-300)


@given(PATHS, P, st.data())
@settings(deadline=None)
def test_a_part_of_a_path_has_no_more(path: Floats, p: float, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(path) - 1))
    stop = data.draw(st.integers(start + 1, len(path)))
    whole = p_variation_sum(path, p)
    assert p_variation_sum(path[start:stop], p) <= whole * (1.0 + 1e-12)
    assert finest(path, p) <= whole * (1.0 + 1e-12) + 1e-300


@given(PATHS)
@settings(deadline=None)
def test_for_p_one_the_finest_partition_is_the_answer(path: Floats) -> None:
    assert p_variation_sum(path, 1.0) == pytest.approx(finest(path, 1.0), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize(("path", "p"), [([], 2.0), ([0.0, np.nan], 2.0), ([0.0, 1.0], 0.5), ([0.0, 1.0], np.inf)])
def test_what_has_no_p_variation_is_refused(path: list[float], p: float) -> None:
    with pytest.raises(ValueError, match=r"p must|a path"):
        p_variation_sum(path, p)
