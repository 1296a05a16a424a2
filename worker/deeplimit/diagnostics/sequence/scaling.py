"""How weights scale with depth: norms, increments, and exponents with intervals.

The measurements of Cohen, Cont, Rossier and Xu (2021), *Scaling properties of deep residual networks*, ICML: weights of
size n^{−β}; root sum of squares of their increments, (Σ‖A_{i+1} − A_i‖²)^½, which tends to 0 like n^{−½} when the
rescaled weights tend to a function of H¹, and to a constant when the increments are those of a Brownian motion. Beside
them stand what the theorem of Thorpe and van Gennip (2023) bounds, n Σ‖A_{i+1} − A_i‖², and the distances between
consecutive depths.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from worker.deeplimit.diagnostics.sequence.p_variation import p_variation_sum

Floats = npt.NDArray[np.float64]

LEVEL: Final = 0.95
"""Of every interval."""
_RELATIVE_ROUNDING: Final = 1e-9
"""Fitted values are not known better than this; it keeps an exact fit from claiming a point as its interval."""


@dataclass(frozen=True)
class NetworkWeights:
    """The weights of one network of depth n, trained here or elsewhere.

    Attributes
    ----------
    layers
        By name, such as ``K`` (n, d, d) and ``b`` (n, d): the first axis is the layer.
    """

    layers: Mapping[str, npt.ArrayLike]

    def paths(self) -> dict[str, Floats]:
        """Return each parameter as a path (n, k) of flattened layers.

        Raises
        ------
        ValueError
            If there is none, their depths differ or are below 2, or a number is not finite.
        """
        out = {}
        for name, value in self.layers.items():
            array = np.asarray(value, dtype=np.float64)
            if array.ndim < 1 or len(array) < 2 or not array.size or not np.isfinite(array).all():
                raise ValueError(f"{name} must be a finite array with one entry per layer, and at least two layers")
            out[name] = array.reshape(len(array), -1)
        if not out or len({len(path) for path in out.values()}) > 1:
            raise ValueError("every parameter must have one entry per layer")
        return out


@dataclass(frozen=True)
class Estimated:
    """A number and its interval of confidence ``LEVEL``; unbounded where the data leave no degree of freedom."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Path:
    """One parameter of one network: ``values`` (n, k) are the layers, flattened."""

    values: Floats

    @property
    def depth(self) -> int:
        """Depth n."""
        return len(self.values)

    @property
    def steps(self) -> Floats:
        """The increments A_{i+1} − A_i, (n − 1, k)."""
        return np.diff(self.values, axis=0)

    @property
    def sup(self) -> float:
        """max_i ‖A_i‖."""
        return float(np.linalg.norm(self.values, axis=1).max())

    @property
    def l2(self) -> float:
        """((1/n) Σ ‖A_i‖²)^½, the L² norm of the step function."""
        return math.sqrt(float(np.square(self.values).sum()) / self.depth)

    @property
    def root_sum_square(self) -> float:
        """(Σ ‖A_{i+1} − A_i‖²)^½."""
        return float(np.linalg.norm(self.steps))

    @property
    def seminorm(self) -> float:
        """N Σ ‖A_{i+1} − A_i‖²: R_n without its boundary term."""
        return self.depth * self.root_sum_square**2

    def variation(self, p: float, checkpoint: Callable[[], None] | None = None) -> float:
        """Return the p-variation sum over all partitions; ``checkpoint`` as for `p_variation_sum`."""
        return p_variation_sum(self.values, p, checkpoint)

    @property
    def step_correlation(self) -> float:
        """Σ ⟨ΔA_i, ΔA_{i+1}⟩ / Σ (‖ΔA_i‖² + ‖ΔA_{i+1}‖²)/2: 1 for C¹, 0 for Brownian paths, −½ for white noise."""
        steps = self.steps
        squares = np.square(steps).sum(axis=1)
        scale = 0.5 * float((squares[:-1] + squares[1:]).sum())
        return float((steps[:-1] * steps[1:]).sum()) / scale if scale > 0.0 else 1.0


