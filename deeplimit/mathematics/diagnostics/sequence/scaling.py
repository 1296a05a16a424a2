"""How weights scale with depth: norms, increments and distances of networks of growing depth.

The measurements of Cohen, Cont, Rossier and Xu (2021), *Scaling properties of deep residual networks*, ICML: weights of
size n^{−β}, and their root sum of squares (Σ‖A_i‖²)^½, which goes like n^{½−β}. Beside them stand the root sum of
squares of the increments, (Σ‖A_{i+1} − A_i‖²)^½, which tends to 0 like n^{−½} when the rescaled weights tend to a
function of H¹, and to a constant when the increments are those of a Brownian motion; what the theorem of Thorpe and van
Gennip (2023) bounds, n Σ‖A_{i+1} − A_i‖²; and the distances between consecutive depths.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from deeplimit.mathematics.diagnostics.sequence.exponents import Estimated, exponent
from deeplimit.mathematics.diagnostics.sequence.p_variation import p_variation_sum

Floats = npt.NDArray[np.float64]


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
        """(Σ ‖A_i‖²)^½, the statistic of Cohen et al. (2021)."""
        return float(np.linalg.norm(self.values))

    @property
    def root_sum_square_increments(self) -> float:
        """(Σ ‖A_{i+1} − A_i‖²)^½."""
        return float(np.linalg.norm(self.steps))

    @property
    def seminorm(self) -> float:
        """N Σ ‖A_{i+1} − A_i‖²: R_n without its boundary term."""
        return self.depth * self.root_sum_square_increments**2

    @property
    def share_of_increments(self) -> float:
        """N/(n − 1): there is one increment less than layers, so sums over increments are this factor too small."""
        return self.depth / (self.depth - 1)

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


def growth(paths: Sequence[Path], measure: Callable[[Path], float], *, root: bool = False) -> Estimated | None:
    """Return the exponent in depth of one measurement over networks; ``root`` as for `exponent`."""
    return exponent([path.depth for path in paths], [measure(path) for path in paths], root=root)


def distance(left: Path, right: Path) -> float:
    """Return (∫₀¹ ‖A_m(t) − A_n(t)‖² dt)^½ of two lifts, exactly.

    The lift is piecewise linear through the nodes i/n and constant beyond the last. Step functions would differ by
    where they jump, too, which at depths that do not divide each other hides what is measured here.
    """
    nodes = np.union1d(np.arange(left.depth) / left.depth, np.arange(right.depth) / right.depth)
    difference = interpolated(left, nodes) - interpolated(right, nodes)
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


def interpolated(path: Path, t: Floats) -> Floats:
    """Return the lift at times t in [0, 1], (len(t), k)."""
    place = np.minimum(t * path.depth, path.depth - 1.0)
    index = np.minimum(place.astype(np.int64), path.depth - 2)
    share = (place - index)[:, None]
    values: Floats = (1.0 - share) * path.values[index] + share * path.values[index + 1]
    return values
