"""How many digits tables have: what the option of several commands says."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Digits(StrEnum):
    """How many digits tables have."""

    SHORT = "short"
    FULL = "full"


DigitsOption = Annotated[Digits, typer.Option("--digits", help="Digits of the numbers in tables: few, or every one.")]