def exponent(depths: Sequence[float], values: Sequence[float], *, settle: bool = False) -> Estimated | None:
    """Return γ of value ∝ n^γ by least squares of the logarithms, with Student's interval.

    Parameters
    ----------
    depths, values
        One of each per network; several networks may have the same depth.
    settle
        Fit log v = a + γ log n + c/n instead: a sequence that converges like v_∞(1 + c/n) then has γ = 0 at depths
        where n^γ alone would show its approach as growth. Takes four distinct depths; with fewer it is left out.

    Returns
    -------
    Estimated or None
        None with fewer than two distinct depths, or where a value is not positive.
    """
    n, v = np.asarray(depths, dtype=np.float64), np.asarray(values, dtype=np.float64)
    distinct = len(np.unique(n))
    if distinct < 2 or not (np.isfinite(v).all() and (v > 0.0).all()):
        return None
    columns = [np.ones_like(n), np.log(n)]
    if settle and distinct >= 4:
        columns.append(1.0 / n)
    design, target = np.stack(columns, axis=1), np.log(v)
    solution, *_ = np.linalg.lstsq(design, target, rcond=None)
    freedom = len(target) - design.shape[1]
    slope = float(solution[1])
    if freedom < 1:
        return Estimated(slope, -math.inf, math.inf)
    residual = target - design @ solution
    variance = float(residual @ residual) / freedom + _RELATIVE_ROUNDING**2
    spread = math.sqrt(variance * float(np.linalg.inv(design.T @ design)[1, 1]))
    half = float(student.ppf(0.5 + LEVEL / 2.0, freedom)) * spread
    return Estimated(slope, slope - half, slope + half)


def mean(values: Sequence[float]) -> Estimated:
    """Return the mean with Student's interval; one value alone has an unbounded one."""
    v = np.asarray(values, dtype=np.float64)
    centre = float(v.mean())
    if len(v) < 2:
        return Estimated(centre, -math.inf, math.inf)
    half = float(student.ppf(0.5 + LEVEL / 2.0, len(v) - 1)) * float(v.std(ddof=1)) / math.sqrt(len(v))
    return Estimated(centre, centre - half, centre + half)


def growth(paths: Sequence[Path], measure: Callable[[Path], float], *, settle: bool = False) -> Estimated | None:
    """Return the exponent in depth of one measurement over networks."""
    return exponent([path.depth for path in paths], [measure(path) for path in paths], settle=settle)


def distance(left: Path, right: Path) -> float:
    """Return (∫₀¹ ‖A_m(t) − A_n(t)‖² dt)^½ of two lifts, exactly.

    The lift is piecewise linear through the nodes i/n and constant beyond the last. Step functions would differ by
    where they jump, too, which at depths that do not divide each other hides what is measured here.
    """
    nodes = np.union1d(np.arange(left.depth) / left.depth, np.arange(right.depth) / right.depth)
    difference = _interpolated(left, nodes) - _interpolated(right, nodes)
    before, after = difference[:-1], difference[1:]
    squares = (before * before + before * after + after * after).sum(axis=1) / 3.0
    beyond = (1.0 - float(nodes[-1])) * float(np.square(difference[-1]).sum())
    return math.sqrt(float(squares @ np.diff(nodes)) + beyond)


def consecutive_distances(paths: Sequence[Path]) -> list[tuple[float, float]]:
    """Return, for each pair of consecutive depths, its scale and the least distance between their networks.

    On a branch θ_n = θ_∞ + e/n + O(n⁻²), so that the distance of depths m < n goes like 1/m − 1/n; the scale is
    ½/(1/m − 1/n), which is m when depths double. The least over all pairs: networks from several starts may be in
    several minima, and what matters is whether the minima of one depth are those of the next.
    """
    by_depth: dict[int, list[Path]] = {}
    for path in paths:
        by_depth.setdefault(path.depth, []).append(path)
    return [
        (
            0.5 / (1.0 / coarse - 1.0 / fine),
            min(distance(left, right) for left in by_depth[coarse] for right in by_depth[fine]),
        )
        for coarse, fine in pairwise(sorted(by_depth))
    ]


def _interpolated(path: Path, t: Floats) -> Floats:
    place = np.minimum(t * path.depth, path.depth - 1.0)
    index = np.minimum(place.astype(np.int64), path.depth - 2)
    share = (place - index)[:, None]
    values: Floats = (1.0 - share) * path.values[index] + share * path.values[index + 1]
    return values
