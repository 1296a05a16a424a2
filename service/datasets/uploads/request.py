"""What the child process is asked, what it answers, and how it refuses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field

from service.contract.data.dataset import Facts, SampleFacts, UploadFormat
from service.contract.data.preview import DatasetPreview
from service.contract.data.reading import Categorical, HeaderRow, Missing
from service.contract.values.labels import is_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

CPU_S: Final = 20
"""Seconds of processor time that reading an upload may take."""
LONGEST_NAME: Final = 1000
"""Characters of a column's name."""
_SHOWN: Final = 60
"""Characters of a name that a refusal repeats."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UploadLimits(_Message):
    """What an upload may hold at most; names as in the published limits."""

    samples: int
    features: int
    outputs: int
    levels: int
    depth: int
    state_dim: int
    numbers: int
    magnitude: float


class Choice(_Message):
    """Which columns or arrays are what; empty where the defaults do."""

    inputs: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    inputs_only: bool = False
    header: HeaderRow | None = None
    missing: Missing = Missing.REFUSE
    categorical: Categorical = Categorical.REFUSE


class UploadRequest(_Message):
    """An upload on disk, and where its canonical form goes."""

    format: UploadFormat
    source: str
    destination: str
    choice: Choice
    limits: UploadLimits


class PreviewRequest(_Message):
    """A data set in canonical form on disk, whose preview is wanted."""

    canonical: str
    facts: SampleFacts


class Refusal(_Message):
    """One reason why an upload is not taken.

    Of what was sent the detail repeats names, missing markers, and the first levels of a column of text.
    """

    code: str
    detail: str
    parameter: str | None = Field(default=None, description="Query parameter that is at fault, not the upload.")
    column: str | None = Field(default=None, description="Name of the column at fault, or its position from 0.")
    remedies: tuple[str, ...] = Field(default=(), description="What to add to the query, any one: missing=drop.")


class UploadAnswer(_Message):
    """What became of an upload."""

    facts: Facts | None = None
    preview: DatasetPreview | None = None
    refusals: tuple[Refusal, ...] = ()


class UploadRefusedError(Exception):
    """The upload, or what was asked about it, does not hold up: for one reason, or for several of one kind."""

    def __init__(self, code: str, detail: str, parameter: str | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.refusals: tuple[Refusal, ...] = (Refusal(code=code, detail=detail, parameter=parameter),)

    @classmethod
    def several(cls, refusals: Sequence[Refusal]) -> UploadRefusedError:
        """Return the error with every reason, never none."""
        first = refusals[0]
        error = cls(first.code, first.detail, first.parameter)
        error.refusals = tuple(refusals)
        return error

    @property
    def refusal(self) -> Refusal:
        """The first reason."""
        return self.refusals[0]


def quoted(name: str) -> str:
    """Return a name as a refusal shows it: in quotes, shortened, and without control characters."""
    shown = name if len(name) <= _SHOWN else f"{name[: _SHOWN - 20]}…{name[-19:]}"
    return f"'{''.join(character if is_plain(character, breaks=False) else '?' for character in shown)}'"


def listed(names: Sequence[str], most: int = 20) -> str:
    """Return names in quotes with commas between them, of many the first."""
    shown = ", ".join(map(quoted, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def malformed(detail: str) -> UploadRefusedError:
    """Return the refusal of a file that is not what its media type says."""
    return UploadRefusedError("malformed", detail)


def check_numbers(limits: UploadLimits, *shapes: tuple[int, ...]) -> None:
    """Refuse arrays that hold more numbers than an upload may, by their claimed shapes alone.

    Raises
    ------
    UploadRefusedError
        ``too_many_numbers``.
    """
    numbers = sum(math.prod(shape) for shape in shapes)
    if numbers > limits.numbers:
        raise UploadRefusedError("too_many_numbers", f"holds more than {limits.numbers} numbers")
