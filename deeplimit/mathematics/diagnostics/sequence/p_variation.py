"""The p-variation of a path, exact: the supremum over all partitions.

‖x‖_p-var^p = sup Σ_j ‖x_{t_{j+1}} − x_{t_j}‖^p over all 0 ≤ t_0 < t_1 < … < t_m ≤ n (Young 1936; for the use of rough
paths in the limits of residual networks: Bayer, Friz and Tapia 2023, *Stability of deep neural networks via discrete
rough paths*). The finest partition attains it for p = 1 only: for p > 1 steps in one direction are better joined.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

_MOST_ROWS: Final = 256
_NUMBERS: Final = 2**22
"""Differences of coordinates taken between two checkpoints, some hundredths of a second."""


def p_variation_sum(path: npt.ArrayLike, p: float, checkpoint: Callable[[], None] | None = None) -> float:
    """Return the p-variation sum of a discrete path, exactly: the sum, not its p-th root.

    V_j = max_{i<j} V_i + ‖x_j − x_i‖^p with V_0 = 0: every term is ≥ 0, so an optimal partition starts at the first
    point and ends at the last. O(n²) distances, O(n) memory. Butkus and Norvaiša (2018), *Computation of p-variation*,
    Lithuanian Mathematical Journal 58, prune the same recursion on the line.

    Parameters
    ----------
    path
        (n,) or (n, …) points; what follows the first axis is flattened and measured by the Euclidean norm.
    p
        ≥ 1; for 1 the finest partition is summed, O(n).
    checkpoint
        Called once for every block of `block_rows` rows; what it raises is passed on.

    Returns
    -------
    float
        sup over all partitions of Σ ‖x_{t_{j+1}} − x_{t_j}‖^p; 0 for a single point.

    Raises
    ------
    ValueError
        If p < 1, or the path is empty or not finite.
    """
    points = np.asarray(path, dtype=np.float64)
    if not (math.isfinite(p) and p >= 1.0):
        raise ValueError("p must be a finite number of at least 1")
    if points.ndim < 1 or not len(points) or not np.isfinite(points).all():
        raise ValueError("a path is a non-empty array of finite points")
    points = points.reshape(len(points), -1)
    if p == 1.0:
        return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
    n, rows = len(points), block_rows(points)
    best = np.zeros(n)
    for start in range(0, n, rows):
        if checkpoint is not None:
            checkpoint()
        stop = min(start + rows, n)
        if p == 2.0:
            powers = cdist(points[start:stop], points[:stop], "sqeuclidean")
        else:
            powers = cdist(points[start:stop], points[:stop])
            np.power(powers, p, out=powers)
        for j in range(max(start, 1), stop):
            best[j] = np.max(best[:j] + powers[j - start, :j])
    return float(best[-1])


def block_rows(points: npt.NDArray[np.float64]) -> int:
    """Return how many rows of the matrix of distances of points (n, k) to go through at once, at least 1."""
    return max(1, min(_MOST_ROWS, _NUMBERS // max(1, points.size)))
