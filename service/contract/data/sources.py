"""Data sources, and the static facts about the built-in data sets, so that the API resolves without scikit-learn."""

from __future__ import annotations

import hashlib
import math
import sys
from array import array
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool

from service.contract.values.arrays import ArrayOf, Table, one_column_flat
from service.contract.values.limits import LIMITS
from service.contract.values.numbers import Real, TextOf, Whole
from service.contract.values.pointers import tagged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class BuiltinName(StrEnum):
    """Data sets that every worker has."""

    MOONS = "moons"
    CIRCLES = "circles"
    SPIRALS = "spirals"
    IRIS = "iris"
    WINE = "wine"
    BREAST_CANCER = "breast_cancer"
    DIGITS = "digits"
    DIABETES = "diabetes"


class TargetKind(StrEnum):
    """What a target is."""

    CLASSES = "classes"
    NUMBERS = "numbers"


@dataclass(frozen=True, slots=True)
class Builtin:
    """Facts about a built-in data set.

    Attributes
    ----------
    features
        Entries of one input.
    class_counts
        Samples of each class; empty for numbers, and for a generated set, whose two classes halve the samples.
    samples
        Samples of a fixed set; ``None`` where the request chooses.
    """

    features: int
    class_counts: tuple[int, ...] = ()
    samples: int | None = None
    targets: TargetKind = TargetKind.CLASSES

    def counts(self, samples: int) -> tuple[int, ...]:
        """Samples of each class, of so many in the whole set; empty when the targets are numbers."""
        if self.targets is TargetKind.NUMBERS:
            return ()
        return self.class_counts or (samples // 2, samples - samples // 2)


BUILTINS: Mapping[BuiltinName, Builtin] = MappingProxyType(
    {
        BuiltinName.MOONS: Builtin(features=2),
        BuiltinName.CIRCLES: Builtin(features=2),
        BuiltinName.SPIRALS: Builtin(features=2),
        BuiltinName.IRIS: Builtin(features=4, class_counts=(50, 50, 50), samples=150),
        BuiltinName.WINE: Builtin(features=13, class_counts=(59, 71, 48), samples=178),
        BuiltinName.BREAST_CANCER: Builtin(features=30, class_counts=(212, 357), samples=569),
        BuiltinName.DIGITS: Builtin(
            features=64, class_counts=(178, 182, 177, 183, 181, 182, 181, 179, 174, 180), samples=1797
        ),
        BuiltinName.DIABETES: Builtin(features=10, samples=442, targets=TargetKind.NUMBERS),
    }
)

GENERATED_DEFAULTS: Mapping[str, float] = MappingProxyType({"samples": 200, "noise": 0.1, "seed": 0})


class DataOptions(BaseModel):
    """What every data source may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    standardise: StrictBool = Field(
        default=True,
        description="Subtract the training part's mean and divide by its population deviation (1 where that is 0).",
    )
    standardise_targets: StrictBool | None = Field(
        default=None, description="True for squared_error unless said; other losses take only false."
    )
    validation_fraction: Annotated[float, Real(ge=0, lt=1)] = Field(
        default=0.0, description="Part held out for validation, stratified for classes."
    )
    split_seed: Annotated[int, Whole(ge=0, le=LIMITS.seed)] = 0


def sha256_of(tables: Iterable[Table]) -> str:
    """Return the SHA-256 of tables, one after the other, as little-endian doubles in row-major order."""
    digest = hashlib.sha256()
    for table in tables:
        values = table.values
        if sys.byteorder == "big":
            values = array("d", values)
            values.byteswap()
        digest.update(values)
    return digest.hexdigest()


class InlineData(DataOptions):
    """Samples in the body itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    source: Literal["inline"]
    inputs: Annotated[Table, ArrayOf((2,), rows="samples", columns="features")] = Field(
        description="(S, features): one row per sample."
    )
    targets: Annotated[
        Table, ArrayOf((1, 2), rows="samples", columns="outputs", labels=True), AfterValidator(one_column_flat)
    ] = Field(
        description="(S,) or (S, 1) classes 0..m-1, ±1 or numbers; or (S, m) rows of numbers; or (S,) texts, labels"
        " that become classes in the order of the sorted labels."
    )

    def sha256(self) -> str:
        """Return the content's hash: that of the inputs, then the targets, by `sha256_of`."""
        return sha256_of((self.inputs, self.targets))


class BuiltinData(DataOptions):
    """A data set that every worker has; ``samples``, ``noise`` and ``seed`` are for the generated ones."""

    source: Literal["builtin"]
    name: BuiltinName
    samples: Annotated[int, Whole(ge=4, most="samples")] | None = Field(
        default=None, description="moons, circles and spirals only; 200 unless said."
    )
    noise: Annotated[float, Real(ge=0, le=10)] | None = Field(
        default=None, description="moons, circles and spirals only; standard deviation, 0.1 unless said."
    )
    seed: Annotated[int, Whole(ge=0, le=LIMITS.seed)] | None = Field(
        default=None, description="moons, circles and spirals only; 0 unless said."
    )


class DatasetData(DataOptions):
    """An uploaded data set. The job keeps what it was given when the data set is deleted."""

    source: Literal["dataset"]
    id: Annotated[str, TextOf(max_length=200)] = Field(description="Of ``POST /v1/datasets``.")


DataSource = Annotated[
    InlineData | BuiltinData | DatasetData,
    Field(discriminator="source"),
    tagged("source", InlineData, BuiltinData, DatasetData),
]


def validation_sizes(fraction: float, counts: Sequence[int]) -> tuple[int, ...]:
    """Return how many samples of each group are held out, for a validation fraction 0 ≤ f < 1.

    That is f·count rounded half up, but always leaves one to train on. The groups are the classes, or all samples
    together where targets are numbers.
    """
    return tuple(min(math.floor(fraction * count + 0.5), count - 1) for count in counts)
