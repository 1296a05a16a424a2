"""What can be said of a sequence that no theorem of convergence is about.

Networks that were trained with another regulariser than the paper's may converge or not. What was measured can speak
against it, where R_n grows or the distances between consecutive depths do not fall; it cannot speak for it. That K and
b are not bounded in H¹ alone does not speak against it where they are rough: they may converge in L², which is the
metric of the theorem.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deeplimit.mathematics.diagnostics.sequence.scaling_evidence import GROWS, NO_APPROACH
from deeplimit.mathematics.diagnostics.sequence.sequence_class import Evidence, SequenceClass
from deeplimit.mathematics.diagnostics.statements.finding import Finding
from deeplimit.mathematics.diagnostics.statements.wording import depths, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deeplimit.mathematics.diagnostics.measure.minimisers import ConsecutiveRow
    from deeplimit.mathematics.diagnostics.measured import MeasuredStudy
    from deeplimit.mathematics.diagnostics.sequence.classification import Classification

_UNDECIDED: Final = (
    "Undecided: no theorem says what networks with this regulariser tend to, and there is no continuum problem to"
    " compare them with."
)
_WITH_THEOREM: Final = "To decide, set objective.scaling to h1, the regulariser that the theorem is about."


@dataclass(frozen=True)
class WithoutTheorem:
    """``converges`` is False or None; ``head`` says so, ``findings`` what was measured, ``plain`` why it is False."""

    converges: bool | None
    head: Finding
    findings: list[Finding]
    plain: list[str]


def weigh_without_theorem(measured: MeasuredStudy, classification: Classification | None) -> WithoutTheorem:
    """Weigh what was measured.

    False when R_n of smooth layers grows, so that the classification is ``no_limit``, or when the distances between
    consecutive depths do not fall: their exponent has a 95 % interval above −¼, or the last order is resolved and not
    positive. Undecided otherwise.
    """
    findings, reasons, plain = list[Finding](), [], []
    growth = _evidence(classification, "growth_R")
    if growth is not None and growth.interval is not None:
        low, high = growth.interval
        unbounded = low > GROWS
        text = (
            f"Over the depths R_n, n Σ‖A_i − A_(i−1)‖² of K and b, changes like n^{growth.value:.2f} (95 % interval of"
            f" the exponent {low:.2f} to {high:.2f}){', which shows no bound in H¹' if unbounded else ''}."
        )
        findings.append(Finding("growth_of_regulariser", text, not unbounded))
        if unbounded and classification is not None and classification.sequence_class is SequenceClass.NO_LIMIT:
            reasons.append(f"R_n grows like n^{growth.value:.2f}")
            plain.append("the weights of neighbouring layers differ more and more")
    distances = [f"{row.tl2.total:.3g}" for row in measured.consecutive]
    if distances:
        compared = depths(sorted({depth for row in measured.consecutive for depth in row.depths}))
        apart = _apart(measured.consecutive, classification)
        text = f"From one to the next of {compared} the distances (TL²) of the solutions are {listed(distances)}."
        findings.append(Finding("consecutive_distances", text, not apart))
        if apart:
            plain.append("the weights do not come closer from one depth to the next")
            reasons.append(f"the distances (TL²) between consecutive depths, {listed(distances)}, do not fall")
    if not reasons:
        with_theorem = Finding("what_would_decide", _WITH_THEOREM)
        return WithoutTheorem(None, Finding("no_theorem", _UNDECIDED), [*findings, with_theorem], plain)
    head = f"The study speaks against convergence: {', and '.join(reasons)}."
    return WithoutTheorem(False, Finding("convergence_fails", head, holds=False), findings, plain)


def _evidence(classification: Classification | None, name: str) -> Evidence | None:
    """Return one measurement of the classification, if it has an interval."""
    evidence = classification.evidence if classification is not None else []
    return next((each for each in evidence if each.name == name and each.interval is not None), None)


def _apart(consecutive: Sequence[ConsecutiveRow], classification: Classification | None) -> bool:
    exponent = _evidence(classification, "consecutive_distance")
    if exponent is not None and exponent.interval is not None and exponent.interval[0] > NO_APPROACH:
        return True
    last = consecutive[-1].order.get("total")
    return last is not None and last <= 0.0
