"""An uploaded data set: what is known of it without opening it, so that a specification can be checked against it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.contract.job import ArtifactRef
from service.contract.values import media_types

if TYPE_CHECKING:
    from collections.abc import Mapping


class UploadFormat(StrEnum):
    """How an upload is written."""

    CSV = "csv"
    NPZ = "npz"
    PARQUET = "parquet"
    SAFETENSORS = "safetensors"


MEDIA_TYPES: Mapping[str, UploadFormat] = MappingProxyType(
    {
        media_types.CSV: UploadFormat.CSV,
        media_types.NPZ: UploadFormat.NPZ,
        media_types.PARQUET: UploadFormat.PARQUET,
        "application/x-parquet": UploadFormat.PARQUET,
        media_types.SAFETENSORS: UploadFormat.SAFETENSORS,
    }
)
"""Media types that an upload may come as."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)  # the record of a later version may hold more


class EncodedColumn(_Frozen):
    """A column of an upload that became one column of 0 and 1 for each of its levels, named ``column=level``."""

    column: str
    levels: list[str] = Field(description="Sorted, in the order of the columns they became.")

    @property
    def columns(self) -> list[str]:
        """Names of the columns it became."""
        return [f"{self.column}={level}" for level in self.levels]


def _absent() -> Any:
    """Return a field that stays away where there is none: a data set without it keeps its id."""
    return Field(default=None, exclude_if=lambda value: value is None)


class SampleFacts(_Frozen):
    """Samples to train on or to evaluate on. The object holds ``inputs`` (S, features) and ``targets``, float64."""

    kind: Literal["samples"] = "samples"
    samples: int = Field(description="S.")
    features: int
    outputs: int | None = Field(description="Numbers of one target row; 1 for (S,) targets; null without targets.")
    rows: bool = Field(description="Whether targets are rows (S, m), not one number a sample (S,).")
    integers: bool = Field(description="Whether targets came as integers or labels, so that they are classes.")
    class_counts: list[int] | None = Field(
        default=None, description="Samples of each class 0..m-1, where every target is such an integer."
    )
    class_names: list[str] | None = Field(default=None, description="Labels in the order of the classes they became.")
    number_labels: list[str] | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="The different texts of targets that are classes by number, in the order of the numbers, where they"
        " are written otherwise than the numbers are: 01, or 2.0 beside 1.",
    )
    sign_counts: tuple[int, int] | None = Field(default=None, description="Samples of -1 and of 1, where all are such.")
    columns: list[str] | None = Field(default=None, description="Names of the input columns of a table.")
    target_columns: Annotated[list[str] | None, Field(description="Names of the target columns of a table.")] = (
        _absent()
    )
    encoded: Annotated[
        list[EncodedColumn] | None, Field(description="Columns of text that `categorical=encode` encoded.")
    ] = _absent()
    dropped_columns: Annotated[
        list[str] | None,
        Field(description="Columns that were left out: of text by `categorical=drop`, and numbers of the rows."),
    ] = _absent()
    dropped_rows: int = Field(default=0, description="Rows of the upload that were left out for a missing value.")


class WeightFacts(_Frozen):
    """Weights trained elsewhere. The object holds ``K`` (depth, d, d) and ``b`` (depth, d), float64."""

    kind: Literal["weights"] = "weights"
    depth: int
    state_dim: int


Facts = Annotated[SampleFacts | WeightFacts, Field(discriminator="kind")]


class DatasetRecord(_Frozen):
    """All that is known of an uploaded data set. The id is the SHA-256 of the canonical object."""

    id: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    name: str | None
    format: UploadFormat
    uploaded_bytes: int = Field(description="Of the upload as it came.")
    created_at: datetime
    facts: Facts
    object: ArtifactRef
    preview: Annotated[ArtifactRef | None, Field(description="A `DatasetPreview`, written when it was uploaded.")] = (
        _absent()
    )


def class_text(number: int, *, integers: bool) -> str:
    """Return how a class by number is written where nothing else is known: 1, or 1.0 where targets have a point."""
    return str(number) if integers else f"{number}.0"
