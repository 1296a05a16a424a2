"""What speaks against convergence: evidence, which an order that is not yet near the expected one is not.

Before depths are deep enough for their expansions in 1/n to be led by the first term, orders may be anything. Three
things are not explained by that where layers are short steps: errors that do not fall over three depths while their
orders do not rise, slopes n(E_n − E_∞) that move away from C₁ as if E_∞ were wrong by a constant, and an R_n that
grows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import torch

from deeplimit.mathematics.diagnostics.sequence.scaling_evidence import GROWS
from deeplimit.mathematics.diagnostics.sequence.sequence_class import SequenceClass
from deeplimit.mathematics.diagnostics.statements.wording import depths, listed
from deeplimit.mathematics.diagnostics.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deeplimit.mathematics.diagnostics.measure.error_budget import ErrorBudget
    from deeplimit.mathematics.diagnostics.measure.minima import Minima
    from deeplimit.mathematics.diagnostics.measured import MeasuredStudy
    from deeplimit.mathematics.diagnostics.sequence.classification import Classification

_FLAT: Final = 0.25
"""Errors whose orders lie below this, with their intervals, do not fall."""
_RISES: Final = 0.05
"""Orders that rise by more from one pair of depths to the next are on their way."""
_AWAY: Final = 0.7
"""Slopes move away from C₁ when their distance grows at least like this power of the depth; a wrong limit gives 1."""


_TRAIN_ON: Final = "Raise training.starts: the depths may have ended at optima that are unrelated."


@dataclass(frozen=True)
class Objection:
    """One piece of evidence of failure: in the terms of the theory, in plain words, and what may help."""

    words: str
    plain: str
    change: str


def what_speaks_against(
    subject: Subject, measured: MeasuredStudy, classification: Classification | None
) -> list[Objection]:
    """Return the evidence of failure; empty where there is none."""
    found = [growth_of_regulariser(classification)]
    if _steps_are_short(subject):
        found.append(_errors_that_do_not_fall(measured))
        if measured.minima is not None:
            found.append(_slopes_that_move_away(subject, measured.minima))
    return [objection for objection in found if objection is not None]


def _steps_are_short(subject: Subject) -> bool:
    """Whether the layers of the three finest depths are steps that resolve their equation: T/n ‖K_i‖ ≤ 1 for all i.

    Beyond, a step may overshoot, E_n may stay on a plateau from depth to depth, and E_n − E_∞ with it.
    """
    horizon = subject.problem.regime.horizon
    for point in subject.points[-3:]:
        K, size = point.parameters.K, horizon / point.depth
        # Of a two-layer block K holds both maps, one above the other, whose norms multiply.
        parts = K.chunk(2, 1) if subject.problem.regime.two_layer else (K,)
        slope = math.prod(float(torch.linalg.matrix_norm(part, 2).max()) for part in parts)
        if size * slope > 1.0:
            return False
    return True


def growth_of_regulariser(classification: Classification | None) -> Objection | None:
    """Say that R_n of smooth layers grows, where the classification shows it."""
    if classification is None or classification.sequence_class is not SequenceClass.NO_LIMIT:
        return None
    for each in classification.evidence:
        if each.name == "growth_R" and each.interval is not None and each.interval[0] > GROWS:
            return Objection(
                f"R_n grows like n^{each.value:.2f}",
                "the weights of neighbouring layers differ more and more",
                "Raise objective.alpha.K and objective.alpha.b, which keep neighbouring layers alike.",
            )
    return None


def _errors_that_do_not_fall(measured: MeasuredStudy) -> Objection | None:
    """Say that the distances do not fall over the three finest depths, and their orders do not rise."""
    rows = measured.minimisers or measured.consecutive
    orders = [(row.order.get("total"), row.error_budget) for row in rows]
    if not _flat(orders):
        return None
    distances = listed([f"{row.tl2.total:.3g}" for row in rows[-3:]])
    return Objection(
        f"the distances (TL²) of the last three, {distances}, do not fall",
        "the weights of the three deepest do not come closer to a limit",
        _TRAIN_ON,
    )


def _flat(orders: Sequence[tuple[float | None, ErrorBudget | None]]) -> bool:
    last = orders[-2:]
    if len(last) < 2:
        return False
    for order, budget in last:
        if order is None or budget is None or budget.interval is None or budget.interval[1] >= _FLAT:
            return False
    (before, _), (after, _) = last
    return before is not None and after is not None and after <= before + _RISES


def _slopes_that_move_away(subject: Subject, minima: Minima) -> Objection | None:
    """Say that n(E_n − E_∞) moves away from C₁ over the three finest depths, beyond the errors of the gaps."""
    predicted, last = minima.predicted_slope, minima.depths[-3:]
    if predicted is None or len(last) < 3 or any(row.slope is None for row in last):
        return None
    errors = {point.depth: point.depth * subject.objective_error(point) for point in subject.points}
    apart = [(row.slope or 0.0) - predicted for row in last]
    for (before, coarse), (after, fine) in pairwise(zip(apart, last, strict=True)):
        least, most = abs(after) - errors[fine.depth], abs(before) + errors[coarse.depth]
        growth = (fine.depth / coarse.depth) ** _AWAY
        if before * after <= 0.0 or not math.isfinite(most) or least < growth * most:
            return None
    slopes = listed([f"{row.slope:.4g}" for row in last])
    return Objection(
        f"the slopes n(E_n − E_∞) at {depths(row.depth for row in last)}, {slopes}, move away from the predicted"
        f" {predicted:.4g}",
        "the optimum stays away from that of the trained limit",
        _TRAIN_ON,
    )
