"""What the child process is asked, what it answers, and how it refuses."""

from __future__ import annotations

import math
import unicodedata

from pydantic import BaseModel, ConfigDict, Field

from service.contract.data.dataset import Facts, UploadFormat


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UploadLimits(_Message):
    """What an upload may hold at most; names as in the published limits."""

    samples: int
    features: int
    outputs: int
    depth: int
    state_dim: int
    numbers: int
    magnitude: float


class Choice(_Message):
    """Which columns or arrays are what; empty where the defaults do."""

    inputs: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    inputs_only: bool = False


class UploadRequest(_Message):
    """An upload on disk, and where its canonical form goes."""

    format: UploadFormat
    source: str
    destination: str
    choice: Choice
    limits: UploadLimits


class Refusal(_Message):
    """Why an upload is not taken. The detail names places by number, and repeats nothing that was sent."""

    code: str
    detail: str
    parameter: str | None = Field(default=None, description="Query parameter that is at fault, not the upload.")


class UploadAnswer(_Message):
    """What became of an upload."""

    facts: Facts | None = None
    refusal: Refusal | None = None


class UploadRefusedError(Exception):
    """The upload, or what was asked about it, does not hold up."""

    def __init__(self, code: str, detail: str, parameter: str | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.refusal = Refusal(code=code, detail=detail, parameter=parameter)


def is_plain(text: str, *, breaks: bool = True) -> bool:
    """Tell whether a text is free of control characters, which a terminal would obey.

    With ``breaks``, tabs and line breaks are let through, as spreadsheets put them into the names of columns.
    """
    allowed = "\t\r\n" if breaks else ""
    return not any(unicodedata.category(character) == "Cc" and character not in allowed for character in text)


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
