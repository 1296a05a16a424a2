"""Convergence of minimisers (diagnostic 4): the L² part of TL² under the cell coupling, and the H¹ seminorm.

A_n is the step function with value A_i on [i/n, (i+1)/n). TL² is García Trillos and Slepčev's (2016) metric, used for
minimisers in Thorpe and van Gennip (2023), theorem 2.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from torch import Tensor

from deeplimit.mathematics.diagnostics.measure.error_budget import ErrorBudget, with_orders
from deeplimit.mathematics.diagnostics.measure.orders import Observation, too_noisy
from deeplimit.mathematics.diagnostics.subject import SMALL_SHARE, Subject
from deeplimit.mathematics.model.coordinates import PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters
from deeplimit.mathematics.model.residual_network import DiscreteParameters
from deeplimit.mathematics.model.transfer import lift
from deeplimit.mathematics.study.branches import BranchPoint

_GAUSS: Final = 8
_MOST_OFFSET: Final = 1.2
"""A larger offset of the cells than this, in parts of 1/m − 1/n, hides what the depths differ by."""
_NUMBERS: Final = 2**21
"""Entries of K at all nodes of the rule that are held at once."""


@dataclass(frozen=True)
class Distance:
    """L² for K and b, Euclidean for W and c; ``total`` is the root of the sum of squares."""

    K: float
    b: float
    W: float
    c: float

    @property
    def layered(self) -> float:
        """Root of the sum of squares of what depends on the layer."""
        return math.hypot(self.K, self.b)

    @property
    def total(self) -> float:
        """Root of the sum of squares."""
        return math.hypot(self.layered, self.W, self.c)


@dataclass(frozen=True)
class TwoLayerDistance(Distance):
    """The same of two-layer blocks, V beside K and in L² as well."""

    V: float

    @property
    def layered(self) -> float:
        """Root of the sum of squares of what depends on the layer."""
        return math.hypot(self.K, self.b, self.V)


@dataclass(frozen=True)
class MinimisersRow:
    """One depth against the continuum."""

    depth: int
    tl2: Distance
    h1_seminorm: dict[str, float]
    order: dict[str, float | None] = field(default_factory=dict)
    error_budget: ErrorBudget | None = None
    withheld: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ConsecutiveRow:
    """One pair of depths."""

    depths: tuple[int, int]
    tl2: Distance
    order: dict[str, float | None] = field(default_factory=dict)
    error_budget: ErrorBudget | None = None
    withheld: dict[str, str] = field(default_factory=dict)


def tl2_distance(
    discrete: DiscreteParameters, continuum: ContinuumParameters, checkpoint: Callable[[], None] | None = None
) -> Distance:
    """Return (∫₀¹ ‖A_n(t) − A(t)‖² dt)^½ for K, b and V by Gauss's rule on every cell, ‖W_n − W‖ and ‖c_n − c‖.

    ``checkpoint`` is called for every part of the interval; what it raises is passed on.
    """
    squares = dict[str, float]()
    for t, weights, cell in _rule(discrete, continuum, checkpoint):
        steps = discrete.K[cell], discrete.b[cell]
        _add_squares(squares, steps, continuum.sample(t), weights)
    return _distance(squares, discrete, continuum)


def h1_seminorm(
    discrete: DiscreteParameters, continuum: ContinuumParameters, checkpoint: Callable[[], None] | None = None
) -> dict[str, float]:
    """Return (∫₀¹ ‖(lift A_n)' − A'‖² dt)^½ for K, b and V; ``checkpoint`` as for `tl2_distance`."""
    lifted, squares = lift(discrete), dict[str, float]()
    for t, weights, _ in _rule(discrete, continuum, checkpoint):
        _add_squares(squares, lifted.derivative(t), continuum.derivative(t), weights)
    return {name: math.sqrt(square) for name, square in squares.items()}


def tl2_between(left: DiscreteParameters, right: DiscreteParameters) -> Distance:
    """Return the same distance between the step functions of two depths, exactly: cells are cut where either jumps."""
    cuts = np.unique(np.concatenate([np.arange(p.depth + 1) / p.depth for p in (left, right)]).round(14))
    middle = (cuts[1:] + cuts[:-1]) / 2.0
    weights = torch.as_tensor(np.diff(cuts)).to(left.K)
    i, j = (torch.as_tensor((middle * p.depth).astype(np.int64), device=p.K.device) for p in (left, right))
    squares = dict[str, float]()
    _add_squares(squares, (left.K[i], left.b[i]), (right.K[j], right.b[j]), weights)
    return _distance(squares, left, right)


def against_continuum(subject: Subject) -> list[MinimisersRow]:
    """Return TL² and H¹ distances to the continuum with their orders."""
    rows, observations = [], []
    errors = [subject.parameter_errors(point) for point in subject.points]
    for point, each in zip(subject.points, errors, strict=True):
        subject.checkpoint()
        row = MinimisersRow(point.depth, *_distances(subject, point))
        reason = subject.unfit(point) or too_noisy(row.tl2.total, each.total, SMALL_SHARE, "distance")
        rows.append(row)
        observations.append(Observation(point.depth, row.tl2.total, each.total, reason))
    return with_orders(rows, observations, errors, "total")


def _distances(subject: Subject, point: BranchPoint) -> tuple[Distance, dict[str, float]]:
    def measure() -> tuple[Distance, dict[str, float]]:
        both = point.parameters, subject.limit.parameters
        return tl2_distance(*both, subject.checkpoint), h1_seminorm(*both, subject.checkpoint)

    return subject.once("distances", point, measure, subject.limit)


def between_consecutive(subject: Subject) -> list[ConsecutiveRow]:
    """Return TL² distances between consecutive depths, with orders in 1/m − 1/n.

    An order compares two pairs. Where the offsets of their cells differ, in parts of 1/m − 1/n, it is known no better.
    """
    rows, observations, errors = [], [], []
    offset: float | None = None
    for coarse, fine in pairwise(subject.points):
        subject.checkpoint()
        row = ConsecutiveRow((coarse.depth, fine.depth), tl2_between(coarse.parameters, fine.parameters))
        both = subject.network_errors(coarse) + subject.network_errors(fine)
        before, offset = offset, cell_offset(coarse.depth, fine.depth)
        unfit = subject.unfit(coarse) or subject.unfit(fine) or _too_near(row.depths, offset)
        reason = unfit or too_noisy(row.tl2.total, both.total, SMALL_SHARE, "distance")
        unlike = 0.0 if before is None else abs(math.log(offset / before)) * row.tl2.total
        rows.append(row)
        observations.append(Observation(coarse.depth, row.tl2.total, both.total + unlike, reason, fine.depth))
        errors.append(both)
    return with_orders(rows, observations, errors, "total")


def cell_offset(coarse: int, fine: int) -> float:
    """Return how far the step functions of A(t) = t at two depths are apart in L², in parts of 1/m − 1/n.

    They differ by where their cells begin, by 1/√2 when depths double, by 1/√3 at least; by far more than the depths
    do when these are nearly equal.
    """
    cuts = np.unique(np.concatenate([np.arange(n + 1) / n for n in (coarse, fine)]).round(14))
    middle = (cuts[1:] + cuts[:-1]) / 2.0
    apart = np.floor(middle * coarse) / coarse - np.floor(middle * fine) / fine
    return float(np.sqrt(np.square(apart) @ np.diff(cuts))) / (1.0 / coarse - 1.0 / fine)


def _too_near(depths: tuple[int, int], offset: float) -> str | None:
    if offset <= _MOST_OFFSET:
        return None
    coarse, fine = depths
    return (
        f"the step functions of depths {coarse} and {fine} differ by where their cells begin more than by their depths;"
        f" a depth of {2 * coarse} in place of {fine} would tell"
    )


def _rule(
    discrete: DiscreteParameters, continuum: ContinuumParameters, checkpoint: Callable[[], None] | None
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield times, weights and layer indices of a composite Gauss rule that no kink falls inside a piece of, in parts.

    The pieces may be many: where the cells of a piecewise-linear basis have no divisor in common with the layers, the
    product of both.
    """
    n = discrete.depth
    pieces = n
    if isinstance(continuum.basis, PiecewiseLinearIncrements):
        pieces = math.lcm(n, continuum.basis.cells)
    nodes, weights = np.polynomial.legendre.leggauss(_GAUSS)
    like = discrete.K
    at_once = max(1, _NUMBERS // (_GAUSS * like[0].numel()))
    for first in range(0, pieces, at_once):
        if checkpoint is not None:
            checkpoint()
        piece = np.arange(first, min(first + at_once, pieces))
        t = ((piece[:, None] + (nodes + 1.0) / 2.0) / pieces).reshape(-1)
        w = np.tile(weights / (2.0 * pieces), len(piece))
        cell = np.repeat(piece * n // pieces, _GAUSS)
        yield torch.as_tensor(t).to(like), torch.as_tensor(w).to(like), torch.as_tensor(cell, device=like.device)


def _add_squares(
    squares: dict[str, float], left: tuple[Tensor, Tensor], right: tuple[Tensor, Tensor], weights: Tensor
) -> None:
    """Add the weighted squares of the difference of two (K, b) at some times, by name.

    Rows of K beyond the width, the number of entries of b, are those of Vᵀ.
    """
    K, b = (one - other for one, other in zip(left, right, strict=True))
    for name, part in zip(("K", "V"), torch.split(K, b.shape[-1], -2), strict=False):
        squares[name] = squares.get(name, 0.0) + _square(part, weights)
    squares["b"] = squares.get("b", 0.0) + _square(b, weights)


def _distance(
    squares: dict[str, float], left: DiscreteParameters, right: DiscreteParameters | ContinuumParameters
) -> Distance:
    parts = {name: math.sqrt(square) for name, square in squares.items()}
    parts |= {"W": float((left.W - right.W).norm()), "c": float((left.c - right.c).norm())}
    return TwoLayerDistance(**parts) if "V" in parts else Distance(**parts)


def _square(values: Tensor, weights: Tensor) -> float:
    return float((values.reshape(len(values), -1).square().sum(1) * weights).sum())
