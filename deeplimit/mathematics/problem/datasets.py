"""Data sets by name, the split into training and validation part, and standardisation.

Arrays are float64; ``S`` is the number of samples, ``f`` of features, ``m`` of target columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Indices = npt.NDArray[np.intp]

DEFAULT_SAMPLES: Final = 200
DEFAULT_NOISE: Final = 0.1
CIRCLES_FACTOR: Final = 0.5


@dataclass(frozen=True, slots=True)
class Dataset:
    """Inputs and targets of one data set.

    Attributes
    ----------
    inputs
        (S, f) float64.
    targets
        (S,) int64 holding 0..classes-1, or (S, m) float64.
    classes
        Number of classes; None when the targets are numbers.
    """

    inputs: Floats
    targets: Labels | Floats
    classes: int | None


def load(name: str, *, samples: int | None = None, noise: float | None = None, seed: int = 0) -> Dataset:
    """Load or draw a built-in data set.

    Parameters
    ----------
    name
        One of `GENERATED` or `STORED`.
    samples
        Number of samples of a generated set (default 200, at least 2), half of them in each class.
    noise
        Standard deviation of the normal noise added to the inputs of a generated set (default 0.1).
    seed
        Seed of a generated set. ``moons`` of 200 samples, noise 0.1 and seed 0 is
        ``sklearn.datasets.make_moons(200, noise=0.1, random_state=0)``, number for number.

    Raises
    ------
    ValueError
        Unknown name; samples or noise out of range, or given for a stored set.
    """
    if name in GENERATED:
        size = DEFAULT_SAMPLES if samples is None else samples
        deviation = DEFAULT_NOISE if noise is None else noise
        if size < 2:
            raise ValueError(f"{name} needs at least 2 samples, not {size}")
        if not 0 <= deviation < np.inf:
            raise ValueError(f"noise is a standard deviation, finite and not negative, not {deviation}")
        inputs, labels = GENERATED[name](size, deviation, seed)
        return _classes(inputs, labels)
    if name not in STORED:
        raise ValueError(f"unknown data set {name!r}; known are {', '.join([*GENERATED, *STORED])}")
    if samples is not None or noise is not None:
        raise ValueError(f"{name} is a fixed data set: samples and noise do not apply")
    inputs, targets = _of_scikit_learn(f"load_{name}")(return_X_y=True)
    if name == "diabetes":
        return Dataset(np.asarray(inputs, np.float64), np.asarray(targets, np.float64)[:, None], None)
    return _classes(inputs, targets)


def _classes(inputs: npt.ArrayLike, labels: npt.ArrayLike) -> Dataset:
    targets = np.asarray(labels, np.int64)
    return Dataset(np.asarray(inputs, np.float64), targets, int(targets.max()) + 1)


def _moons(samples: int, noise: float, seed: int) -> tuple[Floats, Labels]:
    """Two interleaving half circles, from scikit-learn."""
    drawn: tuple[Floats, Labels] = _of_scikit_learn("make_moons")(samples, noise=noise, random_state=seed)
    return drawn


def _circles(samples: int, noise: float, seed: int) -> tuple[Floats, Labels]:
    """Two concentric circles of radius 1 (class 0) and `CIRCLES_FACTOR` (class 1), from scikit-learn."""
    drawn: tuple[Floats, Labels] = _of_scikit_learn("make_circles")(
        samples, noise=noise, factor=CIRCLES_FACTOR, random_state=seed
    )
    return drawn


def _spirals(samples: int, noise: float, seed: int) -> tuple[Floats, Labels]:
    """Two Archimedean spirals, each the other turned by half a turn.

    With u uniform on [0, 1) the angle is φ = π/2 + (5π/2) √u, the radius r = φ/π, and a sample of class k is
    r (cos(φ + kπ), sin(φ + kπ)) + noise · N(0, I). The square root spreads the samples evenly along the arms, whose
    distance is 1. Class 0 has samples // 2 of them; the order is shuffled.
    """
    rng = np.random.default_rng(seed)
    labels = (np.arange(samples) >= samples // 2).astype(np.int64)
    angle = np.pi / 2 + 5 * np.pi / 2 * np.sqrt(rng.random(samples))
    turned = angle + np.pi * labels
    inputs = (angle / np.pi)[:, None] * np.stack([np.cos(turned), np.sin(turned)], axis=1)
    inputs += noise * rng.standard_normal((samples, 2))
    order = rng.permutation(samples)
    return inputs[order], labels[order]


GENERATED: Final[dict[str, Callable[[int, float, int], tuple[Floats, Labels]]]] = {
    "moons": _moons,
    "circles": _circles,
    "spirals": _spirals,
}
"""Sets drawn from a seed."""

STORED: Final = ("iris", "wine", "breast_cancer", "digits", "diabetes")
"""Sets that scikit-learn ships."""


def prepare() -> None:
    """Import what `load` needs ahead of time: with pandas it takes some 0.4 s and 55 MB."""
    _of_scikit_learn("make_moons")


def _of_scikit_learn(function: str) -> Callable[..., Any]:
    from sklearn import datasets  # noqa: PLC0415 - with pandas it is a seventh of the time in which a trainer starts

    return getattr(datasets, function)  # type: ignore[no-any-return]  # by name


def split(targets: npt.ArrayLike, fraction: float, seed: int, *, stratify: bool) -> tuple[Indices, Indices]:
    """Indices of the training and of the validation part, each in ascending order.

    The samples are put in the order ``default_rng(seed).permutation(S)``. Of each group the first ``fraction`` (times
    its size, rounded half up, but leaving one to train on) are the validation part. A group is a class when the split
    is stratified, and all samples otherwise.

    Parameters
    ----------
    targets
        (S,) labels, or anything of length S when `stratify` is false.
    fraction
        Validation part, 0 ≤ fraction < 1.
    seed
        Seed of the permutation.
    stratify
        Whether to keep the classes' proportions.

    Raises
    ------
    ValueError
        The fraction is out of range.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"the validation fraction is at least 0 and below 1, not {fraction}")
    labels = np.asarray(targets)
    order = np.random.default_rng(seed).permutation(len(labels))
    groups = np.unique(labels, return_inverse=True)[1] if stratify else np.zeros(len(labels), np.intp)
    held_out = np.zeros(len(labels), np.bool_)
    for group, size in enumerate(np.bincount(groups)):
        take = min(int(np.floor(fraction * size + 0.5)), size - 1)
        held_out[order[groups[order] == group][:take]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


@dataclass(frozen=True, slots=True)
class Standardisation:
    """An affine map of each input column, and of each target column if asked for: (value - mean) / scale.

    Attributes
    ----------
    mean, scale
        (f,) of the inputs.
    target_mean, target_scale
        (m,) of the targets, or None: they are then left as they are.
    """

    mean: Floats
    scale: Floats
    target_mean: Floats | None = None
    target_scale: Floats | None = None

    @classmethod
    def fit(cls, inputs: Floats, targets: Floats | None = None) -> Self:
        """Mean and population deviation of the columns of `inputs` (S, f) and, if given, of `targets` (S, m).

        The scale is 1 for a column whose deviation is 0. Give the training part only.

        Raises
        ------
        ValueError
            A column's numbers are so large that its mean or deviation overflows.
        """
        return cls(*_moments(inputs, "inputs"), *((None, None) if targets is None else _moments(targets, "targets")))

    def inputs(self, values: Floats) -> Floats:
        """Standardised inputs, (…, f)."""
        return np.asarray((values - self.mean) / self.scale, np.float64)

    def targets(self, values: Floats) -> Floats:
        """Standardised targets, (…, m)."""
        if self.target_mean is None or self.target_scale is None:
            return values
        return np.asarray((values - self.target_mean) / self.target_scale, np.float64)

    def restore_targets(self, values: Floats) -> Floats:
        """Predictions in the units of the data, (…, m): the inverse of `targets`."""
        if self.target_mean is None or self.target_scale is None:
            return values
        return np.asarray(values * self.target_scale + self.target_mean, np.float64)


def _moments(values: Floats, what: str) -> tuple[Floats, Floats]:
    """Mean and population deviation (1 where it is 0) of the columns of `values` (S, k)."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = values.mean(axis=0), values.std(axis=0)
    too_large = np.flatnonzero(~(np.isfinite(mean) & np.isfinite(deviation)))
    if too_large.size:
        raise ValueError(f"column {too_large[0]} of the {what} holds numbers too large to be standardised")
    # A constant column's mean may be off by a rounding error, and its computed deviation then is not quite 0.
    constant = (np.ptp(values, axis=0) == 0) | (deviation == 0)
    return mean, np.where(constant, 1.0, deviation)
