"""Built-in data sets, the split and standardisation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, make_moons

from deeplimit.mathematics.problem.datasets import (
    DEFAULT_NOISE,
    DEFAULT_SAMPLES,
    GENERATED,
    STORED,
    Standardisation,
    load,
    split,
)
from service.contract.data.sources import BUILTINS, GENERATED_DEFAULTS, BuiltinName, TargetKind, validation_sizes

ALL = [*GENERATED, *STORED]


def test_moons_are_scikit_learns() -> None:
    inputs, labels = make_moons(200, noise=0.1, random_state=0)
    moons = load("moons")
    assert np.array_equal(moons.inputs, inputs)
    assert np.array_equal(moons.targets, labels)
    assert moons.classes == 2


@pytest.mark.parametrize("name", ALL)
def test_shapes_and_types(name: str) -> None:
    dataset = load(name)
    assert dataset.inputs.dtype == np.float64
    assert np.isfinite(dataset.inputs).all()
    if dataset.classes is None:
        assert dataset.targets.dtype == np.float64
        assert dataset.targets.shape == (len(dataset.inputs), 1)
    else:
        assert dataset.targets.dtype == np.int64
        assert np.array_equal(np.unique(dataset.targets), np.arange(dataset.classes))


@pytest.mark.parametrize("name", GENERATED)
def test_generated_sets_follow_their_seed(name: str) -> None:
    first, again, other = (load(name, samples=31, noise=0.2, seed=seed) for seed in (3, 3, 4))
    assert first.inputs.shape == (31, 2)
    assert np.array_equal(first.inputs, again.inputs)
    assert not np.array_equal(first.inputs, other.inputs)
    assert tuple(np.bincount(np.asarray(first.targets, np.int64))) == BUILTINS[BuiltinName(name)].counts(31)


def test_spirals_without_noise_lie_on_their_formula() -> None:
    spirals = load("spirals", samples=400, noise=0.0, seed=1)
    radius = np.hypot(*spirals.inputs.T)
    angle = np.pi * radius + np.pi * spirals.targets
    assert 0.5 <= radius.min() < radius.max() < 3
    np.testing.assert_allclose(
        spirals.inputs, radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1), atol=1e-12
    )


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("mnist", {}, "unknown data set 'mnist'; known are moons"),
        ("iris", {"samples": 10}, "fixed data set"),
        ("iris", {"noise": 0.1}, "fixed data set"),
        ("moons", {"samples": 1}, "at least 2 samples"),
        ("moons", {"noise": -0.1}, "standard deviation"),
        ("moons", {"noise": float("nan")}, "standard deviation"),
    ],
)
def test_what_cannot_be_loaded(name: str, arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(name, **arguments)  # type: ignore[arg-type]  # one dictionary for both keywords


@given(
    labels=st.lists(st.integers(0, 3), min_size=2, max_size=60),
    fraction=st.floats(0, 0.9),
    seed=st.integers(0, 2**32 - 1),
    stratify=st.booleans(),
)
def test_a_split_is_a_partition(labels: list[int], fraction: float, seed: int, stratify: bool) -> None:
    training, validation = split(labels, fraction, seed, stratify=stratify)
    assert sorted([*training, *validation]) == list(range(len(labels)))
    assert all(np.diff(training) > 0)
    assert all(np.diff(validation) > 0)
    counts = np.bincount(labels)
    groups = counts[counts > 0].tolist() if stratify else [len(labels)]
    assert len(validation) == sum(validation_sizes(fraction, groups))
    if stratify:
        assert set(np.array(labels)[training]) == set(labels)


def test_a_split_is_numpys_permutation() -> None:
    order = np.random.default_rng(7).permutation(10)
    training, validation = split(np.zeros(10), 0.25, 7, stratify=False)
    assert list(validation) == sorted(order[:3])
    assert list(training) == sorted(order[3:])


def test_a_stratified_split_keeps_proportions() -> None:
    labels = np.array([0] * 60 + [1] * 30 + [2] * 10)
    _, validation = split(labels, 0.2, 0, stratify=True)
    assert np.bincount(labels[validation]).tolist() == [12, 6, 2]


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_fractions_out_of_range(fraction: float) -> None:
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        split(np.zeros(10), fraction, 0, stratify=False)


@pytest.mark.parametrize("name", ALL)
def test_the_api_knows_the_same_facts(name: str) -> None:
    facts = BUILTINS[BuiltinName(name)]
    dataset = load(name)
    assert dataset.inputs.shape[1] == facts.features
    assert (facts.samples is None) == (name in GENERATED)
    assert len(dataset.inputs) == (facts.samples or GENERATED_DEFAULTS["samples"])
    assert (dataset.classes is None) == (facts.targets is TargetKind.NUMBERS)
    if dataset.classes:
        assert tuple(np.bincount(np.asarray(dataset.targets, np.int64))) == facts.counts(len(dataset.inputs))


def test_the_api_knows_the_same_defaults() -> None:
    defaults = {key: value for key, value in GENERATED_DEFAULTS.items() if key != "seed"}
    assert defaults == {"samples": DEFAULT_SAMPLES, "noise": DEFAULT_NOISE}


def test_standardisation_is_the_population_deviation() -> None:
    inputs = load_breast_cancer().data
    map_ = Standardisation.fit(inputs)
    np.testing.assert_allclose(map_.inputs(inputs), (inputs - inputs.mean(0)) / inputs.std(0), rtol=1e-14, atol=1e-14)
    assert map_.target_mean is None
    assert map_.targets(inputs) is inputs
    assert map_.restore_targets(inputs) is inputs


def test_constant_columns_keep_their_scale() -> None:
    map_ = Standardisation.fit(np.full((49, 1), 0.1))
    assert map_.scale.tolist() == [1.0]
    assert (Standardisation.fit(load("digits").inputs).scale > 0).all()


def test_targets_come_back() -> None:
    dataset = load("diabetes")
    targets = np.asarray(dataset.targets, np.float64)
    map_ = Standardisation.fit(dataset.inputs, targets)
    scaled = map_.targets(targets)
    np.testing.assert_allclose([scaled.mean(), scaled.std()], [0, 1], atol=1e-14)
    np.testing.assert_allclose(map_.restore_targets(scaled), targets, rtol=1e-14)


def test_numbers_too_large_to_standardise() -> None:
    with pytest.raises(ValueError, match="column 1 of the inputs"):
        Standardisation.fit(np.array([[0.0, 1e308], [1.0, -1e308]]))
