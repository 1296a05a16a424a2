"""What is measured of a depth sequence, each once: exponents with intervals, correlations, jumps, distances."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Final

from deeplimit.mathematics.diagnostics.sequence.exponents import Estimated, exponent, mean
from deeplimit.mathematics.diagnostics.sequence.fine_scale import Jump, find_jump, fine_scale, flattens, spread
from deeplimit.mathematics.diagnostics.sequence.scaling import Path, consecutive_distances, growth
from deeplimit.mathematics.diagnostics.sequence.sequence_class import TrainedFacts
from deeplimit.mathematics.watch import passed

LEAST_DEPTHS: Final = 3
"""A trend takes three depths."""
_UNSEEN: Final = 1e-6
"""Roughness below this share of the weights' size is that of single precision."""


class OutOfTime(Exception):  # noqa: N818 - a signal, not an error
    """Raised through what compares pairs of layers, row by row."""


class SequenceMeasurements:
    """Every measurement of one depth sequence.

    Parameters
    ----------
    by_name
        Paths of ``K``, ``b`` and ``joint``, at `LEAST_DEPTHS` depths or more.
    facts
        What a study knows besides.
    relabelled
        Returns one path of each depth with its coordinates in the labels nearest to the depth before, or None where
        that has no meaning.
    offset
        The paths are n^offset times the weights.
    checkpoint
        Called again and again in what takes long; what it raises is passed on.
    deadline
        In seconds of ``time.monotonic``: what compares all pairs of layers is withheld from then on.
    """

    def __init__(
        self,
        by_name: Mapping[str, Sequence[Path]],
        facts: TrainedFacts,
        relabelled: Callable[[], Sequence[Path] | None],
        offset: float = 0.0,
        *,
        checkpoint: Callable[[], None] | None = None,
        deadline: float | None = None,
    ) -> None:
        self._checkpoint, self._deadline, self._relabelled = checkpoint, deadline, relabelled
        self.by_name, self.facts, self.offset = by_name, facts, offset
        self.joint = by_name["joint"]
        # With one parameter present the joint path is that parameter's.
        self.names = ["joint"] if len(by_name) == 2 else list(by_name)

    @cached_property
    def size(self) -> Estimated | None:
        """Exponent of the L² norm, n^offset included."""
        return growth(self.joint, lambda path: path.l2)

    @cached_property
    def growths(self) -> dict[str, Estimated | None]:
        """γ in R_n ∝ n^γ, by parameter."""
        return {
            name: growth(self.by_name[name], lambda path: path.seminorm * path.share_of_increments)
            for name in self.names
        }

    @property
    def growth_of_R(self) -> Estimated | None:
        """γ in R_n ∝ n^γ, jointly."""
        return self.growths["joint"]

    @cached_property
    def correlations(self) -> dict[str, Estimated]:
        """ρ by parameter, over the networks of the finer half of the depths, of three at least."""
        depths = sorted({path.depth for path in self.joint})
        finer = depths[-max(LEAST_DEPTHS, math.ceil(len(depths) / 2)) :]
        return {
            name: mean([path.step_correlation for path in self.by_name[name] if path.depth in finer])
            for name in self.names
        }

    @property
    def correlation(self) -> Estimated:
        """ρ, jointly."""
        return self.correlations["joint"]

    @cached_property
    def variation(self) -> Estimated | None:
        """Exponent of the 1-variation."""
        return growth(self.joint, lambda path: path.variation(1.0) * path.share_of_increments)

    def two_variation(self) -> Estimated | None:
        """Return the exponent of the 2-variation, which for rough paths reaches its law by iterated logarithms.

        Raises
        ------
        OutOfTime
            After the deadline.
        """
        return growth(self.joint, lambda path: path.variation(2.0, self._watch) * path.share_of_increments, root=True)

    @cached_property
    def fine_scales(self) -> dict[str, Estimated | None]:
        """Exponent of the differences of high order, by parameter; none where they are below what is known."""
        return {name: exponent(*zip(*sizes, strict=True)) for name, sizes in self._seen.items()}

    @cached_property
    def smooths(self) -> bool:
        """Whether the differences of high order fall faster than those of the first, in all that can be seen."""
        for name, sizes in self._seen.items():
            first = {path.depth: path.root_sum_square_increments * path.depth**-0.5 for path in self.by_name[name]}
            found = exponent([n for n, _ in sizes], [size / first[n] for n, size in sizes])
            if found is None or found.high > -0.5:
                return False
        return True

    @cached_property
    def roughness_may_come_out(self) -> bool:
        """Whether the differences of high order stop falling, of any parameter."""
        return any(flattens(sizes) for sizes in self._seen.values())

    @cached_property
    def spreads(self) -> dict[str, float]:
        """Over how large a share of the increments Σ‖ΔA‖² is spread at the finest depth, by parameter."""
        finest = max(path.depth for path in self.joint)
        return {name: min(spread(path) for path in self.by_name[name] if path.depth == finest) for name in self.names}

    @cached_property
    def jumps(self) -> dict[str, Jump]:
        """Of every parameter that has one."""
        found = {name: find_jump(self.by_name[name]) for name in self.names}
        return {name: jump for name, jump in found.items() if jump is not None}

    @cached_property
    def approach(self) -> Estimated | None:
        """Exponent of the distances from the continuum where they are known, else between consecutive depths."""
        if len(self.facts.to_continuum) >= LEAST_DEPTHS:
            return exponent([n for n, _ in self.facts.to_continuum], [value for _, value in self.facts.to_continuum])
        return self.consecutive

    @cached_property
    def distances(self) -> list[tuple[float, float]]:
        """Scale and distance of each pair of consecutive depths."""
        return consecutive_distances(self.joint)

    @cached_property
    def consecutive(self) -> Estimated | None:
        """Exponent of the distances between consecutive depths."""
        return _of_pairs(self.distances)

    @cached_property
    def relabelled_distances(self) -> list[tuple[float, float]] | None:
        """The same with coordinates relabelled, or None where that has no meaning."""
        paths = None if self.facts.penalty is not None else self._relabelled()
        return None if paths is None else consecutive_distances(paths)

    @cached_property
    def relabelled(self) -> Estimated | None:
        """Exponent of these."""
        return None if self.relabelled_distances is None else _of_pairs(self.relabelled_distances)

    def share_of_size(self, distance: float) -> float:
        """Return a distance as a share of the L² norm of the networks, on average."""
        size = sum(path.l2 for path in self.joint) / len(self.joint)
        return distance / size if size > 0.0 else 0.0

    @cached_property
    def _seen(self) -> dict[str, list[tuple[int, float]]]:
        """Differences of high order, of the parameters where they are above what is known of the weights."""
        found = {name: fine_scale(self.by_name[name]) for name in self.names}
        size = max(path.l2 for path in self.joint)
        least = max(_UNSEEN * size, self.facts.resolution)
        return {name: sizes for name, sizes in found.items() if min(value for _, value in sizes) > least}

    def _watch(self) -> None:
        if self._checkpoint is not None:
            self._checkpoint()
        if passed(self._deadline):
            raise OutOfTime


def _of_pairs(pairs: Sequence[tuple[float, float]]) -> Estimated | None:
    return exponent([scale for scale, _ in pairs], [value for _, value in pairs])
