"""What a depth sequence of weights can tend to, and what speaks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class SequenceClass(StrEnum):
    """What a sequence of weights tends to."""

    H1_LIMIT = "h1_limit"
    CONSTANT_WEIGHTS = "constant_weights"
    ROUGH = "rough"
    NO_LIMIT = "no_limit"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Evidence:
    """One measurement; ``supports`` is the class that it speaks for, or None where it does not tell."""

    name: str
    value: float | None
    interval: tuple[float, float] | None
    supports: SequenceClass | None
    detail: str


@dataclass(frozen=True)
class TrainedFacts:
    """What is known besides the weights where they are minimisers of a study.

    Attributes
    ----------
    penalty
        Scaling of the regulariser: ``h1`` is the paper's.
    euler_lagrange
        Relative residual of the continuum's Euler–Lagrange equations.
    slopes
        C₁ predicted by the continuum, and n(E_n* − E_∞*) at the finest depth.
    to_continuum
        Depths and the L² distances of their K and b from the continuum's.
    resolution
        How well the weights are known, in L²: what differs by less is equal.
    """

    penalty: str | None = None
    euler_lagrange: float | None = None
    slopes: tuple[float, float] | None = None
    to_continuum: Sequence[tuple[int, float]] = ()
    resolution: float = 0.0

    @property
    def slope_mismatch(self) -> float | None:
        """|predicted − observed| / |observed|."""
        if self.slopes is None or self.slopes[1] == 0.0:
            return None
        return abs(self.slopes[0] - self.slopes[1]) / abs(self.slopes[1])
