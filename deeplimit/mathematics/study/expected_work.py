"""What the parts of a study are expected to cost, so that progress can count them.

The unit is one gradient of one layer, or of one stage of a flow, over all samples; a Hessian product counts two. The
numbers are rounded means of what ``python -m benchmarks.diagnostics`` counts; ``python -m benchmarks.progress`` shows
what they make of a study. Measured on two moons (d = 4, 8 to 1024 layers), one start: 147, 27, 14, 9, 5, 4, 4 and 3
evaluations, 11 a layer for certificates, 2,400 and 4,000 for the continuum and its certificate, 3,600 for following
back; on breast_cancer (d = 30, 8 to 64): 322 evaluations and then 30 in the mean, 5,000 for the continuum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

STARTED: Final = 200.0
"""Evaluations from a random start."""
_AGAIN: Final = 60.0
"""Evaluations from the depth before, where no curvature is carried."""
_FEWER: Final = 0.4
"""Share of a depth's evaluations that the next one takes, where it is."""
_FEWEST: Final = 4.0
_FIRST_CERTIFICATE: Final = 80.0
"""For each layer, without an eigenvector from nearby."""
_CERTIFICATE: Final = 12.0
"""For each layer, with one."""
STAGES: Final = 300.0
"""Of a flow: four for each of some hundred steps."""
_CONTINUUM: Final = 3000.0
_CONTINUUM_AGAIN: Final = 14000.0
"""Without curvature that is carried."""
CONTINUED: Final = 0.5
"""Share of a fit's work, without curvature that is carried, that minimising on from its end is."""
_LOOSE: Final = 1e-5
"""Gradient tolerances from which on orders are mostly hidden, so that a branch is minimised on."""


def evaluations_after(evaluations: float, *, carried: bool) -> float:
    """Return the evaluations of the next depth."""
    return max(_FEWEST, _FEWER * evaluations) if carried else _AGAIN


def of_network(depth: int, evaluations: float) -> float:
    """Return the work of a fit of one network."""
    return depth * evaluations


def of_continuum(*, carried: bool) -> float:
    """Return the work of a fit of the continuum, at every resolution that it takes."""
    return _CONTINUUM if carried else _CONTINUUM_AGAIN


def of_certificate(layers: float, *, first: bool = False) -> float:
    """Return the work of a certificate of a network, or of a flow of so many stages."""
    return layers * (_FIRST_CERTIFICATE if first else _CERTIFICATE)


def of_depths(depths: Sequence[int], evaluations: float, *, carried: bool, certified: bool) -> float:
    """Return the work of some depths along one branch; ``evaluations`` are those of the depth before."""
    total = 0.0
    for depth in depths:
        evaluations = evaluations_after(evaluations, carried=carried)
        total += of_network(depth, evaluations) + (of_certificate(depth) if certified else 0.0)
    return total


def of_sharpening(depths: Sequence[int], *, continuum: bool) -> float:
    """Return the work of minimising a branch on."""
    fits = sum(of_network(depth, _AGAIN) for depth in depths) + (_CONTINUUM_AGAIN if continuum else 0.0)
    return CONTINUED * fits


def of_sharpening_after(tolerance: float, depths: Sequence[int], *, continuum: bool) -> float:
    """Return the work of what may have to follow a gradient tolerance, and of judging the branch once more."""
    return 2.0 * of_sharpening(depths, continuum=continuum) if tolerance >= _LOOSE else 0.0


def of_following_back(depths: Sequence[int]) -> float:
    """Return the work of holding a branch together: a gradient of every depth, and a forward pass of the limit."""
    return float(sum(depths)) + 0.5 * STAGES * len(depths)
