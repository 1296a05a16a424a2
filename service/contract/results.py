"""What the results of every kind of job share: the worker writes results, the API serves them, and OpenAPI shows them.

A field with a default may be absent: write with `to_json`, which leaves out what was not set and keeps what was set to
null. Numbers that are not finite go out as the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from service.contract.values.answer import Answer, Withheld
from service.contract.values.numbers import Finding

if TYPE_CHECKING:
    from pydantic import BaseModel


def to_json(model: BaseModel) -> bytes:
    """Write a result as strict JSON in UTF-8, without the fields that were never set."""
    return model.model_dump_json(exclude_unset=True).encode()


class Metrics(Answer):
    """Quality of the predictions: ``accuracy`` for classes, ``r2`` for numbers, null where the targets do not vary."""

    terminal_loss: Finding | None
    accuracy: Finding | None = None
    r2: Finding | None = None
    withheld: Withheld = Field(default={})


class Provenance(Answer):
    """What the numbers came from."""

    spec_sha256: str
    seed: int
    torch: str
    device: str
    dtype: Literal["float64", "float32"]
    version: str
    wall_time_s: Finding | None = None
    libraries: dict[str, str] = Field(
        default={},
        description="Versions of Python and of what computes: numpy, scipy, scikit-learn, torch, numba if it did, those"
        " for BLAS.",
    )
    threads: int | None = Field(default=None, description="Of the processor, that the computation used.")
    kernel: Literal["torch", "fused"] | None = Field(default=None, description="What went through the layers.")
    kernel_note: str | None = Field(
        default=None, description="Why it was torch where `training.kernel` asked for fused."
    )
    data_sha256: str | None = Field(
        default=None,
        description="Of the samples: over inputs, then targets, little-endian doubles in row-major order.",
    )
