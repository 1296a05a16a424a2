"""Norms of the weights of one network, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from deeplimit.mathematics.diagnostics.sequence.norms import holder_constant, network_norms, path_norms
from deeplimit.mathematics.diagnostics.sequence.scaling import NetworkWeights, Path


def path(*values: float) -> Path:
    return Path(np.array(values)[:, None])


def test_known_answer_f() -> None:
    """K(t) = t − t²/2 sampled at n = 10 nodes: R_n = 0.33225 exactly, K(0) = 0."""
    t = np.arange(10) / 10
    found = path_norms(Path((t - t**2 / 2)[:, None]))
    assert pytest.approx(10 * sum(((0.95 - 0.1 * i) / 10) ** 2 for i in range(9)), rel=1e-12) == found.R
    assert found.seminorm == found.R
    assert found.second_difference == pytest.approx(1.0, rel=1e-9)  # |K''| = 1
    assert found.boundary_0 == pytest.approx(0.95, rel=1e-12)
    assert found.boundary_1 == pytest.approx(0.15, rel=1e-12)


def test_the_order_of_the_layers_decides() -> None:
    """The control: the same layers in another order have the same size, and none of the other norms."""
    t = np.arange(10) / 10
    layers = t - t**2 / 2
    mixed = layers[[0, 9, 1, 8, 2, 7, 3, 6, 4, 5]]
    sorted_, shuffled = path_norms(Path(layers[:, None])), path_norms(Path(mixed[:, None]))
    assert shuffled.l2 == pytest.approx(sorted_.l2, rel=1e-12)
    assert shuffled.R > 10.0 * sorted_.R
    assert (shuffled.second_difference or 0.0) > 10.0 * (sorted_.second_difference or 0.0)
    assert (shuffled.holder or 0.0) > 1.5 * (sorted_.holder or 0.0)


def test_a_small_path() -> None:
    found = path_norms(path(0.0, 1.0, 0.5, 1.5))
    assert found.p_variation is not None
    assert found.p_variation["3"] == pytest.approx(3.375)  # in one step of 3/2
    assert found.p_variation["1"] == pytest.approx(2.5)
    assert found.sup == 1.5
    assert found.l2 == pytest.approx(math.sqrt((1 + 0.25 + 2.25) / 4))
    assert found.seminorm == pytest.approx(4 * (1 + 0.25 + 1))
    assert found.largest_increment == 1.0
    assert found.holder == pytest.approx(2.0)  # one step of 1 over a time of 1/4
    assert found.second_difference == pytest.approx(16 * 1.5)


def test_the_holder_constant_is_below_the_root_of_the_seminorm() -> None:
    rng = np.random.default_rng(0)
    for n in (2, 3, 300, 600):
        walk = Path(np.cumsum(rng.normal(size=(n, 3)), axis=0))
        assert holder_constant(walk) <= math.sqrt(walk.seminorm) * (1 + 1e-12)
    line = Path(np.arange(5.0)[:, None])
    # a straight line attains it over its whole length: 4 / (4/5)^½ = (5 · 4)^½
    assert holder_constant(line) == pytest.approx(math.sqrt(line.seminorm))


def test_two_layers_have_no_second_difference() -> None:
    found = path_norms(path(1.0, 2.0))
    assert found.second_difference is None
    assert set(found.withheld) == {"second_difference"}
    assert pytest.approx(2 * 1 + 1) == found.R


def test_parameters_alone_and_together() -> None:
    rng = np.random.default_rng(1)
    found = network_norms(NetworkWeights({"K": rng.normal(size=(6, 2, 2)), "b": rng.normal(size=(6, 2))}))
    assert set(found) == {"K", "b", "joint"}
    assert pytest.approx(found["K"].R + found["b"].R) == found["joint"].R
