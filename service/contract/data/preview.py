"""A look at a data set: its columns, and its first rows. What a page or a terminal shows before anything is trained."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from service.contract.values.answer import Answer

MOST_ROWS: Final = 10
MOST_COLUMNS: Final = 200
MOST_CLASSES: Final = 200
"""Classes of one column that a preview counts."""


class PreviewClass(Answer):
    """One class of a column of targets."""

    name: str = Field(description="Its label; of classes by number, the number as it was written.")
    samples: int


class PreviewColumn(Answer):
    """One column; of a label there is no range."""

    name: str | None = Field(description="Null where the upload has no names: arrays, and a CSV without a header.")
    role: Literal["input", "target"]
    type: Literal["number", "integer", "label", "encoded"] = Field(
        description="`integer` where every number is one; `encoded` for a column of 0 and 1 made by categorical=encode."
    )
    minimum: float | None
    maximum: float | None
    mean: float | None
    missing: int | None = Field(
        default=None,
        description="Values that were missing in the upload; null where nobody counted. An encoded column has those of"
        " the column it was made from.",
    )
    classes: list[PreviewClass] | None = Field(default=None, description="Of targets that are classes.")
    more_classes: int = Field(default=0, description="Classes that are not listed.")


class DatasetPreview(Answer):
    """Content of a preview: inputs first, then targets."""

    samples: int
    columns: list[PreviewColumn]
    more_columns: int = Field(default=0, description="Columns that are not listed.")
    rows: list[list[int | float | str]] = Field(
        description=f"The first {MOST_ROWS} samples, in full precision; a label as its text, a class by number so."
    )
    dropped_rows: int = Field(default=0, description="Rows left out for a missing value.")
    dropped_columns: list[str] = Field(default=[], description="Columns that were left out.")
