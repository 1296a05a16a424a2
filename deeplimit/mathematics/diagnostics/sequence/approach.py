"""Whether networks of growing depth approach each other: constants within each network, and smooth weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from deeplimit.mathematics.diagnostics.sequence.exponents import Estimated
from deeplimit.mathematics.diagnostics.sequence.measurements import SequenceMeasurements
from deeplimit.mathematics.diagnostics.sequence.scaling_evidence import (
    APPROACH,
    MATCH,
    NO_APPROACH,
    SIZE,
    approach_evidence,
    relabelled_evidence,
)
from deeplimit.mathematics.diagnostics.sequence.sequence_class import Evidence, SequenceClass

CONSTANT: Final = 1e-6
"""Layers, or depths, closer than this share of the largest are equal."""
APART: Final = 0.25
"""Depths this share of their size apart, and no nearer than before, are not on their way to one limit."""
FAR_APART: Final = 0.5
"""As far apart as this the exponent need not be known as well."""
_NEAR: Final = 0.1
"""Two distances that fall, the last below this share of the size, are on their way: three depths have no interval."""
_ROUNDING: Final = 1e-12
"""Layers of no more than this, or that differ by no more, are 0, or equal, wherever they come from."""


def constant_layers(found: SequenceMeasurements) -> tuple[SequenceClass, list[Evidence]] | None:
    """Return the class of networks whose layers are all equal, each network's own, or None where they are not."""
    resolution = max(found.facts.resolution, _ROUNDING)
    if all(path.sup <= resolution for path in found.joint):
        largest = max(path.sup for path in found.joint)
        to = "the accuracy of the optimisation" if largest > _ROUNDING else "rounding"
        detail = f"largest layer of all networks: all weights are 0 to {to}, the null solution"
        answer = SequenceClass.CONSTANT_WEIGHTS
        return answer, [Evidence("null_solution", largest, None, answer, detail)]
    differences = [float(np.abs(path.values - path.values[0]).max()) for path in found.joint]
    share = max(
        difference / path.sup if path.sup > 0.0 else 0.0
        for difference, path in zip(differences, found.joint, strict=True)
    )
    if share > CONSTANT and max(differences) > resolution:
        return None
    answer, rows = _constants(found, resolution)
    detail = "largest difference between two layers of one network, relative to its largest layer"
    evidence = [Evidence("layer_difference", share, None, SequenceClass.CONSTANT_WEIGHTS, detail)]
    if found.size is not None:
        interval = (found.size.low, found.size.high) if math.isfinite(found.size.low) else None
        supports = SequenceClass.NO_LIMIT if found.size.low > SIZE else None
        evidence.append(
            Evidence("growth_size", found.size.value, interval, supports, "exponent in n of the constant's size")
        )
    return answer, [*evidence, *rows]


def stay_apart(found: SequenceMeasurements) -> tuple[SequenceClass, list[Evidence]]:
    """Return whether smooth or constant weights stay apart from depth to depth, and why they have no one limit."""
    if not _apart(found, found.distances, found.approach):
        return SequenceClass.UNDECIDED, []
    if found.relabelled_distances is not None and not _apart(found, found.relabelled_distances, found.relabelled):
        return SequenceClass.UNDECIDED, [relabelled_evidence(found)]
    reason = "they do not approach one limit, whatever parts of the sequence do"
    return SequenceClass.NO_LIMIT, [approach_evidence("several_limits", found, SequenceClass.NO_LIMIT, reason)]


def slopes_match(found: SequenceMeasurements) -> bool:
    """Whether n(E_n − E_∞) at the finest depth is what the continuum predicts."""
    mismatch = found.facts.slope_mismatch
    return mismatch is not None and mismatch <= MATCH


def _constants(found: SequenceMeasurements, resolution: float) -> tuple[SequenceClass, list[Evidence]]:
    if found.size is not None and found.size.low > SIZE:
        return SequenceClass.NO_LIMIT, []
    shares = [found.share_of_size(distance) for _, distance in found.distances]
    equal = max(distance for _, distance in found.distances) <= resolution or max(shares) <= CONSTANT
    if equal or _nears(found, shares[-1]):
        answer, reason = SequenceClass.CONSTANT_WEIGHTS, "the constants approach a limit"
        return answer, [approach_evidence("consecutive_distance", found, answer, reason)]
    return stay_apart(found)


def _nears(found: SequenceMeasurements, last: float) -> bool:
    approach = found.approach
    if approach is None or approach.value > APPROACH:
        return False
    if math.isinf(approach.high):
        return last < _NEAR or slopes_match(found)
    return approach.high < APPROACH and last < APART


def _apart(found: SequenceMeasurements, distances: Sequence[tuple[float, float]], approach: Estimated | None) -> bool:
    if approach is None or math.isinf(approach.high):
        return False
    last = found.share_of_size(distances[-1][1])
    return (last > APART and approach.low > NO_APPROACH) or (last > FAR_APART and approach.value > NO_APPROACH)
