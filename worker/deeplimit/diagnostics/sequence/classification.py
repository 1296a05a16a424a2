"""What kind of limit, if any, the weights of a sequence of networks of growing depth have.

Four answers and a fifth:

* ``h1_limit``: the piecewise-linear interpolants are bounded in H¹ and approach each other; the theorem of Thorpe and
  van Gennip (2023) is about these. Minimisers of its objective are; weights from a smooth initialisation are, too
  (Marion, Wu, Sander and Biau 2024, *Implicit regularization of deep residual networks towards neural ODEs*).
* ``constant_weights``: every layer has the same (Avelin and Nyström 2021, *Neural ODEs as the deep limit of ResNets
  with constant weights*).
* ``rough``: increments like those of a Brownian motion or of independent layers, weights of size n^{−β}; the limit, if
  any, is a stochastic equation (Cohen, Cont, Rossier and Xu 2021, *Scaling properties of deep residual networks*).
* ``no_limit``: R_n grows although the weights are smooth in the layer, as under a penalty that is not scaled with n, or
  R_n stays bounded and the depths do not approach each other.
* ``undecided``: the intervals do not tell.

The rules, on the joint path A = (K, b) of the networks of at least `LEAST_DEPTH` layers, at three depths or more. γ is
the exponent in R_n = n Σ‖A_{i+1} − A_i‖² ∝ n^γ, ρ the correlation of consecutive increments. Each has a 95 % interval,
and a statement about one holds when its whole interval says so:

1. ``constant_weights`` when no layer differs from the first by more than `CONSTANT` of the largest, or by more than
   the weights are known to; ``no_limit`` when these constants grow. Weights that are 0 to that accuracy are constant.
2. ``rough`` when ρ < ½ and γ > ½, so that (Σ‖ΔA‖²)^½ falls slower than n^{−¼}, between the n^{−½} of H¹ and the 1 of
   Brownian motion; jointly, or for K or b alone.
3. ``no_limit`` when ρ > ½ and γ > 0.2, and an O(1/n) approach to a limit does not explain the growth.
4. With ρ > ½ and γ < 0.2, before or after an O(1/n) approach is taken out: ``h1_limit`` when the distances from the
   continuum's minimiser, or where there is none between consecutive depths, fall faster than n^{−½} (two distances
   have no interval: a C₁ that matches stands for it), ``no_limit`` when they fall slower than n^{−¼}.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from worker.deeplimit.diagnostics.sequence.scaling import NetworkWeights, Path
from worker.deeplimit.diagnostics.sequence.scaling_evidence import (
    APPROACH,
    GROWS,
    LEAST_DEPTHS,
    MATCH,
    NO_APPROACH,
    SIZE,
    SequenceMeasurements,
    unscaled_penalty,
)
from worker.deeplimit.diagnostics.sequence.sequence_class import Evidence, SequenceClass, TrainedFacts

LEAST_DEPTH: Final = 4
"""Shallower networks say too little about increments."""
CONSTANT: Final = 1e-6
"""Layers closer than this share of the largest are equal."""
_ROUNDING: Final = 1e-12
"""Layers of no more than this, or that differ by no more, are 0, or equal, wherever they come from."""
_ABSENT: Final = 1e-4
"""A parameter below this share of the other, at every depth, is left out: what is left of it is optimisation error."""


@dataclass(frozen=True)
class Classification:
    """The class, and why."""

    sequence_class: SequenceClass
    evidence: list[Evidence]


def classify(
    networks: Sequence[NetworkWeights],
    *,
    facts: TrainedFacts | None = None,
    residual_exponent: float = 1.0,
    checkpoint: Callable[[], None] | None = None,
    deadline: float | None = None,
) -> Classification:
    """Classify the weights of networks of growing depth, trained here or elsewhere.

    Parameters
    ----------
    networks
        In any order; several of one depth, from several starts, narrow the intervals.
    facts
        What a study knows besides.
    residual_exponent
        The networks are X_{i+1} = X_i + n^{−α} σ(K_i X_i + b_i) with this α: 1 is the paper's, 0 a plain residual
        network. The classes are about n^{1−α}(K, b); β is about the weights as they are.
    checkpoint
        Called again and again in what takes long; what it raises is passed on.
    deadline
        In seconds of ``time.monotonic``: what compares all pairs of layers is withheld from then on; no class needs it.

    Raises
    ------
    ValueError
        If the weights of one network do not fit together, or those of two networks have different sizes.
    """
    by_name = _paths(networks, residual_exponent)
    depths = sorted({path.depth for path in by_name.get("joint", [])})
    enough = len(depths) >= LEAST_DEPTHS
    detail = f"{len(by_name.get('joint', []))} networks with {LEAST_DEPTH} layers or more, of depths {depths}"
    if not enough:
        detail += f"; a trend takes {LEAST_DEPTHS} depths"
    supports = None if enough else SequenceClass.UNDECIDED
    count = Evidence("depths", float(len(depths)), None, supports, detail)
    if not enough:
        return Classification(SequenceClass.UNDECIDED, [count])
    found = SequenceMeasurements(
        by_name, facts or TrainedFacts(), 1.0 - residual_exponent, checkpoint=checkpoint, deadline=deadline
    )
    answer, reasons = _decide(found)
    return Classification(answer, [count, *reasons])


def _paths(networks: Sequence[NetworkWeights], residual_exponent: float) -> dict[str, list[Path]]:
    """Return the paths of every parameter that is not absent and of all together, times n^{1−α}."""
    parts = [network.paths() for network in networks]
    if len({tuple((name, path.shape[1]) for name, path in part.items()) for part in parts}) > 1:
        raise ValueError("the networks must have weights of the same sizes")
    parts = [
        {name: path * float(len(path)) ** (1.0 - residual_exponent) for name, path in part.items()}
        for part in parts
        if len(next(iter(part.values()))) >= LEAST_DEPTH
    ]
    if not parts:
        return {}
    largest = [max(float(np.abs(path).max()) for path in part.values()) for part in parts]
    kept = [
        name
        for name in parts[0]
        if any(np.abs(part[name]).max() > _ABSENT * top for part, top in zip(parts, largest, strict=True))
    ] or list(parts[0])
    out = {name: [Path(part[name]) for part in parts] for name in kept}
    out["joint"] = [Path(np.hstack([part[name] for name in kept])) for part in parts]
    return out


def _decide(found: SequenceMeasurements) -> tuple[SequenceClass, list[Evidence]]:
    """Apply the rules in their order."""
    constant = _constant(found)
    if constant is not None:
        return constant
    evidence = found.all()
    if found.rough:
        return SequenceClass.ROUGH, evidence
    plain, settled = found.growth_of_R, found.settled_growth_of_R
    if not found.smooth or plain is None or settled is None:
        return SequenceClass.UNDECIDED, evidence
    if plain.low > GROWS and settled.value > GROWS / 2.0:
        flag = unscaled_penalty(found)
        return SequenceClass.NO_LIMIT, evidence if flag is None else [*evidence, flag]
    if min(plain.high, settled.high) < GROWS:
        return _bounded(found, evidence)
    return SequenceClass.UNDECIDED, evidence


def _constant(found: SequenceMeasurements) -> tuple[SequenceClass, list[Evidence]] | None:
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
    grows = found.size is not None and found.size.low > SIZE
    answer = SequenceClass.NO_LIMIT if grows else SequenceClass.CONSTANT_WEIGHTS
    detail = "largest difference between two layers of one network, relative to its largest layer"
    evidence = [Evidence("layer_difference", share, None, answer, detail)]
    if found.size is not None:
        interval = (found.size.low, found.size.high) if math.isfinite(found.size.low) else None
        detail = "exponent in n of the constant's size"
        evidence.append(Evidence("growth_size", found.size.value, interval, answer, detail))
    return answer, evidence


def _bounded(found: SequenceMeasurements, evidence: list[Evidence]) -> tuple[SequenceClass, list[Evidence]]:
    """Rule 4."""
    approach, mismatch = found.approach, found.facts.slope_mismatch
    if approach is None:
        return SequenceClass.UNDECIDED, evidence
    matches = mismatch is not None and mismatch <= MATCH
    if approach.high < APPROACH or (matches and math.isinf(approach.high) and approach.value < APPROACH):
        return SequenceClass.H1_LIMIT, evidence
    if approach.low > NO_APPROACH:
        detail = "R_n is bounded, so parts of the sequence have limits; the depths do not approach one"
        return SequenceClass.NO_LIMIT, [
            *evidence,
            Evidence("several_limits", None, None, SequenceClass.NO_LIMIT, detail),
        ]
    return SequenceClass.UNDECIDED, evidence
