"""How an error falls with depth, A n^{−q} + B n^{−q−1} + D n^{−q−2}, with what the fit may be off by.

A law goes through as many numbers as it has terms: measured errors of the finest depths and, where it is known, A
itself. Every number has an error, which the fit passes on linearly; what the terms left out may be worth is taken to be
what the last term adds. Errors keep their signs, entry by entry: where A and B have opposite signs the largest |entry|
falls, vanishes or grows in ways that no law of the largest one has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

LEAST_DEPTH: Final = 2
LARGEST_COUNTED: Final = 2**40
_STEP: Final = 1.05
"""Ratio of depths at which a bound is looked at before the last crossing is found exactly."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Datum:
    """One number that a law goes through.

    Attributes
    ----------
    depth
        At which it was measured; None for A itself, the limit of n^q times the error.
    values
        (entries,) signed errors, or A.
    error
        What each of them may be off by.
    """

    depth: int | None
    values: Floats
    error: float


class Fit:
    """Σ c_p n^{−p} through as many numbers as powers, for every entry.

    Parameters
    ----------
    powers
        Increasing. A power 0 stands for a limit that is not known: it is fitted, and left out of the error.
    data
        At least one with a depth; A belongs to the first power above 0.
    """

    def __init__(self, powers: Sequence[float], data: Sequence[Datum]) -> None:
        self._powers = np.asarray(powers, np.float64)
        # Depths beside the finest: powers of the depths themselves would make the system ill-conditioned.
        self._scale = float(max((datum.depth for datum in data if datum.depth is not None), default=1))
        first = int(np.argmax(self._powers > 0.0))
        self._leading = np.where(np.arange(len(powers)) == first, self._scale ** self._powers[first], 0.0)
        rows = [self._leading if datum.depth is None else self._row(datum.depth) for datum in data]
        self._inverse = np.linalg.inv(np.asarray(rows))
        self._values = np.stack([datum.values for datum in data])
        self._errors = np.asarray([datum.error for datum in data])

    def _row(self, depth: float) -> Floats:
        return np.asarray((self._scale / depth) ** self._powers, np.float64)

    def _combined(self, row: Floats) -> tuple[Floats, float]:
        weights = row @ self._inverse
        return weights @ self._values, float(np.abs(weights) @ self._errors)

    def at(self, depth: float) -> tuple[Floats, float]:
        """Return the error at one depth (entries,), and what the data's errors may move it by."""
        return self._combined(self._row(depth) * (self._powers > 0.0))

    def at_all(self, depths: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return the same at some depths, (depths, entries) and (depths,)."""
        rows = (self._scale / depths[:, None].astype(np.float64)) ** self._powers * (self._powers > 0.0)
        weights = rows @ self._inverse
        return weights @ self._values, np.abs(weights) @ self._errors

    def first(self) -> tuple[Floats, float]:
        """Return A (entries,), and what the data's errors may move it by."""
        return self._combined(self._leading)

    def limit(self) -> tuple[float, float]:
        """Return the coefficient of n⁰ of the first entry, and what the data's errors may move it by."""
        values, error = self._combined((self._powers == 0.0).astype(np.float64))
        return float(values[0]), error


@dataclass(frozen=True)
class DepthRange:
    """The smallest depth from which on an error stays small enough: expected, and between which bounds.

    ``high`` is None where no depth that can be counted is sure to do.
    """

    low: int
    depth: int
    high: int | None


@dataclass(frozen=True)
class ErrorLaw:
    """An error by depth, from a fit and from one of a term less, whose difference is what the fit may be off by.

    Attributes
    ----------
    order
        q.
    fit, coarser
        Of all terms, and of one less without the coarsest depth.
    basis
        The models that the numbers come from.
    finest
        The largest depth among them.
    anchored
        Whether A is known by other means than the measured errors.
    """

    order: float
    fit: Fit
    coarser: Fit
    basis: str
    finest: int
    anchored: bool = False

    def at(self, depth: float) -> tuple[Floats, Floats]:
        """Return the error at one depth and what it may be off by, (entries,) each."""
        value, noise = self.fit.at(depth)
        return value, noise + np.abs(value - self.coarser.at(depth)[0])

    def largest(self, depth: float) -> tuple[float, float]:
        """Return the largest |entry| at one depth, and what it may be off by."""
        value, error = self.at(depth)
        size = np.abs(value)
        return float(size.max()), float((size + error).max() - size.max())

    def rest(self, depth: float) -> float:
        """Return the share of the finest measured error that is not A n^{−q}, of the entry that is largest at a depth.

        It is small in the asymptotic range, and above 1 where the error has yet to change its sign.
        """
        entry = int(np.abs(self.at(depth)[0]).argmax())
        here, leading = self.fit.at(self.finest)[0][entry], self.fit.first()[0][entry] / self.finest**self.order
        return float(abs(here - leading) / abs(here)) if here else math.inf

    def noisy(self, depth: float) -> bool:
        """Whether the errors of the data outweigh the terms left out, at one depth."""
        value, noise = self.fit.at(depth)
        return bool(noise > np.abs(value - self.coarser.at(depth)[0]).max())

    def depths_for(self, wanted: float, floor: int = LEAST_DEPTH, top: int = LARGEST_COUNTED) -> DepthRange | None:
        """Return the smallest depth in [floor, top] from which on every |entry| ≤ wanted, or None.

        All deeper networks must meet the wanted error, too: an error that vanishes somewhere may grow again behind it.
        """
        if not wanted > 0.0:
            raise ValueError("the wanted error must be positive")

        ladder = _ladder(floor, top)
        columns = zip(*self._bounds(np.asarray(ladder)), strict=True)
        on_ladder = [[value <= wanted for value in column] for column in columns]
        between: dict[int, tuple[float, float, float]] = {}

        def met(depth: int, bound: int) -> bool:
            if depth not in between:
                (between[depth],) = self._bounds(np.asarray([depth]))
            return between[depth][bound] <= wanted

        def smallest(bound: int) -> int | None:
            return _from_where(lambda depth: met(depth, bound), ladder, on_ladder[bound])

        low, middle, high = smallest(0), smallest(1), smallest(2)
        return None if low is None or middle is None else DepthRange(low, middle, high)

    def _bounds(self, depths: npt.NDArray[np.int64]) -> list[tuple[float, float, float]]:
        """Return the least that the largest |entry| may be, what it is, and the most, at each depth."""
        value, noise = self.fit.at_all(depths)
        error = noise[:, None] + np.abs(value - self.coarser.at_all(depths)[0])
        size = np.abs(value)
        columns = ((size - error).max(1), size.max(1), (size + error).max(1))
        return list(zip(*(column.tolist() for column in columns), strict=True))


@cache
def _ladder(floor: int, top: int) -> tuple[int, ...]:
    """Return the depths that are looked at first, deepest first."""
    depths = [top]
    while depths[-1] > floor:
        depths.append(max(min(int(depths[-1] / _STEP), depths[-1] - 1), floor))
    return tuple(depths)


def _from_where(met: Callable[[int], bool], ladder: Sequence[int], on_ladder: Sequence[bool]) -> int | None:
    """Return the smallest depth within a ladder from which on a wanted error is met, or None.

    ``on_ladder`` says where it is met of the ladder itself.
    """
    if not on_ladder[0]:
        return None
    if all(on_ladder):
        return ladder[-1]
    failing = on_ladder.index(False)
    low, high = ladder[failing] + 1, ladder[failing - 1]
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if met(middle) else (middle + 1, high)
    return low
