"""What is said between the service and the process that plans: frames, each a length and so many bytes.

The service sends the limits and the body. The child asks for what the specification refers to, as often as it needs,
and each question gets one frame, empty where there is nothing. Its last frames are a `Verdict` and, where the job is
ready, its specification and its new objects in their order.
"""

from __future__ import annotations

import struct
from typing import IO, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from service.contract.job import ArtifactRef
from service.contract.values.errors import ErrorCode, FieldError

_LENGTH: Final = struct.Struct("<Q")


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Question(_Said):
    """The child asks for a record, or the results, by the id of the data set or the job."""

    says: Literal["question"] = "question"
    what: Literal["dataset", "job", "results"]
    id: str


class Refused(_Said):
    """The body cannot be read."""

    says: Literal["refused"] = "refused"
    code: ErrorCode
    detail: str


class Invalid(_Said):
    """The body breaks the contract."""

    says: Literal["invalid"] = "invalid"
    errors: tuple[FieldError, ...]


class Ready(_Said):
    """The job is ready: all of it but its specification and its new objects, whose keys are ``written``."""

    says: Literal["ready"] = "ready"
    kind: str
    name: str | None
    external_id: str | None
    metadata: dict[str, Any]
    spec_sha256: str
    estimate: str
    copied: dict[str, ArtifactRef]
    written: tuple[str, ...]
    cuda_at: str | None


Verdict = Refused | Invalid | Ready
SAID: Final[TypeAdapter[Question | Verdict]] = TypeAdapter(Annotated[Question | Verdict, Field(discriminator="says")])


def send(stream: IO[bytes], frame: bytes) -> None:
    """Write a frame."""
    stream.write(_LENGTH.pack(len(frame)))
    stream.write(frame)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes:
    """Read a frame.

    Raises
    ------
    EOFError
        The other side has ended.
    """
    header = stream.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(header)
    frame = stream.read(length)
    if len(frame) < length:
        raise EOFError
    return frame
