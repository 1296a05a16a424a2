"""The resolved specification: every default filled in. What a job record holds, and what the worker is given."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from service.contract.data.dataset import EncodedColumn  # noqa: TC001 - pydantic reads it
from service.contract.data.sources import BUILTINS, BuiltinName, DataOptions
from service.contract.request import JobLimits, ResolvedRequest, Strict
from service.contract.train.depths import LADDER, WantedGap, WantedPredictionError
from service.contract.train.request import (
    Continuum,
    Discrete,
    FixedMatrix,
    FixedVector,
    Loss,
    Network,
    Objective,
    Output,
    Training,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def _absent(description: str | None = None) -> Any:
    """Return a field that stays away where it does not apply."""
    return Field(default=None, exclude_if=lambda value: value is None, description=description)


class ResolvedDataOptions(DataOptions):
    """Options of a data source, filled in."""

    standardise_targets: bool


class ResolvedInline(ResolvedDataOptions):
    """Inline data, kept as an artifact of the job."""

    source: Literal["inline"]
    sha256: str = Field(description="Over inputs, then targets, as little-endian doubles in row-major order.")
    samples: int
    features: int
    class_names: list[str] | None = _absent("Labels in the order of the classes they became, where there were any.")


class ResolvedDataset(ResolvedDataOptions):
    """An uploaded data set, kept as an artifact of the job."""

    source: Literal["dataset"]
    id: str
    name: str | None = _absent("What the data set was called when the job was created; absent where it had no name.")
    samples: int
    features: int
    class_names: list[str] | None = Field(default=None, description="Labels in the order of the classes they became.")
    columns: list[str] | None = Field(default=None, description="Names of the input columns.")
    target_columns: list[str] | None = _absent("Names of the target columns.")
    encoded: list[EncodedColumn] | None = _absent("Columns of text that became several of the input columns.")


class ChosenBuiltin(Strict):
    """A built-in data set, chosen to train or to evaluate on."""

    source: Literal["builtin"]
    name: BuiltinName
    samples: int | None = _absent()
    noise: float | None = _absent()
    seed: int | None = _absent()

    @property
    def features(self) -> int:
        """Entries of one input."""
        return BUILTINS[self.name].features


class ResolvedBuiltin(ChosenBuiltin, ResolvedDataOptions):
    """A built-in data set; ``samples``, ``noise`` and ``seed`` appear for the generated ones."""


ResolvedData = ResolvedInline | ResolvedBuiltin | ResolvedDataset


class KeptArray(Strict):
    """An array of a specification that is kept as an artifact of the job."""

    shape: list[int]
    sha256: str = Field(description="Over its numbers as little-endian doubles in row-major order.")


class ResolvedFixed(Strict):
    """Parameters held constant, as they were given; an array of more than 64 numbers by its shape and digest."""

    K: KeptArray | FixedMatrix | None
    b: KeptArray | FixedVector | None
    W: KeptArray | FixedMatrix | None
    c: KeptArray | FixedVector | None


class ResolvedNetwork(Network):
    """The network, filled in."""

    state_dim: int
    output: Output
    fixed: ResolvedFixed  # type: ignore[assignment]  # what a request gives and what is kept differ


class ResolvedObjective(Objective):
    """The objective, filled in."""

    loss: Loss


class ResolvedTraining(Training):
    """The training options, filled in."""

    gradient_tolerance: float


class ResolvedTrainSpec(ResolvedRequest):
    """A train specification with nothing left open."""

    kind: Literal["train"]
    data: Annotated[ResolvedData, Field(discriminator="source")]
    network: ResolvedNetwork
    objective: ResolvedObjective
    discrete: Discrete | None
    continuum: Continuum | None
    training: ResolvedTraining
    limits: JobLimits
    plots: bool = True

    @property
    def depths(self) -> tuple[int, ...]:
        """The depths to train; those that predict another where one is sought; empty without discrete networks."""
        if self.discrete is None:
            return ()
        return tuple(self.discrete.depths) if isinstance(self.discrete.depths, list) else LADDER

    @property
    def wanted(self) -> WantedGap | WantedPredictionError | None:
        """The wanted gap or prediction error, for which a depth is sought, or ``None``."""
        depths = self.discrete.depths if self.discrete is not None else None
        return None if isinstance(depths, list) else depths


def spec_sha256(spec: Mapping[str, Any]) -> str:
    """Return the digest that names a resolved specification: SHA-256 of its JSON with sorted keys and no spaces."""
    return hashlib.sha256(json.dumps(spec, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
