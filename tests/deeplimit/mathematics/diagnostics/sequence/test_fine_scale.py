"""Roughness beneath a smooth part, and jumps."""

import numpy as np
import pytest

from deeplimit.mathematics.diagnostics.sequence.classification import Classification, classify
from deeplimit.mathematics.diagnostics.sequence.fine_scale import difference_size, find_jump, flattens, spread
from deeplimit.mathematics.diagnostics.sequence.scaling import NetworkWeights, Path
from deeplimit.mathematics.diagnostics.sequence.sequence_class import Evidence, SequenceClass
from tests.support import sequences
from tests.support.sequences import Floats

DEPTHS = (8, 16, 32, 64)


def evidence(found: Classification, name: str) -> Evidence:
    return next(row for row in found.evidence if row.name == name)


def with_steps(depths: tuple[int, ...], places: tuple[float, ...], size: float = 1.0) -> list[NetworkWeights]:
    """A smooth K, and a b that jumps in every coordinate at each place."""

    def b(n: int) -> Floats:
        passed = (np.arange(n)[:, None] / n >= np.array(places)).sum(axis=1)
        return np.asarray(sequences.smooth_path(n, (3,), 2) + size * passed[:, None])

    return sequences.of(lambda n: sequences.smooth_path(n, (3, 3), 1), b, depths)


def test_differences_have_the_size_of_independent_layers() -> None:
    path = Path(np.random.default_rng(0).normal(size=(20000, 2)))
    for order in (1, 3, 5):
        assert difference_size(path, order) == pytest.approx(np.sqrt(2.0), rel=0.02)
    assert difference_size(Path(np.arange(10.0)[:, None] ** 2), 3) == 0.0


def test_what_stops_falling_is_seen_before_it_is_all_there_is() -> None:
    n = np.array(DEPTHS, dtype=float)
    smooth, kinked = 50.0 * n**-5.0, 2.0 * n**-1.5
    assert not flattens(list(zip(DEPTHS, smooth, strict=True)))
    assert not flattens(list(zip(DEPTHS, kinked, strict=True)))
    assert flattens(list(zip(DEPTHS, smooth + 0.01 * n**-0.5, strict=True)))


def test_steps_of_jumps_are_few_and_those_of_noise_are_many() -> None:
    rng = np.random.default_rng(0)
    assert spread(Path(rng.normal(size=(2000, 1)).cumsum(axis=0))) == pytest.approx(1.0 / 3.0, abs=0.04)
    assert spread(Path((np.arange(100.0) > 50)[:, None].astype(float))) == pytest.approx(1.0 / 99.0)
    assert spread(Path(np.arange(9.0)[:, None])) == pytest.approx(1.0)


@pytest.mark.parametrize("size", [0.3, 1.0, 3.0])
def test_a_jump_is_named(size: float) -> None:
    """It has bounded variation and a limit in L², none in H¹; it was called rough."""
    found = classify(with_steps(DEPTHS, (0.4,), size))
    assert found.sequence_class is SequenceClass.NO_LIMIT
    row = evidence(found, "jump_b")
    assert row.value == pytest.approx(size * np.sqrt(3.0), rel=0.05)
    assert row.supports is SequenceClass.NO_LIMIT
    assert "between layers 25 and 26 of 64, at t = 0.406;" in row.detail
    assert "the 1-variation is bounded, and in L² the depths approach a limit" in row.detail
    assert all(row.supports is not SequenceClass.ROUGH for row in found.evidence)


def test_several_jumps_are_counted() -> None:
    found = classify(with_steps(DEPTHS, (0.2, 0.5, 0.8)))
    assert found.sequence_class is SequenceClass.NO_LIMIT
    assert "the largest of 3" in evidence(found, "jump_b").detail


@pytest.mark.parametrize(("layer", "between"), [(0, "layers 0 and 1 of 64"), (-1, "layers 62 and 63 of 64")])
def test_one_layer_off_is_a_jump(layer: int, between: str) -> None:
    networks = sequences.smooth(DEPTHS)
    for network in networks:
        np.asarray(network.layers["K"])[layer] += 1.0
    found = classify(networks)
    assert found.sequence_class is SequenceClass.NO_LIMIT
    assert between in evidence(found, "jump").detail


def test_what_is_no_jump() -> None:
    """Steps that become steeper, kinks, and the increments of rough paths."""
    t = [np.arange(n)[:, None] / n for n in DEPTHS]
    assert find_jump([Path(np.tanh(2.0 * np.sqrt(len(each)) * (each - 0.41))) for each in t]) is None
    assert find_jump([Path(np.abs(each - 0.41)) for each in t]) is None
    assert find_jump([Path(np.sin(3.0 * each)) for each in t]) is None
    for k in (1, 2, 12):
        rng = np.random.default_rng(k)
        for _ in range(30):
            noise = [rng.normal(size=(n, k)) for n in DEPTHS]
            assert find_jump([Path(each) for each in noise]) is None
            assert find_jump([Path(each.cumsum(axis=0) / np.sqrt(len(each))) for each in noise]) is None


@pytest.mark.parametrize("seed", range(4))
def test_noise_beneath_a_smooth_part_is_no_h1_limit(seed: int) -> None:
    """Noise of size 0.02 n^{−½} adds a hundredth to R_n at these depths, and ever more as they grow."""
    rng = np.random.default_rng(seed)
    networks = sequences.smooth((*DEPTHS, 128), seed)
    for network in networks:
        K = np.asarray(network.layers["K"])
        K += 0.02 * len(K) ** -0.5 * rng.normal(size=K.shape)
    assert classify(networks).sequence_class in {SequenceClass.UNDECIDED, SequenceClass.ROUGH}
    assert classify(sequences.smooth((*DEPTHS, 128), seed)).sequence_class is SequenceClass.H1_LIMIT


@pytest.mark.parametrize("seed", range(4))
def test_noise_that_vanishes_fast_enough_is_none_that_matters(seed: int) -> None:
    """Noise of size n^{−3/2} adds 1/n to R_n."""
    rng = np.random.default_rng(seed)
    networks = sequences.smooth((*DEPTHS, 128), seed)
    for network in networks:
        K = np.asarray(network.layers["K"])
        K += 3.0 * len(K) ** -1.5 * rng.normal(size=K.shape)
    assert classify(networks).sequence_class in {SequenceClass.UNDECIDED, SequenceClass.H1_LIMIT}
