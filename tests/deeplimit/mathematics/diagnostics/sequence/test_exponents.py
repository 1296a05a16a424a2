"""Exponents of power laws in the depth and their intervals."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from deeplimit.mathematics.diagnostics.sequence.exponents import Estimated, exponent, mean
from deeplimit.mathematics.diagnostics.sequence.scaling import Path, growth
from tests.support import sequences

DEPTHS = np.array([8.0, 16.0, 32.0, 64.0])


def fitted(depths: sequences.Floats, values: sequences.Floats) -> Estimated:
    found = exponent(depths.tolist(), values.tolist())
    assert found is not None
    return found


def holds(found: Estimated, value: float) -> bool:
    return found.low <= value <= found.high


def test_a_law_without_scatter_is_found() -> None:
    found = fitted(DEPTHS, 3.0 * DEPTHS**-0.5)
    assert found.value == pytest.approx(-0.5, abs=1e-6)
    assert holds(found, -0.5)
    assert found.high - found.low < 0.1


def test_too_little_has_no_interval_or_no_exponent() -> None:
    two = exponent([8, 16], [1.0, 2.0])
    assert two is not None
    assert two.value == pytest.approx(1.0)
    assert math.isinf(two.high)
    assert exponent([8, 8], [1.0, 2.0]) is None
    assert exponent([8, 16, 32], [1.0, 0.0, 1.0]) is None
    assert math.isinf(mean([0.5]).low)


@pytest.mark.parametrize("c", [-3.0, -1.0, 0.5, 2.0])
@pytest.mark.parametrize("gamma", [-1.0, 0.0, 0.5])
def test_what_approaches_its_law_like_1_over_n_is_not_taken_for_another(c: float, gamma: float) -> None:
    """Least squares on log n takes the approach for slope, and its 95 % interval need not hold the exponent."""
    found = fitted(DEPTHS, DEPTHS**gamma * np.exp(c / DEPTHS))
    assert holds(found, gamma)
    assert found.high - found.low < 0.2
    assert not holds(found, gamma + 0.25)


@pytest.mark.parametrize("shrinking", [0.0, 0.5])
def test_intervals_cover(shrinking: float) -> None:
    """About 95 of 100 hold the exponent, of scatter that falls or does not; far fewer a wrong one."""
    rng = np.random.default_rng(1)
    n = np.repeat(DEPTHS, 3)
    scatter = 0.1 * (n / 8.0) ** -shrinking
    found = [fitted(n, n**-0.5 * np.exp(scatter * rng.normal(size=12))) for _ in range(200)]
    assert 0.92 <= np.mean([holds(each, -0.5) for each in found]) <= 1.0
    assert np.mean([holds(each, -0.2) for each in found]) < 0.2


MEASURES: dict[str, Callable[[Path], float]] = {
    "R": lambda path: path.seminorm * path.share_of_increments,
    "1-variation": lambda path: path.variation(1.0) * path.share_of_increments,
    "2-variation": lambda path: path.variation(2.0) * path.share_of_increments,
}


@pytest.mark.parametrize(
    ("beta", "exponents"), [(0.25, (1.5, 0.75, 0.5)), (0.5, (1.0, 0.5, 0.0)), (0.75, (0.5, 0.25, -0.5))]
)
def test_variations_of_independent_layers(beta: float, exponents: tuple[float, float, float]) -> None:
    """Without n/(n − 1), the sums over n − 1 increments have exponents that are 0.05 too large at these depths."""
    for (name, measure), true in zip(MEASURES.items(), exponents, strict=True):
        held, values = [], []
        for seed in range(40):
            paths = [
                Path(np.asarray(each.layers["K"]).reshape(-1, 9))
                for each in sequences.gaussian((4, 8, 16, 32), beta, seed)
            ]
            found = growth(paths, measure)
            assert found is not None
            held.append(holds(found, true))
            values.append(found.value)
        assert np.mean(held) >= 0.9, name
        assert np.mean(values) == pytest.approx(true, abs=0.08), name
