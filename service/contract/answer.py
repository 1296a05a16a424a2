"""What every part of an answer has in common."""

from __future__ import annotations

from typing import Final

from pydantic import ConfigDict

ANSWER: Final = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")
"""Frozen, without unknown fields, and with text for numbers that are not finite."""
