"""Uploads as the child process is asked to read them, but read in the process of the test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import safetensors.numpy

from service.contract.data.dataset import SampleFacts, UploadFormat
from service.contract.values.limits import LIMITS
from service.datasets.uploads.__main__ import read
from service.datasets.uploads.request import Choice, UploadLimits, UploadRefusedError, UploadRequest

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from service.datasets.uploads.request import Refusal

UPLOAD_LIMITS = UploadLimits(
    samples=LIMITS.samples,
    features=LIMITS.features,
    outputs=LIMITS.outputs,
    levels=LIMITS.levels,
    depth=LIMITS.depth,
    state_dim=LIMITS.state_dim,
    numbers=LIMITS.upload_numbers,
    magnitude=LIMITS.magnitude,
)


def request(folder: Path, content: bytes, kind: UploadFormat, **choice: object) -> UploadRequest:
    """Write an upload to a folder, and return what the child process would be asked about it."""
    source = folder / "upload"
    source.write_bytes(content)
    return UploadRequest(
        format=kind,
        source=str(source),
        destination=str(folder / "canonical"),
        choice=Choice.model_validate(choice),
        limits=UPLOAD_LIMITS,
    )


def facts_of(folder: Path, content: bytes, kind: UploadFormat = UploadFormat.CSV, **choice: object) -> SampleFacts:
    """Read an upload of samples, and return the facts about it; it must be taken."""
    facts = read(request(folder, content, kind, **choice)).facts
    assert isinstance(facts, SampleFacts)
    return facts


def arrays_of(folder: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of the upload that was read last into a folder."""
    return dict(safetensors.numpy.load((folder / "canonical").read_bytes()))


def refusals_of(
    folder: Path, content: bytes, kind: UploadFormat = UploadFormat.CSV, **choice: object
) -> tuple[Refusal, ...]:
    """Read an upload that must be refused, and return every reason."""
    try:
        read(request(folder, content, kind, **choice))
    except UploadRefusedError as error:
        return error.refusals
    raise AssertionError("was taken")
