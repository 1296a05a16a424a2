"""The evidence of a classification: each measurement of a depth sequence, and the class that it speaks for.

The measurements are those of `scaling`; the rules that weigh them are in `classification`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Final

from worker.deeplimit.diagnostics.sequence.scaling import Estimated, Path, consecutive_distances, exponent, growth, mean
from worker.deeplimit.diagnostics.sequence.sequence_class import Evidence, SequenceClass, TrainedFacts

LEAST_DEPTHS: Final = 3
"""A trend takes three depths."""
GROWS: Final = 0.2
"""R_n grows when its exponent is above this; a bounded one that still approaches its limit stays below."""
CORRELATED: Final = 0.5
"""Between smooth weights, 1, and Brownian paths, 0."""
APPROACH: Final = -0.5
"""Distances between consecutive depths that fall faster approach a limit; minimisers have exponent −1."""
NO_APPROACH: Final = -0.25
SIZE: Final = 0.1
"""Exponents of the weights' size closer to 0 are none."""
MATCH: Final = 0.1
_ROUGH_GROWTH: Final = 0.5
_MOST_VARIATION_WORK: Final = 2e10


class _OutOfTime(Exception):  # noqa: N818 - a signal, not an error
    """Raised through what compares pairs of layers, row by row."""


class SequenceMeasurements:
    """Every measurement of one depth sequence.

    Parameters
    ----------
    by_name
        Paths of ``K``, ``b`` and ``joint``, at `LEAST_DEPTHS` depths or more.
    facts
        What a study knows besides.
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
        offset: float = 0.0,
        *,
        checkpoint: Callable[[], None] | None = None,
        deadline: float | None = None,
    ) -> None:
        self._checkpoint, self._deadline = checkpoint, deadline
        self.by_name, self.facts, self.offset = by_name, facts, offset
        self.joint = by_name["joint"]

    @cached_property
    def correlation(self) -> Estimated:
        """ρ, over the networks of the finer half of the depths, of three at least."""
        return self._correlation("joint")

    @cached_property
    def growth_of_R(self) -> Estimated | None:
        """γ in R_n ∝ n^γ."""
        return growth(self.joint, lambda path: path.seminorm)

    @cached_property
    def settled_growth_of_R(self) -> Estimated | None:
        """γ with an O(1/n) approach to a limit taken out."""
        return growth(self.joint, lambda path: path.seminorm, settle=True)

    @cached_property
    def size(self) -> Estimated | None:
        """Exponent of the L² norm, n^offset included."""
        return growth(self.joint, lambda path: path.l2)

    @cached_property
    def approach(self) -> Estimated | None:
        """Exponent of the distances from the continuum where they are known, else between consecutive depths."""
        if len(self.facts.to_continuum) >= LEAST_DEPTHS:
            return exponent([n for n, _ in self.facts.to_continuum], [value for _, value in self.facts.to_continuum])
        return self._consecutive()

    def _consecutive(self) -> Estimated | None:
        pairs = consecutive_distances(self.joint)
        return exponent([scale for scale, _ in pairs], [value for _, value in pairs])

    @property
    def smooth(self) -> bool:
        """Whether ρ > ½."""
        return self.correlation.low > CORRELATED

    @property
    def rough(self) -> bool:
        """Whether ρ < ½ and γ > ½, jointly or of one parameter alone."""
        return any(self._rough(name) for name in self.by_name)

    def all(self) -> list[Evidence]:
        """Return every measurement as evidence."""
        return [
            *self._sizes(),
            *self._growths(),
            *self._correlations(),
            self._root_sum_square(),
            *self._variations(),
            *self._approaches(),
            *self._trained(),
        ]

    def _correlation(self, name: str) -> Estimated:
        paths = self.by_name[name]
        depths = sorted({path.depth for path in paths})
        finer = depths[-max(LEAST_DEPTHS, math.ceil(len(depths) / 2)) :]
        return mean([path.step_correlation for path in paths if path.depth in finer])

    def _rough(self, name: str) -> bool:
        grows = growth(self.by_name[name], lambda path: path.seminorm)
        return self._correlation(name).high < CORRELATED and grows is not None and grows.low > _ROUGH_GROWTH

    def _unsmooth(self, otherwise: SequenceClass | None = None) -> SequenceClass | None:
        """Return ``rough`` where the increments are not those of smooth weights."""
        return SequenceClass.ROUGH if self.correlation.high < CORRELATED else otherwise

    def _sizes(self) -> list[Evidence]:
        """β of weights of size n^{−β} (Cohen et al. 2021, section 3)."""
        return [
            self._size("beta", self.size, "in L²"),
            self._size(
                "beta_sup",
                growth(self.joint, lambda path: path.sup),
                "in the largest layer, which for random weights falls slower by a logarithm",
            ),
        ]

    def _size(self, name: str, size: Estimated | None, how: str) -> Evidence:
        supports = None
        if size is not None and size.low > -SIZE and size.high < SIZE:
            supports = None if self.correlation.high < CORRELATED else SequenceClass.H1_LIMIT
        elif size is not None and size.low > SIZE:
            supports = SequenceClass.NO_LIMIT
        elif size is not None and size.high < NO_APPROACH:
            supports = self._unsmooth()
        if size is not None:
            size = Estimated(self.offset - size.value, self.offset - size.high, self.offset - size.low)
        return _evidence(name, size, supports, f"β of weights of size n^−β, {how}")

    def _growths(self) -> list[Evidence]:
        what = "exponent in n of R_n = n Σ‖A_{i+1} − A_i‖²: 0 when bounded, 1 for Brownian paths"
        found = []
        for name, grows, detail in (
            ("growth_R", self.growth_of_R, what),
            ("growth_R_settled", self.settled_growth_of_R, f"{what}; an O(1/n) approach taken out, from 4 depths on"),
        ):
            supports = None
            if grows is not None and grows.high < GROWS:
                supports = SequenceClass.H1_LIMIT
            elif grows is not None and grows.low > GROWS:
                supports = self._unsmooth(SequenceClass.NO_LIMIT)
            found.append(_evidence(name, grows, supports, detail))
        return found

    def _correlations(self) -> list[Evidence]:
        detail = "correlation of consecutive increments: 1 for smooth weights, 0 for Brownian paths, −½ for white noise"
        found = []
        # With one parameter present the joint path is that parameter's.
        for name in ["joint"] if len(self.by_name) == 2 else self.by_name:
            one = self._correlation(name)
            supports = None
            if one.low > CORRELATED:
                supports = SequenceClass.H1_LIMIT
            elif one.high < CORRELATED:
                supports = SequenceClass.ROUGH
            suffix = "" if name == "joint" else f"_{name}"
            found.append(_evidence(f"increment_correlation{suffix}", one, supports, detail))
        return found

    def _root_sum_square(self) -> Evidence:
        found = growth(self.joint, lambda path: path.root_sum_square)
        supports = None
        if found is not None and found.high < (GROWS - 1.0) / 2.0:
            supports = SequenceClass.H1_LIMIT
        elif found is not None and found.low > (GROWS - 1.0) / 2.0:
            supports = self._unsmooth(SequenceClass.NO_LIMIT)
        detail = "exponent in n of (Σ‖A_{i+1} − A_i‖²)^½: −½ for an H¹ limit, 0 for Brownian increments"
        return _evidence("root_sum_square", found, supports, detail)

    def _variations(self) -> list[Evidence]:
        work = sum(float(path.depth) ** 2 * path.values.shape[1] for path in self.joint)
        what = "over all partitions: exponent in n"
        one = growth(self.joint, lambda path: path.variation(1.0))
        supports = None
        if one is not None and one.high < GROWS:
            supports = SequenceClass.H1_LIMIT
        elif one is not None and one.low > GROWS:
            supports = self._unsmooth(SequenceClass.NO_LIMIT)
        found = [_evidence("p_variation_1", one, supports, f"1-variation {what}: 0 for an H¹ limit, ½ for rough paths")]
        if work > _MOST_VARIATION_WORK:
            detail = "2-variation: not computed, the weights are too many"
            return [*found, Evidence("p_variation_2", None, None, None, detail)]
        try:
            two = growth(self.joint, lambda path: path.variation(2.0, self._watch))
        except _OutOfTime:
            detail = "2-variation: not computed, the time limit was reached"
            return [*found, Evidence("p_variation_2", None, None, None, detail)]
        # Bounded for H¹ and, up to iterated logarithms, for Brownian paths: it tells them from rougher ones only.
        supports = SequenceClass.NO_LIMIT if two is not None and two.low > GROWS else None
        detail = f"2-variation {what}: 0 for an H¹ limit and for Brownian paths"
        return [*found, _evidence("p_variation_2", two, supports, detail)]

    def _watch(self) -> None:
        if self._checkpoint is not None:
            self._checkpoint()
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise _OutOfTime

    def _approaches(self) -> list[Evidence]:
        what = "−1 for minimisers that converge"
        rows = [("consecutive_distance", self._consecutive(), "between the lifts of consecutive depths")]
        if len(self.facts.to_continuum) >= LEAST_DEPTHS:
            rows.append(("continuum_distance", self.approach, "of K and b from the continuum's"))
        found = []
        for name, one, between in rows:
            supports = None
            if one is not None and one.high < APPROACH and not self.rough:
                supports = SequenceClass.H1_LIMIT
            elif one is not None and one.low > NO_APPROACH:
                supports = SequenceClass.NO_LIMIT
            found.append(_evidence(name, one, supports, f"exponent in n of the L² distance {between}: {what}"))
        return found

    def _trained(self) -> list[Evidence]:
        details: Sequence[tuple[str, float | None, str]] = (
            (
                "slope_mismatch",
                self.facts.slope_mismatch,
                "relative difference of n(E_n − E_∞) at the finest depth from the continuum's C₁",
            ),
            (
                "euler_lagrange",
                self.facts.euler_lagrange,
                "residual of the continuum's Euler–Lagrange equations, relative to its terms",
            ),
        )
        found = [
            Evidence(name, value, None, SequenceClass.H1_LIMIT if value <= MATCH else None, detail)
            for name, value, detail in details
            if value is not None
        ]
        if self.facts.penalty is not None:
            supports = {"h1": SequenceClass.H1_LIMIT, "unscaled": SequenceClass.NO_LIMIT}.get(self.facts.penalty)
            detail = f"the scaling of the regulariser in the objective is '{self.facts.penalty}'"
            found.append(Evidence("penalty_scaling", None, None, supports, detail))
        return found


def unscaled_penalty(found: SequenceMeasurements) -> Evidence | None:
    """Return evidence that the penalty Σ‖A_{i+1} − A_i‖² lacks its factor n, when R_n grows and this sum does not."""
    grows, penalty = found.growth_of_R, found.facts.penalty
    if grows is None or grows.low <= GROWS or not (grows.value < 1.0 or penalty == "unscaled"):
        return None
    origin = "which it looks like" if penalty is None else f"and the objective's scaling is '{penalty}'"
    detail = (
        "exponent in n of Σ‖A_{i+1} − A_i‖², the sum without its factor n: R_n grows and it does not, as when a penalty"
        f" is not scaled with n, {origin}; it allows ever steeper weights, and there is no H¹ limit"
    )
    without = Estimated(grows.value - 1.0, grows.low - 1.0, grows.high - 1.0)
    return _evidence("unscaled_penalty", without, SequenceClass.NO_LIMIT, detail)


def _evidence(name: str, found: Estimated | None, supports: SequenceClass | None, detail: str) -> Evidence:
    if found is None:
        return Evidence(name, None, None, None, f"{detail}; none where a value vanishes")
    interval = (found.low, found.high) if math.isfinite(found.low) else None
    return Evidence(name, found.value, interval, supports, detail)
