"""The classification of a study's own networks: their weights, and what the study knows besides."""

from __future__ import annotations

import math
from typing import Final

from deeplimit.mathematics.diagnostics.measured import MeasuredStudy
from deeplimit.mathematics.diagnostics.sequence.classification import Classification, classify
from deeplimit.mathematics.diagnostics.sequence.scaling import NetworkWeights
from deeplimit.mathematics.diagnostics.sequence.sequence_class import Evidence, SequenceClass, TrainedFacts
from deeplimit.mathematics.diagnostics.subject import Subject

_READOUT: Final = ("W", "c")
_WELL_KNOWN: Final = 1e-3
"""Weights with a larger error are not known well: over t in [0, 1] it moves states by as much."""


def classify_study(subject: Subject, measured: MeasuredStudy) -> Classification:
    """Classify the verdict branch: one network per depth whose optimisation ended well.

    Saddles are part of the sequence: what they do to its limit is the question. Only their distances from the
    continuum's minimiser are left out. Depths that are not on the continuum's branch say nothing of what that branch
    tends to: across a bifurcation networks do nothing, and R_n would seem to grow from 0.
    """
    ended = [point for point in subject.points if point.solution.status.optimised]
    away = subject.study.verdict_branch.left if subject.continuum is not None else ()
    points = [point for point in ended if point.depth not in away]
    if ended and not points:
        detail = "no depth is on the branch of the continuum, so that none tells what that branch tends to"
        row = Evidence("on_branch", 0.0, None, SequenceClass.UNDECIDED, detail)
        return Classification(SequenceClass.UNDECIDED, [row])
    networks = [
        NetworkWeights(
            {
                name: value.detach().cpu().numpy()
                for name, value in vars(point.parameters).items()
                if name not in _READOUT and value is not None
            }
        )
        for point in points
    ]
    on_branch = {point.depth for point in points if subject.unfit(point) is None}
    facts = TrainedFacts(
        penalty=subject.problem.regime.scaling.value,
        slopes=_slopes(measured),
        euler_lagrange=_residual(measured),
        to_continuum=[(row.depth, row.tl2.layered) for row in measured.minimisers or [] if row.depth in on_branch],
        resolution=_resolution([subject.network_errors(point).total for point in points]),
    )
    return classify(networks, facts=facts, checkpoint=subject.checkpoint, deadline=subject.deadline)


def _resolution(errors: list[float]) -> float:
    """Return the largest error, or 0 where it tells nothing: flat valleys bound none, and a loose tolerance too much.

    What is not known to differ from 0, or from a constant, is that only when it is known well.
    """
    largest = max(errors, default=0.0)
    return largest if largest <= _WELL_KNOWN else 0.0


def _slopes(measured: MeasuredStudy) -> tuple[float, float] | None:
    """Return C₁ of the continuum and n(E_n* − E_∞*) at the finest depth."""
    if measured.minima is None or not measured.minima.depths:
        return None
    predicted, observed = measured.minima.predicted_slope, measured.minima.depths[-1].slope
    return None if predicted is None or observed is None else (predicted, observed)


def _residual(measured: MeasuredStudy) -> float | None:
    """Return ‖(r_K, r_b)‖ beside the equations' terms: one parameter's alone may be noise beside nothing."""
    if measured.euler_lagrange is None:
        return None
    both = (measured.euler_lagrange.K, measured.euler_lagrange.b)
    parts = [part for part in both if part is not None and part.residual > 0.0]
    if not parts:
        return None
    terms = [part.absolute / part.residual for part in parts]
    return math.hypot(*(part.absolute for part in parts)) / math.hypot(*terms)
