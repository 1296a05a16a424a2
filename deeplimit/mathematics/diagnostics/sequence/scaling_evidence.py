"""The evidence of a classification: each measurement of a depth sequence, and the class that it speaks for.

The numbers are those of `measurements`; the rules that weigh them are in `classification`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from deeplimit.mathematics.diagnostics.sequence.exponents import Estimated
from deeplimit.mathematics.diagnostics.sequence.fine_scale import ROUGH_BELOW, Jump
from deeplimit.mathematics.diagnostics.sequence.measurements import LEAST_DEPTHS, OutOfTime, SequenceMeasurements
from deeplimit.mathematics.diagnostics.sequence.scaling import growth
from deeplimit.mathematics.diagnostics.sequence.sequence_class import Evidence, SequenceClass

GROWS: Final = 0.25
"""R_n grows when its exponent is above this; a bounded one that still approaches its limit stays below."""
CORRELATED: Final = 0.5
"""Between smooth weights, 1, and Brownian paths, 0."""
APPROACH: Final = -0.5
"""Distances between consecutive depths that fall faster approach a limit; minimisers have exponent −1."""
NO_APPROACH: Final = -0.25
SIZE: Final = 0.1
"""Exponents of the weights' size closer to 0 are none."""
MATCH: Final = 0.1
_MOST_VARIATION_WORK: Final = 2e10


def all_evidence(found: SequenceMeasurements) -> list[Evidence]:
    """Return every measurement as evidence."""
    return [
        *_sizes(found),
        _growth(found),
        *_correlations(found),
        *_roots(found),
        *_variations(found),
        *_fine_scales(found),
        *_jumps(found),
        *_approaches(found),
        *_trained(found),
    ]


def _unsmooth(found: SequenceMeasurements, otherwise: SequenceClass | None = None) -> SequenceClass | None:
    """Return what increments that are not those of smooth weights speak for: jumps, or else roughness."""
    if found.jumps:
        return SequenceClass.NO_LIMIT
    return SequenceClass.ROUGH if found.correlation.high < CORRELATED else otherwise


def _sizes(found: SequenceMeasurements) -> list[Evidence]:
    """β of weights of size n^{−β} (Cohen et al. 2021, section 3)."""
    in_sup = growth(found.joint, lambda path: path.sup)
    how = "in the largest layer, which for random weights falls slower by a logarithm"
    return [_size(found, "beta", found.size, "in L²"), _size(found, "beta_sup", in_sup, how)]


def _size(found: SequenceMeasurements, name: str, size: Estimated | None, how: str) -> Evidence:
    supports = None
    if size is not None and size.low > -SIZE and size.high < SIZE:
        supports = None if found.correlation.high < CORRELATED else SequenceClass.H1_LIMIT
    elif size is not None and size.low > SIZE:
        supports = SequenceClass.NO_LIMIT
    elif size is not None and size.high < NO_APPROACH:
        supports = _unsmooth(found)
    beta = None if size is None else -size + found.offset
    return _evidence(name, beta, supports, f"β of weights of size n^−β, {how}")


def _growth(found: SequenceMeasurements) -> Evidence:
    grows, supports = found.growth_of_R, None
    if grows is not None and grows.high < GROWS:
        supports = SequenceClass.H1_LIMIT
    elif grows is not None and grows.low > GROWS:
        supports = _unsmooth(found, SequenceClass.NO_LIMIT)
    detail = "exponent in n of R_n = n Σ‖A_{i+1} − A_i‖²: 0 when bounded, 1 for Brownian paths and where layers jump"
    return _evidence("growth_R", grows, supports, detail)


def _correlations(found: SequenceMeasurements) -> list[Evidence]:
    detail = "correlation of consecutive increments: 1 for smooth weights, 0 for Brownian paths, −½ for white noise"
    rows = []
    for name, one in found.correlations.items():
        supports = None
        if one.low > CORRELATED:
            supports = SequenceClass.H1_LIMIT
        elif one.high < CORRELATED:
            supports = _unsmooth(found)
        rows.append(_evidence(_named("increment_correlation", name), one, supports, detail))
    return rows


