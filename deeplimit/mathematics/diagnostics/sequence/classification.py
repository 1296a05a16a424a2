"""What kind of limit, if any, the weights of a sequence of networks of growing depth have.

Four answers and a fifth:

* ``h1_limit``: the piecewise-linear interpolants are bounded in H¹ and approach each other; the theorem of Thorpe and
  van Gennip (2023) is about these. Minimisers of its objective are; weights from a smooth initialisation are, too
  (Marion, Wu, Sander and Biau 2024, *Implicit regularization of deep residual networks towards neural ODEs*).
* ``constant_weights``: every layer has the same (Avelin and Nyström 2021, *Neural ODEs as the deep limit of ResNets
  with constant weights*).
* ``rough``: increments like those of a Brownian motion or of independent layers, weights of size n^{−β}; the limit, if
  any, is a stochastic equation (Cohen, Cont, Rossier and Xu 2021, *Scaling properties of deep residual networks*).
* ``no_limit``: none in H¹. R_n grows although the weights are smooth in the layer, as under a penalty that is not
  scaled with n; or the layers jump, so that R_n grows like n although the variation is bounded and there may be a limit
  in L²; or the depths do not approach each other.
* ``undecided``: the intervals do not tell.

The rules, on the joint path A = (K, b) of the networks of at least `LEAST_DEPTH` layers, at three depths or more. γ is
the exponent in R_n = n Σ‖A_{i+1} − A_i‖² ∝ n^γ, ρ the correlation of consecutive increments, φ the exponent of their
differences of high order. Each has a 95 % interval, and a statement about one holds when its whole interval says so:

1. Layers are equal where none differs from the first by more than 1e-6 of the largest, or by more than the
   weights are known to. Weights that are 0 to that accuracy are ``constant_weights``; others are when these constants
   approach each other, and ``no_limit`` when they grow or stay apart as in rule 6.
2. ``no_limit`` when an increment keeps its size and its place while depth grows: a jump.
3. ``rough`` when ρ < ½, the increments are spread over the layers, and γ > ½, so that (Σ‖ΔA‖²)^½ falls slower than
   n^{−¼}, between the n^{−½} of H¹ and the 1 of Brownian motion, or γ > ¼ and φ > −1; jointly, or for K or b alone.
4. ``no_limit`` when ρ > ½, γ > ¼, and φ falls faster than the increments do.
5. With ρ > ½ and γ < ¼: ``h1_limit`` when φ < −1, which shows no roughness that depth would bring out, and the
   distances from the continuum's minimiser, or where there is none between consecutive depths, fall faster than n^{−½}
   (two distances have no interval: a C₁ that matches stands for it).
6. With ρ > ½ ``no_limit`` when distances fall slower than n^{−¼}, the last is at least a quarter of the weights'
   size (of half of it, the interval need not say so), and no relabelling of coordinates brings the depths nearer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from deeplimit.mathematics.diagnostics.sequence.approach import constant_layers, slopes_match, stay_apart
from deeplimit.mathematics.diagnostics.sequence.exponents import Estimated
from deeplimit.mathematics.diagnostics.sequence.fine_scale import ROUGH_BELOW
from deeplimit.mathematics.diagnostics.sequence.measurements import LEAST_DEPTHS, SequenceMeasurements
from deeplimit.mathematics.diagnostics.sequence.relabelling import relabelled
from deeplimit.mathematics.diagnostics.sequence.scaling import NetworkWeights, Path
from deeplimit.mathematics.diagnostics.sequence.scaling_evidence import (
    APPROACH,
    CORRELATED,
    GROWS,
    all_evidence,
    unscaled_penalty,
)
from deeplimit.mathematics.diagnostics.sequence.sequence_class import Evidence, SequenceClass, TrainedFacts

LEAST_DEPTH: Final = 4
"""Shallower networks say too little about increments."""
_ROUGH_GROWTH: Final = 0.5
_SPREAD: Final = 0.25
"""Independent Gaussian increments are spread over a third of the layers or more, a few jumps over a few layers."""
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

    def in_one_order() -> list[Path] | None:
        deep = [network for network in networks if len(next(iter(network.paths().values()))) >= LEAST_DEPTH]
        same = relabelled(deep)
        return None if same is None else _paths(same, residual_exponent)["joint"]

    found = SequenceMeasurements(
        by_name,
        facts or TrainedFacts(),
        in_one_order,
        1.0 - residual_exponent,
        checkpoint=checkpoint,
        deadline=deadline,
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
    constant = constant_layers(found)
    if constant is not None:
        return constant
    answer, rows = _varying(found)
    return answer, [*all_evidence(found), *rows]


def _varying(found: SequenceMeasurements) -> tuple[SequenceClass, list[Evidence]]:
    """Apply rules 2 to 6; return the class and what it rests on beside the measurements."""
    if found.jumps:
        return SequenceClass.NO_LIMIT, []
    if any(_rough(found, name) for name in found.names):
        return SequenceClass.ROUGH, []
    growths = [grows for grows in found.growths.values() if grows is not None]
    if not found.correlation.low > CORRELATED or len(growths) < len(found.names):
        return SequenceClass.UNDECIDED, []
    if any(grows.low > GROWS for grows in growths):
        flag = unscaled_penalty(found)
        grown = [] if flag is None else [flag]
        return (SequenceClass.NO_LIMIT, grown) if found.smooths else (SequenceClass.UNDECIDED, [])
    bounded = found.growth_of_R is not None and found.growth_of_R.high < GROWS
    if bounded and found.approach is not None and found.approach.value < APPROACH:
        return _bounded(found, found.approach), []
    return stay_apart(found) if bounded or found.smooths else (SequenceClass.UNDECIDED, [])


def _rough(found: SequenceMeasurements, name: str) -> bool:
    grows, fine = found.growths[name], found.fine_scales.get(name)
    uncorrelated = found.correlations[name].high < CORRELATED and found.spreads[name] > _SPREAD
    if not uncorrelated or grows is None:
        return False
    return grows.low > _ROUGH_GROWTH or (grows.low > GROWS and fine is not None and fine.low > ROUGH_BELOW)


def _bounded(found: SequenceMeasurements, approach: Estimated) -> SequenceClass:
    """Rule 5."""
    known = approach.high < APPROACH or (math.isinf(approach.high) and slopes_match(found))
    smooth = all(fine is not None and fine.high < ROUGH_BELOW for fine in found.fine_scales.values())
    settled = known and smooth and not found.roughness_may_come_out
    return SequenceClass.H1_LIMIT if settled else SequenceClass.UNDECIDED
