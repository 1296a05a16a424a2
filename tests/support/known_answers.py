"""Problems whose answers are published with the mathematics: A to F and two moons.

Squared error with h the identity and τ = 1 unless said. Every number is given to the digits that were published.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, make_moons

from deeplimit.mathematics import Problem, Regularisation

ALPHA_BC: Final = {"K": 0.05, "b": 0.05, "W": 0.1, "c": 0.1}


@dataclass(frozen=True)
class Orders:
    """Observed orders on the last doubling of the published depths."""

    gap: float
    tl2: float
    states: float
    lift: float


@dataclass(frozen=True)
class KnownAnswer:
    """Minima by depth and in the limit, with half a unit of the last published digit."""

    minima: Mapping[int, float]
    limit: float
    digit: float
    slope: float | None = None
    ends: Mapping[str, float] = field(default_factory=dict)
    lift_excess: Mapping[int, float] = field(default_factory=dict)
    prolongation_excess: Mapping[int, float] = field(default_factory=dict)
    repetition_excess: float | None = None
    orders: Orders | None = None


def bias_only(alpha_b: float = 0.1, tau_b: float = 1.0) -> Problem:
    """A. σ = identity; K = 0, W = 1, c = 0 fixed; one sample with y − x = 1."""
    return Problem(
        [[1.0]],
        [[2.0]],
        activation="identity",
        regularisation=Regularisation(ALPHA_BC | {"b": alpha_b}, {"K": 1.0, "b": tau_b}),
        fixed={"K": [[0.0]], "W": [[1.0]], "c": [0.0]},
    )


def bias_only_minimum(depth: int | None, alpha_b: float = 0.1, tau_b: float = 1.0) -> float:
    """The minimum of A, a/(G_n + a), in closed form; None is the continuum."""
    G = 1.0 / tau_b + 1.0 / 3.0
    if depth is not None:
        G += -1.0 / (2.0 * depth) + 1.0 / (6.0 * depth**2)
    return alpha_b / (G + alpha_b)


def odd_pair(activation: str, dtype: torch.dtype = torch.float64) -> Problem:
    """B (identity) and C (tanh). d = 1, x = ±1, y = ±2, everything trained."""
    regularisation = Regularisation(ALPHA_BC)
    return Problem([[1.0], [-1.0]], [[2.0], [-2.0]], activation=activation, regularisation=regularisation, dtype=dtype)


def breast_cancer() -> Problem:
    """E. All 569 samples standardised by the population variance, d = 30, tanh, softmax, every α = 1e-2."""
    inputs, classes = load_breast_cancer(return_X_y=True)
    return classification(inputs, classes, alpha=1e-2)


def two_moons(state_dim: int = 4, activation: str = "tanh", kernel: str = "auto") -> Problem:
    """200 samples with noise 0.1, standardised, softmax, every α = 1e-3."""
    inputs, classes = make_moons(200, noise=0.1, random_state=0)
    return classification(inputs, classes, alpha=1e-3, state_dim=state_dim, activation=activation, kernel=kernel)


def classification(
    inputs: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    classes: np.ndarray[tuple[int], np.dtype[np.int64]],
    *,
    alpha: float,
    state_dim: int | None = None,
    activation: str = "tanh",
    kernel: str = "auto",
) -> Problem:
    """Standardise, keep constant columns, and classify by softmax with the same α for every parameter."""
    deviation = inputs.std(0)
    return Problem(
        (inputs - inputs.mean(0)) / np.where(deviation > 0.0, deviation, 1.0),
        classes,
        activation=activation,
        loss="cross_entropy",
        state_dim=state_dim,
        regularisation=Regularisation(dict.fromkeys("KbWc", alpha)),
        kernel=kernel,
    )


A: Final = KnownAnswer({4: 0.0758293839, 64: 0.0701477967}, 0.0697674419, digit=5e-11)

B: Final = KnownAnswer(
    minima={
        8: 0.0978594622,
        16: 0.0935512234,
        32: 0.0913706293,
        64: 0.0902742524,
        128: 0.0897246152,
        256: 0.0894494435,
    },
    limit=0.0891740400,
    digit=5e-11,
    slope=0.0705327,
    ends={"K(0)": 0.838058, "K(1)": 1.257087, "W": 0.647324},
    lift_excess={32: 2.616, 64: 2.658, 128: 2.678},
    prolongation_excess={32: 0.630, 64: 0.653, 128: 0.664},
    repetition_excess=0.0117,
    orders=Orders(gap=0.999, tl2=0.998, states=0.989, lift=1.989),
)

C: Final = KnownAnswer(
    minima={8: 0.1495798918, 16: 0.1479201982, 32: 0.1470897831, 128: 0.1464670365},
    limit=0.1462594990,
    digit=5e-11,
    slope=0.0265628,
    ends={"K(0)": 0.6554184, "K(1)": 0.9143086, "W": 1.0774827},
    orders=Orders(gap=1.000, tl2=1.000, states=1.000, lift=1.993),
)

D_FINAL_STATE: Final = 1.8782301658
"""X(1) = asinh(e · sinh 1) for X' = tanh X from X(0) = 1."""
D_SLOPE: Final = 0.1076491
"""n |X(1) − X_n| of forward Euler tends to it."""

E: Final = KnownAnswer(
    minima={8: 0.072272930, 16: 0.071224803, 32: 0.070669299, 64: 0.070383174},
    limit=0.070091243,
    digit=5e-10,
    ends={"‖K(0)‖": 0.947411, "‖W‖": 1.051242},
    orders=Orders(gap=0.986, tl2=0.974, states=0.984, lift=1.959),
)

F_SEMINORM: Final = 0.33225
"""R_10 of K(t) = t − t²/2 sampled at the nodes; K(0) = 0."""

MOONS: Final = KnownAnswer(
    minima={
        8: 0.0471888583,
        16: 0.0441010795,
        32: 0.0425254642,
        64: 0.0417311004,
        128: 0.0413324615,
        1024: 0.0409829064,
    },
    limit=0.0409329,
    digit=5e-11,
)
"""The branch lowest in E_∞, with d = 4 and tanh."""
MOONS_LIMIT_DIGIT: Final = 5e-8