def _roots(found: SequenceMeasurements) -> list[Evidence]:
    """The statistic of Cohen et al. (2021), which is about the weights, and the same of their increments."""
    weights = growth(found.joint, lambda path: path.root_sum_square)
    if weights is not None:
        weights += -found.offset
    increments = growth(found.joint, lambda path: path.root_sum_square_increments * path.share_of_increments**0.5)
    supports = None
    if increments is not None and increments.high < (GROWS - 1.0) / 2.0:
        supports = SequenceClass.H1_LIMIT
    elif increments is not None and increments.low > (GROWS - 1.0) / 2.0:
        supports = _unsmooth(found, SequenceClass.NO_LIMIT)
    of_weights = "exponent in n of (Σ‖A_i‖²)^½, of the weights as they are: ½ − β"
    of_increments = "exponent in n of (Σ‖A_{i+1} − A_i‖²)^½: −½ for an H¹ limit, 0 for Brownian increments"
    return [
        _evidence("root_sum_square", weights, None, of_weights),
        _evidence("root_sum_square_increments", increments, supports, of_increments),
    ]


def _variations(found: SequenceMeasurements) -> list[Evidence]:
    work = sum(float(path.depth) ** 2 * path.values.shape[1] for path in found.joint)
    what = "over all partitions: exponent in n"
    one, supports = found.variation, None
    if one is not None and one.high < GROWS and not found.jumps:
        supports = SequenceClass.H1_LIMIT
    elif one is not None and one.low > GROWS:
        supports = _unsmooth(found, SequenceClass.NO_LIMIT)
    detail = f"1-variation {what}: 0 for an H¹ limit and for bounded variation, ½ for rough paths"
    rows = [_evidence("p_variation_1", one, supports, detail)]
    if work > _MOST_VARIATION_WORK:
        detail = "2-variation: not computed, the weights are too many"
        return [*rows, Evidence("p_variation_2", None, None, None, detail)]
    try:
        two = found.two_variation()
    except OutOfTime:
        detail = "2-variation: not computed, the time limit was reached"
        return [*rows, Evidence("p_variation_2", None, None, None, detail)]
    # Bounded for H¹ and, up to iterated logarithms, for Brownian paths: it tells them from rougher ones only.
    supports = SequenceClass.NO_LIMIT if two is not None and two.low > GROWS else None
    detail = f"2-variation {what}: 0 for an H¹ limit and for Brownian paths"
    return [*rows, _evidence("p_variation_2", two, supports, detail)]


def _fine_scales(found: SequenceMeasurements) -> list[Evidence]:
    detail = (
        "exponent in n of the differences of high order, root mean square: below −1 R_n stays bounded; −½ where"
        " increments are rough or jump, −5 or less for smooth weights"
    )
    rows = []
    for name in found.names:
        if name not in found.fine_scales:
            text = f"{detail}; they are below what is known of the weights"
            rows.append(Evidence(_named("fine_scale", name), None, None, SequenceClass.H1_LIMIT, text))
            continue
        one, supports = found.fine_scales[name], None
        if one is not None and one.high < ROUGH_BELOW and not found.roughness_may_come_out:
            supports = SequenceClass.H1_LIMIT
        elif one is not None and one.low > ROUGH_BELOW:
            supports = _unsmooth(found)
        rows.append(_evidence(_named("fine_scale", name), one, supports, detail))
    return rows


def _jumps(found: SequenceMeasurements) -> list[Evidence]:
    return [jump_evidence(found, name, jump) for name, jump in found.jumps.items()]


