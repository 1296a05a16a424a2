"""What a study comes to, in one sentence that begins with Yes., No. or Cannot tell:."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from deeplimit.mathematics.diagnostics.statements.failure import Objection
from deeplimit.mathematics.diagnostics.statements.undecided import Undecided
from deeplimit.mathematics.diagnostics.statements.without_theorem import WithoutTheorem
from deeplimit.mathematics.diagnostics.subject import Subject

_PARTS: Final = {1: "about halves", 2: "falls to about a quarter", 3: "falls to about an eighth"}
"""What is left of an error of this order when depth doubles."""
_SHARPER: Final = 100.0
"""Times that tolerances are lowered where an independent method finds another limit."""


@dataclass(frozen=True)
class Outcome:
    """Whether a study converges, and why not, or why that is not known.

    Attributes
    ----------
    reasons
        Of what is undecided, the most telling first.
    against
        What speaks against convergence, in plain words.
    advice
        What may help against it.
    """

    converges: bool | None
    reasons: Sequence[Undecided] = ()
    against: list[str] = field(default_factory=list)
    advice: str | None = None

    @property
    def change(self) -> str | None:
        """What to change, in plain words."""
        return self.advice or next((each.change for each in self.reasons if each.change), None)

    @property
    def trusted(self) -> bool:
        """Whether what was measured at single depths is to be believed."""
        return self.converges is not False and all(each.trusted for each in self.reasons)

    @property
    def doubt(self) -> str | None:
        """Why not to believe it, in plain words."""
        if self.converges is False:
            return "; ".join(self.against)
        return next((each.reason for each in self.reasons if not each.trusted), None)


def failed(against: Sequence[Objection]) -> Outcome:
    """Return the outcome of a study that does not converge."""
    return Outcome(False, against=[each.plain for each in against], advice=against[0].change)


def not_confirmed(subject: Subject) -> Outcome:
    """Return the outcome of a study whose trained limit an independent method does not find."""
    change = "Lower training.gradient_tolerance and continuum.tolerance."
    now = subject.tolerances
    if now is not None and now.continuum is not None:
        gradient, limit = now.gradient / _SHARPER, now.continuum / _SHARPER
        change = f"Lower training.gradient_tolerance to {gradient:.0e} and continuum.tolerance to {limit:.0e}."
    return Outcome(None, [Undecided("", "an independent method finds another limit than the trained one", change)])


def without_theorem(weighed: WithoutTheorem) -> Outcome:
    """Return the outcome of a study that no theorem of convergence is about."""
    change = "Set objective.scaling to h1, which has a limit."
    if weighed.converges is False:
        return Outcome(False, against=weighed.plain, advice=change)
    reason = "no theory says what networks with this regularisation tend to, and there is no limit to compare with"
    return Outcome(None, [Undecided("", reason, change)])


def summarise(outcome: Outcome, order: float) -> str:
    """Return the sentence; ``order`` is the power of the depth that the optimum should approach the limit's with."""
    if outcome.converges:
        falls = _PARTS.get(round(order), f"falls to about one part in {2 ** round(order)}")
        return (
            "Yes. As depth grows the trained networks settle on one limit: what remains"
            f" {falls} each time depth doubles."
        )
    if outcome.converges is False:
        against = "; ".join(outcome.against)
        return f"No. As depth grows the trained networks do not settle on one limit: {against}."
    return f"Cannot tell: {outcome.reasons[0].reason}."
