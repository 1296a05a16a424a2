"""What every part of an answer has in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Withheld = Annotated[dict[str, str], Field(description="For each field that is null: the reason.")]


class Answer(BaseModel):
    """A part of an answer: frozen, without unknown fields, and with text for numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")
