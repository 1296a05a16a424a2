"""Coordinates of another order and of other signs at every depth."""

import numpy as np
import pytest

from deeplimit.mathematics.diagnostics.sequence.classification import classify
from deeplimit.mathematics.diagnostics.sequence.relabelling import relabelled
from deeplimit.mathematics.diagnostics.sequence.scaling import NetworkWeights
from deeplimit.mathematics.diagnostics.sequence.sequence_class import SequenceClass
from tests.support import sequences

DEPTHS = (8, 16, 32, 64, 128)


def smooth(d: int) -> list[NetworkWeights]:
    return sequences.of(
        lambda n: sequences.smooth_path(n, (d, d), 5), lambda n: sequences.smooth_path(n, (d,), 6), DEPTHS
    )


def moved(network: NetworkWeights, seed: int, *, flips: bool) -> NetworkWeights:
    rng, d = np.random.default_rng(seed), np.asarray(network.layers["b"]).shape[1]
    G = np.eye(d)[rng.permutation(d)] * (rng.choice([-1.0, 1.0], size=d) if flips else 1.0)
    return NetworkWeights({"K": G @ np.asarray(network.layers["K"]) @ G.T, "b": np.asarray(network.layers["b"]) @ G.T})


@pytest.mark.parametrize("d", [2, 4, 7, 12])
@pytest.mark.parametrize("flips", [False, True])
def test_every_depth_is_brought_to_the_labels_of_the_first(d: int, *, flips: bool) -> None:
    networks = smooth(d)
    for seed in range(5):
        found = relabelled([networks[0], *(moved(each, seed + i, flips=flips) for i, each in enumerate(networks[1:]))])
        assert found is not None
        for left, right in zip(found, networks, strict=True):
            for name in ("K", "b"):
                np.testing.assert_array_equal(left.layers[name], right.layers[name])


def test_only_square_weights_have_labels() -> None:
    assert relabelled([NetworkWeights({"b": np.ones((n, 2))}) for n in DEPTHS]) is None
    assert relabelled([NetworkWeights({"K": np.ones((n, 4, 2)), "b": np.ones((n, 2))}) for n in DEPTHS]) is None


@pytest.mark.parametrize("flips", [False, True])
def test_depths_of_other_labels_are_undecided_and_it_is_said_why(*, flips: bool) -> None:
    """They were said to have no limit: whether the labels are a symmetry is not in the weights."""
    networks = [moved(each, seed, flips=flips) for seed, each in enumerate(smooth(3))]
    found = classify(networks)
    assert found.sequence_class is SequenceClass.UNDECIDED
    row = next(row for row in found.evidence if row.name == "relabelled_distance")
    assert row.interval is not None
    assert row.interval[1] < -1.0
    assert "order and signs" in row.detail
    assert classify(smooth(3)).sequence_class is SequenceClass.H1_LIMIT
    # Depths that no order and no signs bring together have no limit.
    apart = [sequences.smooth([n], 40 * index)[0] for index, n in enumerate(DEPTHS)]
    assert classify(apart).sequence_class is SequenceClass.NO_LIMIT
