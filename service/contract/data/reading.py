"""What a client may say about how a file is to be read."""

from __future__ import annotations

from enum import StrEnum


class HeaderRow(StrEnum):
    """Whether the first row of a CSV names its columns."""

    PRESENT = "present"
    ABSENT = "absent"


class Missing(StrEnum):
    """What becomes of a row with a missing value: an empty cell, a null, NaN, or a marker such as NA."""

    REFUSE = "refuse"
    DROP = "drop"
    LABEL = "label"


class Categorical(StrEnum):
    """What becomes of a column of text among the inputs: the upload is refused, or it is left out, or encoded."""

    REFUSE = "refuse"
    DROP = "drop"
    ENCODE = "encode"
