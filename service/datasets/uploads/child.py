"""The service's side of reading an upload: it starts the child, waits for it, and believes only its exit."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from service.artifacts import StorageError
from service.bounds import starting
from service.config import environment_of_a_child
from service.datasets.uploads.request import CPU_S, PreviewRequest, UploadAnswer, UploadRefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from service.contract.data.dataset import SampleFacts, WeightFacts
    from service.contract.data.preview import DatasetPreview
    from service.datasets.uploads.request import UploadRequest

LOG = logging.getLogger(__name__)

LONGEST_S: Final = 120.0
AT_ONCE: Final = 2
"""Uploads read at the same time by one process of the API; more wait, so that their memory is bounded together."""
SMALL: Final = 2**20
"""Bytes of a CSV that waits for such ones only. Other formats compress: how long one takes, its bytes do not say."""
SMALL_AT_ONCE: Final = 2
"""Small CSVs read at the same time, beside the others."""


def read_upload(request: UploadRequest) -> tuple[SampleFacts | WeightFacts, DatasetPreview | None]:
    """Have a child process read an upload and write its canonical form, and return what it holds, and a look at it.

    Raises
    ------
    UploadRefusedError
        It does not hold up, or it took the child down.
    StorageError
        There is no room for what the child writes.
    NotStartedError
        There is no child now.
    """
    answer = _ask(request)
    if answer.facts is None:
        raise UploadRefusedError("unreadable", "could not be read")
    return answer.facts, answer.preview


def look_at(canonical: Path, facts: SampleFacts) -> DatasetPreview:
    """Have a child process look at samples in canonical form; raises as `read_upload` does."""
    answer = _ask(PreviewRequest(canonical=str(canonical), facts=facts))
    if answer.preview is None:
        raise UploadRefusedError("unreadable", "could not be read")
    return answer.preview


def _ask(request: UploadRequest | PreviewRequest) -> UploadAnswer:
    try:
        with starting():
            done = subprocess.run(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "service.datasets.uploads",
                ],  # -P: not whatever lies in the working directory
                input=request.model_dump_json().encode(),
                capture_output=True,
                timeout=LONGEST_S,
                env=environment_of_a_child(),
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise UploadRefusedError("took_too_long", f"could not be read within {LONGEST_S:g} s") from None
    if done.returncode == -signal.SIGXCPU:
        raise UploadRefusedError("took_too_long", f"could not be read within {CPU_S} s of processor time")
    if done.returncode == os.EX_IOERR:
        raise StorageError("the disk of temporary files is full, read-only or broken")
    try:
        done.check_returncode()
        answer = UploadAnswer.model_validate_json(done.stdout)
    except (subprocess.CalledProcessError, ValidationError) as failure:
        LOG.warning("an upload took its reader down: %s: %s", failure, done.stderr[-2000:].decode(errors="replace"))
        raise UploadRefusedError("unreadable", "could not be read: its reader ran out of memory or failed") from None
    if answer.refusals:
        raise UploadRefusedError.several(answer.refusals)
    return answer