def jump_evidence(found: SequenceMeasurements, name: str, jump: Jump) -> Evidence:
    """Return where a jump is, how large, and what the sequence tends to in spite of it."""
    variation, approach = found.variation, found.consecutive
    bounded = variation is not None and variation.high < 2.0 * GROWS
    converges = approach is not None and approach.high < NO_APPROACH
    others = f", the largest of {jump.count}" if jump.count > 1 else ""
    detail = (
        f"size of the jump between layers {jump.layer} and {jump.layer + 1} of {jump.depth}, at t = {jump.place:.3g}"
        f"{others}; it goes like n^{jump.exponent.value:.2f}, so R_n grows like n and there is no limit in H¹;"
        f" the 1-variation is {'bounded' if bounded else 'not shown to be bounded'}, and in L² the depths"
        f" {'approach a limit' if converges else 'are not shown to approach one'}"
    )
    return Evidence(_named("jump", name), jump.size, None, SequenceClass.NO_LIMIT, detail)


def _approaches(found: SequenceMeasurements) -> list[Evidence]:
    what = "−1 for minimisers that converge"
    rows = [("consecutive_distance", found.consecutive, "between the lifts of consecutive depths")]
    if len(found.facts.to_continuum) >= LEAST_DEPTHS:
        rows.append(("continuum_distance", found.approach, "of K and b from the continuum's"))
    evidence = []
    for name, one, between in rows:
        supports = None
        if one is not None and one.high < APPROACH and _unsmooth(found) is None:
            supports = SequenceClass.H1_LIMIT
        elif one is not None and one.low > NO_APPROACH:
            supports = SequenceClass.NO_LIMIT
        evidence.append(_evidence(name, one, supports, f"exponent in n of the L² distance {between}: {what}"))
    return evidence


def _trained(found: SequenceMeasurements) -> list[Evidence]:
    details: Sequence[tuple[str, float | None, str]] = (
        (
            "slope_mismatch",
            found.facts.slope_mismatch,
            "relative difference of n(E_n − E_∞) at the finest depth from the continuum's C₁",
        ),
        (
            "euler_lagrange",
            found.facts.euler_lagrange,
            "residual of the continuum's Euler–Lagrange equations, relative to its terms",
        ),
    )
    rows = [
        Evidence(name, value, None, SequenceClass.H1_LIMIT if value <= MATCH else None, detail)
        for name, value, detail in details
        if value is not None
    ]
    if found.facts.penalty is not None:
        supports = {"h1": SequenceClass.H1_LIMIT, "unscaled": SequenceClass.NO_LIMIT}.get(found.facts.penalty)
        detail = f"the scaling of the regulariser in the objective is '{found.facts.penalty}'"
        rows.append(Evidence("penalty_scaling", None, None, supports, detail))
    return rows


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
    return _evidence("unscaled_penalty", grows + -1.0, SequenceClass.NO_LIMIT, detail)


def approach_evidence(name: str, found: SequenceMeasurements, supports: SequenceClass, reason: str) -> Evidence:
    """Return how the distances between consecutive depths go, and what that says."""
    last = found.share_of_size(found.distances[-1][1])
    detail = f"exponent in n of the L² distance between consecutive depths, at last {last:.2g} of their size: {reason}"
    return _evidence(name, found.consecutive, supports, detail)


def relabelled_evidence(found: SequenceMeasurements) -> Evidence:
    """Return that the depths approach each other once their coordinates are relabelled."""
    detail = (
        "exponent in n of the L² distance between consecutive depths after the order and signs of their coordinates are"
        " matched, K → G K Gᵀ and b → G b: the depths come nearer. Weights alone do not tell whether G is a symmetry of"
        " what was trained; give the networks in one order and of one sign to be told what they tend to"
    )
    return _evidence("relabelled_distance", found.relabelled, SequenceClass.UNDECIDED, detail)


def _named(evidence: str, name: str) -> str:
    return evidence if name == "joint" else f"{evidence}_{name}"


def _evidence(name: str, found: Estimated | None, supports: SequenceClass | None, detail: str) -> Evidence:
    if found is None:
        return Evidence(name, None, None, None, f"{detail}; none where a value vanishes")
    interval = (found.low, found.high) if math.isfinite(found.low) else None
    return Evidence(name, found.value, interval, supports, detail)
