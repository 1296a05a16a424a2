"""A finding: one thing that the study says, with a code that programs know it by.

Main findings are in plain words. Details may use the terms of the theory; each leads to the heading that explains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

_PAGE: Final = "docs/mathematics.md"


class Level(StrEnum):
    """Whom a finding is for."""

    MAIN = "main"
    DETAIL = "detail"


@dataclass(frozen=True)
class Topic:
    """What findings of one code are about, and the heading of the documentation that explains it."""

    about: str
    heading: str


_VERDICT, _READING = "diagnostic-9-the-verdict", "summary-answer-and-findings"
_MINIMISERS, _OPTIMALITY = "diagnostic-4-minimisers", "diagnostic-6-optimality"
_REGULARITY, _BRANCHES = "diagnostic-7-eulerlagrange-and-regularity", "branches"

TOPICS: Final[Mapping[str, Topic]] = MappingProxyType(
    {
        # main
        "summary": Topic("verdict", _READING),
        "use_depth": Topic("depth", _READING),
        "performance": Topic("performance", _READING),
        "optimum": Topic("minima", _READING),
        "starts": Topic("branches", _READING),
        "optima_checked": Topic("certificates", _READING),
        "limit_checked": Topic("independent_check", _READING),
        "unfinished": Topic("models", _READING),
        "not_measured": Topic("verdict", _READING),
        "not_covered": Topic("assumptions", _READING),
        # details: the verdict's head
        "minima_converge": Topic("minima", _VERDICT),
        "convergence_fails": Topic("verdict", _VERDICT),
        "limit_not_confirmed": Topic("independent_check", "the-independent-check"),
        "identity_networks": Topic("verdict", _VERDICT),
        "too_few_depths": Topic("verdict", _VERDICT),
        "saddle": Topic("certificates", _OPTIMALITY),
        "orders_unresolved": Topic("verdict", "what-is-known-to-how-many-digits"),
        "orders_far": Topic("verdict", _VERDICT),
        "no_theorem": Topic("verdict", "regimes-outside-the-theorem"),
        # details: what was measured
        "assumption_fails": Topic("assumptions", "the-two-problems"),
        "order_of_minima": Topic("minima", "diagnostic-1-minima"),
        "order_of_minimisers": Topic("minimisers", _MINIMISERS),
        "order_of_states": Topic("states", "diagnostic-5-states-and-predictions"),
        "what_would_decide": Topic("verdict", _VERDICT),
        "growth_of_regulariser": Topic("classification", "what-the-weights-tend-to"),
        "consecutive_distances": Topic("minimisers", _MINIMISERS),
        "predicted_slope": Topic("minima", "diagnostic-2-the-predicted-slope"),
        "lift_excess": Topic("lift", "diagnostic-3-the-bracket"),
        "recovery_excess": Topic("recovery", "diagnostic-3-the-bracket"),
        "certified_minimum": Topic("certificates", _OPTIMALITY),
        "certified_saddle": Topic("certificates", _OPTIMALITY),
        "certificate_undecided": Topic("certificates", _OPTIMALITY),
        "certificate_withheld": Topic("certificates", _OPTIMALITY),
        "second_differences": Topic("regularity", _REGULARITY),
        "second_differences_untested": Topic("regularity", _REGULARITY),
        "boundary_residuals": Topic("regularity", _REGULARITY),
        "boundary_residuals_untested": Topic("regularity", _REGULARITY),
        "a_priori_bound": Topic("compactness", "diagnostic-8-compactness"),
        "euler_lagrange": Topic("euler_lagrange", _REGULARITY),
        "independent_check": Topic("independent_check", "the-independent-check"),
        "branches_followed": Topic("branches", _BRANCHES),
        "saddle_left": Topic("branches", _BRANCHES),
        "branch_left": Topic("branches", _BRANCHES),
        "starts_of_branch": Topic("branches", _BRANCHES),
        "unseen_minima": Topic("unseen_minima", _BRANCHES),
    }
)
"""Every code; the documentation says what each means."""


@dataclass(frozen=True)
class Finding:
    """One thing that the study says.

    Attributes
    ----------
    code
        One of `TOPICS`.
    text
        A sentence to quote.
    holds
        Whether what is asked under this code holds; None where that is not known, or nothing is asked.
    advice
        What to change, in a sentence, or None.
    """

    code: str
    text: str
    holds: bool | None = None
    level: Level = Level.DETAIL
    advice: str | None = None

    def __post_init__(self) -> None:
        if self.code not in TOPICS:
            raise ValueError(f"{self.code!r} is no code of a finding")

    @property
    def about(self) -> str:
        """The part of the diagnostics that it is about."""
        return TOPICS[self.code].about

    @property
    def href(self) -> str:
        """Where the documentation explains it."""
        return f"{_PAGE}#{TOPICS[self.code].heading}"
