"""What weights are like from one layer to the next: roughness that depth will bring out, and jumps.

At the depths at hand a smooth part may hide a rough one: noise of size n^{−½} adds n to R_n however small its factor.
Differences of high order see it first. Those of a smooth function fall like n^{−m}, those of noise like its size, those
of a Brownian path like n^{−½}, of a kink like n^{−3/2} and of a jump like n^{−½}, all in the mean over layers of the
squares. R_n stays bounded when they fall faster than n^{−1}.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from scipy.special import gammaincinv

from deeplimit.mathematics.diagnostics.sequence.exponents import Estimated, exponent
from deeplimit.mathematics.diagnostics.sequence.scaling import Path

ORDER: Final = 5
"""Of the differences; fewer where a network has not the layers for it."""
ROUGH_BELOW: Final = -1.0
"""Exponent of the differences from which R_n is not bounded."""
_SAME_SIZE: Final = 0.25
"""A jump's size has this exponent at most; steps that become steeper have −½ or less."""
_STANDS_OUT: Final = 2.5
"""A jump is this many times the largest that independent Gaussian increments would show."""
_COUNTED: Final = 0.25
"""Share of the largest jump from which others are counted."""


@dataclass(frozen=True)
class Jump:
    """An increment that keeps its size while depth grows, at one place.

    Attributes
    ----------
    layer, depth
        Between layers ``layer`` and ``layer`` + 1 of the deepest network.
    size
        Its Euclidean norm there, what the neighbouring increments have taken off.
    exponent
        Of its size in depth.
    count
        How many increments of that network stand out as clearly, of a quarter of this size or more.
    """

    layer: int
    depth: int
    size: float
    exponent: Estimated
    count: int

    @property
    def place(self) -> float:
        """T of the layer after it."""
        return (self.layer + 1) / self.depth


def difference_size(path: Path, order: int) -> float:
    """Return the root mean square of the differences of one order, 1 for independent layers of variance 1 a layer."""
    differences = np.diff(path.values, n=order, axis=0)
    return math.sqrt(float(np.square(differences).sum()) / len(differences) / math.comb(2 * order, order))


def fine_scale(paths: Sequence[Path]) -> list[tuple[int, float]]:
    """Return depth and size of the differences of the highest order that three depths allow."""
    depths = sorted({path.depth for path in paths})
    order = min(ORDER, depths[-3] - 1)
    # Networks too shallow for it are left out where three deeper ones are there.
    return [(path.depth, difference_size(path, order)) for path in paths if path.depth > order]


def flattens(sizes: Sequence[tuple[int, float]]) -> bool:
    """Whether what falls may stop falling faster than 1/n: as when roughness comes out beneath a smooth part.

    The last step's exponent is carried on by what the step before it adds.
    """
    by_depth: dict[int, list[float]] = {}
    for depth, size in sizes:
        by_depth.setdefault(depth, []).append(math.log(size))
    logs = [(depth, float(np.mean(values))) for depth, values in sorted(by_depth.items())]
    slopes = [(right - left) / math.log(n / m) for (m, left), (n, right) in pairwise(logs)]
    return slopes[-1] + max(0.0, slopes[-1] - slopes[-2] if len(slopes) > 1 else 0.0) > ROUGH_BELOW


def spread(path: Path) -> float:
    """Return over how large a share of its increments a path's Σ‖ΔA‖² is spread: (Σ s)²/(m Σ s²), s = ‖ΔA‖²."""
    squares = np.square(path.steps).sum(axis=1)
    total = float(np.square(squares).sum())
    return float(squares.sum()) ** 2 / (len(squares) * total) if total > 0.0 else 1.0


def find_jump(paths: Sequence[Path]) -> Jump | None:
    """Return the largest jump of the deepest network, if the network before it has it at the same place."""
    found = [(path, _apart(path)) for path in sorted(paths, key=lambda path: path.depth)]
    (finest, deviations) = found[-1]
    before, earlier = next((path, each) for path, each in reversed(found) if path.depth < finest.depth)
    layer, other = int(deviations.argmax()), int(earlier.argmax())
    size = exponent([path.depth for path, _ in found], [float(each.max()) for _, each in found])
    # The largest of Gaussian ones is about √k + 3, a quarter of them below the quantile; most are no jumps.
    k = finest.values.shape[1]
    quarter = math.sqrt(2.0 * float(gammaincinv(k / 2.0, 0.25)))  # of χ with k degrees of freedom
    level = _STANDS_OUT * (math.sqrt(k) + 3.0) / quarter * float(np.quantile(deviations, 0.25))
    together = abs((layer + 0.5) / (finest.depth - 1) - (other + 0.5) / (before.depth - 1)) <= 1.5 / before.depth
    if not together or size is None or deviations[layer] <= level:
        return None
    if not (abs(size.value) < _SAME_SIZE and size.low > -2.0 * _SAME_SIZE):
        return None
    # Beside a jump stand increments half as far from the mean of their neighbours.
    beside = np.pad(deviations, 1)
    peaks = deviations[(deviations >= beside[:-2]) & (deviations >= beside[2:])]
    count = int((peaks > max(level, _COUNTED * float(deviations[layer]))).sum())
    return Jump(layer, finest.depth, float(deviations[layer]), size, count)


def _apart(path: Path) -> np.ndarray:
    """Return how far each increment is from the mean of its neighbours, (n − 1,)."""
    steps = path.steps
    padded = np.vstack([steps[1], steps, steps[-2]])
    out: np.ndarray = np.linalg.norm(steps - 0.5 * (padded[:-2] + padded[2:]), axis=1)
    return out
