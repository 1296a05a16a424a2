"""What a network is wanted to achieve, and the answer: a depth, its interval, and what training there found."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Quantity(StrEnum):
    """What falls with depth, and may be wanted small."""

    GAP = "gap"
    PREDICTION_ERROR = "prediction_error"

    @property
    def words(self) -> str:
        """The name in a sentence."""
        return self.value.replace("_", " ")


@dataclass(frozen=True)
class Wanted:
    """What a network is wanted to achieve.

    Attributes
    ----------
    quantity
        The gap, |E_n* − E_∞*|; or the prediction error, the largest deviation of a prediction from the continuum's, in
        the user's units.
    error
        Its largest wanted size, absolute.

    Raises
    ------
    ValueError
        If the error is not positive.
    """

    quantity: Quantity
    error: float

    def __post_init__(self) -> None:
        if not self.error > 0.0:
            raise ValueError(f"the wanted {self.quantity.words} must be positive")


@dataclass(frozen=True)
class DepthCheck:
    """What training at the advised depth found.

    Attributes
    ----------
    depth
        Trained; below the advised one where a limit stopped it.
    gap, prediction_error
        E_n* − E_∞*, and the largest deviation of a prediction from the continuum's; None where there is none or it
        could not be resolved.
    met
        Whether the one that was wanted is small enough, or None.
    detail
        What stopped or withheld it, or None.
    """

    depth: int | None = None
    gap: float | None = None
    prediction_error: float | None = None
    met: bool | None = None
    detail: str | None = None


@dataclass(frozen=True)
class DepthAdvice:
    """The smallest depth for a wanted gap, or for a wanted prediction error.

    Attributes
    ----------
    gap, wanted_prediction_error
        What is wanted; one of them is None.
    depth
        Or None, when no trained depth meets it and nothing predicts one; `withheld` then says why.
    depth_interval
        Least and largest that the smallest depth may be, by what is known of the numbers, or None. Where the coarsest
        trained depth meets the wanted error, coarser ones may do: it begins with 2.
    basis
        The models whose numbers predict it, or the one that was measured to meet what is wanted.
    relative
        The gap beside |E_∞|, for the standard ones.
    prediction_error
        Largest deviation from the continuum's predictions to be expected at this depth.
    check
        Of what the study was asked for.
    withheld
        For a field that is None where it might have been given: why.
    """

    gap: float | None
    depth: int | None
    basis: str
    relative: float | None = None
    prediction_error: float | None = None
    check: DepthCheck | None = None
    wanted_prediction_error: float | None = None
    depth_interval: tuple[int, int] | None = None
    withheld: dict[str, str] = field(default_factory=dict)
