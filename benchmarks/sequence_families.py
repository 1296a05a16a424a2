"""Depth sequences of weights whose class, and whose exponents, are known: what a classification is measured against."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from deeplimit.mathematics.diagnostics.sequence.scaling import NetworkWeights
from deeplimit.mathematics.diagnostics.sequence.sequence_class import SequenceClass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Floats = npt.NDArray[np.float64]
Generator = np.random.Generator
LADDERS = (
    (8, 16, 32),
    (4, 8, 16, 32),
    (8, 16, 32, 64),
    (8, 12, 18, 27),
    (16, 32, 64, 128),
    (4, 8, 16, 32, 64),
    (8, 16, 32, 64, 128),
    (8, 16, 32, 64, 128, 256),
)


@dataclass(frozen=True)
class Family:
    """How to draw a sequence, its class, and exponents by the name of their evidence.

    Attributes
    ----------
    draw
        From a generator, a size d of states and depths, a path (n, d (d + 1)) of every depth: K and b of each layer.
    truth
        The class as the depth grows without bound.
    exponents
        Of n, as the evidence reports them.
    """

    draw: Callable[[Generator, int, Sequence[int]], list[Floats]]
    truth: SequenceClass
    exponents: Mapping[str, float] = field(default_factory=dict)


def sequence(family: Family, rng: Generator, d: int, depths: Sequence[int]) -> list[NetworkWeights]:
    """Draw one network per depth."""
    paths = family.draw(rng, d, depths)
    return [NetworkWeights({"K": path[:, : d * d].reshape(-1, d, d), "b": path[:, d * d :]}) for path in paths]


def cases(count: int, seed: int) -> list[tuple[str, list[NetworkWeights]]]:
    """Draw ``count`` sequences, the families in turn, of random ladders and sizes."""
    rng = np.random.default_rng(seed)
    names = list(FAMILIES)
    drawn = []
    for index in range(count):
        name = names[index % len(names)]
        ladder, d = LADDERS[rng.integers(len(LADDERS))], int(rng.integers(1, 5))
        drawn.append((name, sequence(FAMILIES[name], rng, d, ladder)))
    return drawn


def _nodes(n: int) -> Floats:
    return (np.arange(n) / n)[:, None]


def _function(rng: Generator, k: int) -> Callable[[int], Floats]:
    """A trigonometric polynomial with Gaussian coefficients."""
    cosine, sine = rng.normal(size=(2, 4, k))
    damping = (1.0 + np.arange(4.0))[:, None] ** 2

    def at(n: int) -> Floats:
        angle = np.pi * np.arange(4) * _nodes(n)
        return np.asarray(np.cos(angle) @ (cosine / damping) + np.sin(angle) @ (sine / damping))

    return at


def _k(d: int) -> int:
    return d * (d + 1)


def _smooth(rng: Generator, d: int, depths: Sequence[int]) -> list[Floats]:
    f = _function(rng, _k(d))
    return [f(n) for n in depths]


def _approaching(power: float) -> Callable[[Generator, int, Sequence[int]], list[Floats]]:
    def draw(rng: Generator, d: int, depths: Sequence[int]) -> list[Floats]:
        f, g = _function(rng, _k(d)), _function(rng, _k(d))
        size = rng.uniform(0.3, 2.0)
        return [f(n) + size * n**-power * g(n) for n in depths]

    return draw


def _kink(rng: Generator, d: int, depths: Sequence[int]) -> list[Floats]:
    f, g, slope, place = _function(rng, _k(d)), _function(rng, _k(d)), rng.normal(size=_k(d)), rng.uniform(0.3, 0.7)
    return [f(n) + 2.0 * slope * np.abs(_nodes(n) - place) + g(n) / n for n in depths]


def _constant(values: Callable[[Generator, int, int], Floats]) -> Callable[..., list[Floats]]:
    def draw(rng: Generator, d: int, depths: Sequence[int]) -> list[Floats]:
        constants = values(rng, _k(d), len(depths)) if values is not _converging else _converging(rng, _k(d), depths)
        return [np.repeat(constants[i][None], n, axis=0) for i, n in enumerate(depths)]

    return draw


def _converging(rng: Generator, k: int, depths: int | Sequence[int]) -> Floats:
    n = np.asarray(depths, dtype=np.float64).reshape(-1, 1)
    return np.asarray(rng.normal(size=k) + rng.normal(size=k) / n)


def _equal(rng: Generator, k: int, count: int) -> Floats:
    return np.repeat(rng.normal(size=(1, k)), count, axis=0)


def _unrelated(rng: Generator, k: int, count: int) -> Floats:
    return rng.normal(size=(count, k))


def _in_turn(rng: Generator, k: int, count: int) -> Floats:
    return np.asarray(rng.normal(size=(2, k))[np.arange(count) % 2])


def _brownian(rng: Generator, d: int, depths: Sequence[int]) -> list[Floats]:
    return [rng.normal(size=(n, _k(d))).cumsum(axis=0) / np.sqrt(n) for n in depths]


def _one_brownian_path(rng: Generator, d: int, depths: Sequence[int]) -> list[Floats]:
    fine = int(np.lcm.reduce(depths))
    path = rng.normal(size=(fine, _k(d))).cumsum(axis=0) / np.sqrt(fine)
    return [path[:: fine // n] for n in depths]


def _fractional(hurst: float) -> Callable[[Generator, int, Sequence[int]], list[Floats]]:
    def draw(rng: Generator, d: int, depths: Sequence[int]) -> list[Floats]:
        paths = []
        for n in depths:
            t = np.arange(1, n + 1) / n
            s, u = t[:, None], t[None]
            covariance = 0.5 * (s ** (2 * hurst) + u ** (2 * hurst) - np.abs(s - u) ** (2 * hurst))
            paths.append(np.linalg.cholesky(covariance) @ rng.normal(size=(n, _k(d))))
        return paths

    return draw


def _independent(beta: float) -> Callable[[Generator, int, Sequence[int]], list[Floats]]:
    def draw(rng: Generator, d: int, depths: Sequence[int]) -> list[Floats]:
        return [rng.normal(size=(n, _k(d))) * n**-beta for n in depths]

    return draw


def _perturbed(power: float, low: float, high: float) -> Callable[[Generator, int, Sequence[int]], list[Floats]]:
    def draw(rng: Generator, d: int, depths: Sequence[int]) -> list[Floats]:
        f, g = _function(rng, _k(d)), _function(rng, _k(d))
        size = np.exp(rng.uniform(np.log(low), np.log(high)))
        return [f(n) + g(n) / n + size * n**-power * rng.normal(size=(n, _k(d))) for n in depths]

    return draw


def _jumping(pieces: int, *, smooth: bool) -> Callable[[Generator, int, Sequence[int]], list[Floats]]:
    def draw(rng: Generator, d: int, depths: Sequence[int]) -> list[Floats]:
        f, g, size = _function(rng, _k(d)), _function(rng, _k(d)), np.exp(rng.uniform(np.log(0.1), np.log(2.0)))
        places = np.sort(rng.uniform(0.1, 0.9, size=pieces - 1))
        levels = size * rng.normal(size=(pieces, _k(d)))
        steps = [levels[np.searchsorted(places, _nodes(n)[:, 0])] for n in depths]
        return [step + (f(n) + g(n) / n if smooth else 0.0) for step, n in zip(steps, depths, strict=True)]

    return draw


def _one_layer_off(rng: Generator, d: int, depths: Sequence[int]) -> list[Floats]:
    """The first or the last layer is not what the others tend to."""
    f, g = _function(rng, _k(d)), _function(rng, _k(d))
    off, layer = rng.uniform(0.3, 2.0) * rng.normal(size=_k(d)), rng.choice([0, 0, -1])
    paths = [f(n) + g(n) / n for n in depths]
    for path in paths:
        path[layer] += off
    return paths


def _steepening(rng: Generator, d: int, depths: Sequence[int]) -> list[Floats]:
    """What a penalty without its factor n allows: layers change within a part of [0, 1] of width n^{−½}."""
    f, jump, place = _function(rng, _k(d)), rng.normal(size=_k(d)), rng.uniform(0.3, 0.7)
    return [f(n) + 2.0 * jump * np.tanh(2.0 * np.sqrt(n) * (_nodes(n) - place)) for n in depths]


def _growing(rng: Generator, d: int, depths: Sequence[int]) -> list[Floats]:
    f, power = _function(rng, _k(d)), rng.uniform(0.2, 0.5)
    return [n**power * f(n) for n in depths]


def _two_limits(rng: Generator, d: int, depths: Sequence[int]) -> list[Floats]:
    both = _function(rng, _k(d)), _function(rng, _k(d))
    return [both[index % 2](n) for index, n in enumerate(depths)]


def _relabelled(*, flips: bool) -> Callable[[Generator, int, Sequence[int]], list[Floats]]:
    """Coordinates in another order, or of other signs, at every depth: K → G K Gᵀ, b → G b."""

    def draw(rng: Generator, d: int, depths: Sequence[int]) -> list[Floats]:
        paths = []
        for path in _approaching(1.0)(rng, d, depths):
            G = np.diag(rng.choice([-1.0, 1.0], size=d)) if flips else np.eye(d)[rng.permutation(d)]
            K = G @ path[:, : d * d].reshape(-1, d, d) @ G.T
            paths.append(np.hstack([K.reshape(-1, d * d), path[:, d * d :] @ G.T]))
        return paths

    return draw


_H1, _NONE, _ROUGH = SequenceClass.H1_LIMIT, SequenceClass.NO_LIMIT, SequenceClass.ROUGH
_BOUNDED = {"beta": 0.0, "growth_R": 0.0, "p_variation_1": 0.0, "p_variation_2": 0.0}
_JUMPS = {"beta": 0.0, "growth_R": 1.0, "p_variation_1": 0.0, "p_variation_2": 0.0}


def _holder(hurst: float) -> dict[str, float]:
    """Exponents of paths of Hölder continuity just below H: increments of size n^{−H}."""
    return {
        "beta": 0.0,
        "growth_R": 2.0 - 2.0 * hurst,
        "p_variation_1": 1.0 - hurst,
        "p_variation_2": max(0.0, 1.0 - 2.0 * hurst),
    }


def _noise(beta: float) -> dict[str, float]:
    return {
        "beta": beta,
        "growth_R": 2.0 - 2.0 * beta,
        "p_variation_1": 1.0 - beta,
        "p_variation_2": 1.0 - 2.0 * beta,
    }


FAMILIES: Mapping[str, Family] = {
    "smooth": Family(_smooth, _H1, _BOUNDED),
    "smooth, 1/n approach": Family(_approaching(1.0), _H1, {**_BOUNDED, "consecutive_distance": -1.0}),
    "smooth, n^-0.4 approach": Family(_approaching(0.4), _H1),
    "kink": Family(_kink, _H1, _BOUNDED),
    "constants that converge": Family(_constant(_converging), SequenceClass.CONSTANT_WEIGHTS),
    "equal constants": Family(_constant(_equal), SequenceClass.CONSTANT_WEIGHTS),
    "unrelated constants": Family(_constant(_unrelated), _NONE),
    "constants in turn": Family(_constant(_in_turn), _NONE),
    "Brownian": Family(_brownian, _ROUGH, _holder(0.5)),
    "one Brownian path": Family(_one_brownian_path, _ROUGH, _holder(0.5)),
    "fractional, H = 0.3": Family(_fractional(0.3), _ROUGH, _holder(0.3)),
    "fractional, H = 0.8": Family(_fractional(0.8), _ROUGH, _holder(0.8)),
    "independent, n^-0.25": Family(_independent(0.25), _ROUGH, _noise(0.25)),
    "independent, n^-0.5": Family(_independent(0.5), _ROUGH, _noise(0.5)),
    "independent, n^-0.75": Family(_independent(0.75), _ROUGH, _noise(0.75)),
    "smooth + n^-1.5 noise": Family(_perturbed(1.5, 0.1, 3.0), _H1),
    "smooth + n^-1 noise": Family(_perturbed(1.0, 0.1, 3.0), _H1),
    "smooth + n^-0.5 noise": Family(_perturbed(0.5, 0.02, 1.0), _ROUGH),
    "one jump": Family(_jumping(2, smooth=True), _NONE),
    "piecewise constant": Family(_jumping(4, smooth=False), _NONE, _JUMPS),
    "one layer off": Family(_one_layer_off, _NONE),
    "steepening": Family(_steepening, _NONE),
    "growing": Family(_growing, _NONE),
    "two limits in turn": Family(_two_limits, _NONE),
    "permuted": Family(_relabelled(flips=False), _H1),
    "signs flipped": Family(_relabelled(flips=True), _H1),
}
