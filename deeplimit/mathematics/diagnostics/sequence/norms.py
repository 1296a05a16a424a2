"""Size and regularity of the weights of one network, trained here or elsewhere.

What the theorem of Thorpe and van Gennip (2023) bounds (R_n), what follows from that bound (Hölder continuity of
exponent ½), what more its minimisers have (second differences of order n^{−2}, a natural boundary condition at the last
layer), and the p-variation that rougher limits have (Bayer, Friz and Tapia 2023).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.spatial.distance import cdist

from deeplimit.mathematics.diagnostics.sequence.p_variation import block_rows
from deeplimit.mathematics.diagnostics.sequence.scaling import NetworkWeights, Path

EXPONENTS: Final = (1, 2, 3)
_MOST_WORK: Final = 2e10


@dataclass(frozen=True)
class PathNorms:
    """Of one parameter with layers A_i, flattened, at t_i = i/n.

    Attributes
    ----------
    sup, l2
        max ‖A_i‖; ((1/n) Σ ‖A_i‖²)^½.
    R, seminorm
        n Σ ‖A_i − A_{i−1}‖² with and without ‖A_0‖² (τ = 1).
    root_sum_square
        (Σ ‖A_i‖²)^½, the statistic of Cohen, Cont, Rossier and Xu (2021).
    root_sum_square_increments, largest_increment, increment_correlation
        (Σ ‖A_i − A_{i−1}‖²)^½; max ‖A_i − A_{i−1}‖; 1 for smooth weights, 0 for Brownian ones, −½ for white noise.
    second_difference
        max n² ‖A_{i+1} − 2A_i + A_{i−1}‖.
    boundary_0, boundary_1
        n ‖A_1 − A_0‖ and n ‖A_{n−1} − A_{n−2}‖.
    holder
        max_{i<j} ‖A_i − A_j‖ / (t_j − t_i)^½, at most √seminorm by Cauchy and Schwarz.
    p_variation
        For each of `EXPONENTS` the supremum over all partitions of Σ ‖A_j − A_i‖^p.
    """

    sup: float
    l2: float
    R: float
    seminorm: float
    root_sum_square: float
    root_sum_square_increments: float
    largest_increment: float
    increment_correlation: float
    second_difference: float | None
    boundary_0: float
    boundary_1: float
    holder: float | None
    p_variation: dict[str, float] | None
    withheld: dict[str, str] = field(default_factory=dict)


def network_norms(weights: NetworkWeights, checkpoint: Callable[[], None] | None = None) -> dict[str, PathNorms]:
    """Return the norms of K, of b, and of both as one path.

    Parameters
    ----------
    checkpoint
        Called again and again while pairs of layers are compared; what it raises is passed on.

    Raises
    ------
    ValueError
        If the weights do not fit together; see ``NetworkWeights.paths``.
    """
    paths = weights.paths()
    both = np.hstack(list(paths.values()))
    return {name: path_norms(Path(values), checkpoint) for name, values in {**paths, "joint": both}.items()}


def path_norms(path: Path, checkpoint: Callable[[], None] | None = None) -> PathNorms:
    """Return the norms of one path; what compares all pairs of layers is withheld where they are too many."""
    n, steps = path.depth, path.steps
    increments = np.linalg.norm(steps, axis=1)
    withheld: dict[str, str] = {}
    second = None
    if n > 2:
        second = float(n**2 * np.linalg.norm(np.diff(steps, axis=0), axis=1).max())
    else:
        withheld["second_difference"] = "it takes three layers"
    holder, variation = None, None
    if float(n) ** 2 * path.values.shape[1] <= _MOST_WORK:
        holder = holder_constant(path, checkpoint)
        variation = {str(p): path.variation(float(p), checkpoint) for p in EXPONENTS}
    else:
        reason = "the pairs of layers are too many"
        withheld |= {"holder": reason, "p_variation": reason}
    return PathNorms(
        sup=path.sup,
        l2=path.l2,
        R=path.seminorm + float(np.square(path.values[0]).sum()),
        seminorm=path.seminorm,
        root_sum_square=path.root_sum_square,
        root_sum_square_increments=path.root_sum_square_increments,
        largest_increment=float(increments.max()),
        increment_correlation=path.step_correlation if n > 2 else 1.0,
        second_difference=second,
        boundary_0=float(n * increments[0]),
        boundary_1=float(n * increments[-1]),
        holder=holder,
        p_variation=variation,
        withheld=withheld,
    )


def holder_constant(path: Path, checkpoint: Callable[[], None] | None = None) -> float:
    """Return max_{i<j} ‖A_i − A_j‖ / ((j − i)/n)^½, by blocks of rows."""
    n, most, largest = path.depth, block_rows(path.values), 0.0
    for start in range(0, n, most):
        if checkpoint is not None:
            checkpoint()
        rows = np.arange(start, min(start + most, n))
        distance = cdist(path.values[rows], path.values)
        gap = np.abs(rows[:, None] - np.arange(n)) / n
        ratio = np.divide(distance, np.sqrt(gap), out=np.zeros_like(distance), where=gap > 0)
        largest = max(largest, float(ratio.max()))
    return largest
