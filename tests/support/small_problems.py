"""Small problems with known answers, trained sharply and once."""

from __future__ import annotations

import math
from functools import cache

from deeplimit.mathematics import ContinuumOptions, Problem, Regularisation, TrainedStudy, Training, train

DEPTHS = (8, 16, 32, 64, 128)
TOLERANCE = 1e-10


def odd_pair(activation: str, alpha_K: float = 0.05) -> Problem:
    """B (identity) and C (tanh): d = 1, x = ±1, y = ±2, everything trained."""
    return Problem(
        [[1.0], [-1.0]],
        [[2.0], [-2.0]],
        activation=activation,
        loss="squared_error",
        regularisation=Regularisation(alpha={"K": alpha_K, "b": 0.05, "W": 0.1, "c": 0.1}),
    )


@cache
def trained(activation: str) -> TrainedStudy:
    """B or C to depth 128 and its continuum."""
    return train(
        odd_pair(activation),
        DEPTHS,
        ContinuumOptions(tolerance=TOLERANCE),
        Training(gradient_tolerance=1e-10, starts=2),
    )


def one_sample(activation: str = "tanh") -> Problem:
    """One sample in two dimensions: second differences are equal to their bound."""
    return Problem(
        [[1.0, -0.5]],
        [[1.5]],
        activation=activation,
        loss="squared_error",
        regularisation=Regularisation(alpha={"K": 0.02, "b": 0.05, "W": 0.1, "c": 0.1}),
    )


ALPHA = {"K": 1.0, "b": 0.05, "W": 0.1, "c": 1.0}
TAU = 2.0


def bifurcating(y: float) -> Problem:
    """σ = tanh, x = 0: below ``critical`` the null solution K = b = W = 0, c = y/(1 + α_c) is the minimiser."""
    return Problem(
        [[0.0]],
        [[y]],
        activation="tanh",
        loss="squared_error",
        regularisation=Regularisation(alpha=ALPHA, tau={"K": TAU, "b": TAU}),
    )


def critical(n: int | None) -> float:
    """(1 + 1/α_c) √(α_b α_W / G_n), G_n = 1/τ + 1/3 − 1/(2n) + 1/(6n²)."""
    G = 1.0 / TAU + 1.0 / 3.0
    if n is not None:
        G += -1.0 / (2.0 * n) + 1.0 / (6.0 * n * n)
    return (1.0 + 1.0 / ALPHA["c"]) * math.sqrt(ALPHA["b"] * ALPHA["W"] / G)
