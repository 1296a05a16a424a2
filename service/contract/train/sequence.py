"""What can be said of a sequence of networks of growing depth: its class, and the depth for a wanted error."""

from __future__ import annotations

from enum import StrEnum

from pydantic import ConfigDict, Field

from service.contract.values.answer import Answer, Withheld
from service.contract.values.numbers import Finding


class SequenceClass(StrEnum):
    """What the weights tend to as the depth grows."""

    H1_LIMIT = "h1_limit"
    CONSTANT_WEIGHTS = "constant_weights"
    ROUGH = "rough"
    NO_LIMIT = "no_limit"
    UNDECIDED = "undecided"


class Evidence(Answer):
    """One measurement of a depth sequence."""

    name: str
    value: Finding | None
    interval: tuple[Finding, Finding] | None = Field(description="Of 95 % confidence; null where there is none.")
    supports: SequenceClass | None = Field(description="The class that it speaks for; null where it does not tell.")
    detail: str


class Classification(Answer):
    """What kind of limit a sequence of networks has: an H¹ function, constant weights, a rough path, or none."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    sequence_class: SequenceClass = Field(alias="class")
    evidence: list[Evidence]


class DepthCheck(Answer):
    """What training at the advised depth found."""

    depth: int | None = Field(
        description="Trained: the advised one; below it where a limit stopped it, above where its own error is known"
        " too little to tell."
    )
    gap: Finding | None = Field(description="E_n* − E_∞* there.")
    prediction_error: Finding | None = Field(
        default=None, description="Largest deviation from the continuum's predictions there."
    )
    met: bool | None = Field(description="Whether what was wanted is within its bound; null when not resolved.")
    detail: str | None = Field(description="What stopped or withheld it.")


class DepthAdvice(Answer):
    """The smallest depth for a wanted gap, or for a wanted prediction error."""

    gap: Finding | None = Field(description="Wanted |E_n* − E_∞*|; null where a prediction error was wanted.")
    depth: int | None = Field(description="Null when no trained depth meets what is wanted and nothing predicts one.")
    depth_interval: tuple[int, int] | None = Field(
        default=None,
        description="Least and largest that the smallest depth may be, by what is known of the numbers. It begins with"
        " 2 where the coarsest trained depth is enough.",
    )
    basis: str = Field(
        description="The models whose numbers predict it, or the one that was measured to meet what is wanted."
    )
    relative: Finding | None = Field(default=None, description="The gap beside |E_∞|.")
    prediction_error: Finding | None = Field(
        default=None, description="Largest deviation from the continuum's predictions to be expected at this depth."
    )
    check: DepthCheck | None = Field(default=None, description="Of what `discrete.depths` asks for.")
    wanted_prediction_error: Finding | None = Field(
        default=None, description="Wanted largest deviation from the continuum's predictions; null where a gap was."
    )
    withheld: Withheld = Field(default={})
