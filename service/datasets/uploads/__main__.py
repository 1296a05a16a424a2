"""The child process: ``python -m service.datasets.uploads``. A request as JSON comes in, an answer as JSON goes out."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from service.bounds import bound
from service.contract.data.dataset import SampleFacts
from service.datasets.uploads.request import (
    CPU_S,
    PreviewRequest,
    Refusal,
    UploadAnswer,
    UploadRefusedError,
    UploadRequest,
)

ADDRESS_SPACE: Final = 2 * 2**30
"""Bytes of memory that reading an upload may take, the libraries' own included."""
FILE_BYTES: Final = 2**30
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
"""Errors of the disk, for which the upload is not at fault; EFBIG is the bound above."""

_Requests: Final[TypeAdapter[UploadRequest | PreviewRequest]] = TypeAdapter(UploadRequest | PreviewRequest)


def main() -> None:
    """Read one upload, write its canonical form, and say what it holds; or look at one that is in canonical form."""
    request = _Requests.validate_json(sys.stdin.buffer.read())
    bound(ADDRESS_SPACE, CPU_S, FILE_BYTES)
    try:
        answer = read(request) if isinstance(request, UploadRequest) else look(request)
    except UploadRefusedError as error:
        answer = UploadAnswer(refusals=error.refusals)
    except MemoryError:
        refusal = Refusal(code="too_much_memory", detail="takes more memory than an upload may")
        answer = UploadAnswer(refusals=(refusal,))
    except OSError as failure:
        if failure.errno not in FULL:
            raise
        sys.exit(os.EX_IOERR)
    sys.stdout.write(answer.model_dump_json())


def read(request: UploadRequest) -> UploadAnswer:
    """Read one upload in this process and write its canonical form.

    Raises
    ------
    UploadRefusedError
        It does not hold up.
    """
    # the readers are imported here, below the bounds, and each only for its own format
    from service.datasets.uploads import canonical, signatures  # noqa: PLC0415 - below the bounds
    from service.datasets.uploads.preview import preview_of  # noqa: PLC0415 - below the bounds

    signatures.check(Path(request.source), request.format)
    path, choice, limits = Path(request.source), request.choice, request.limits
    content: canonical.Samples | canonical.Weights
    match request.format:
        case "csv":
            from service.datasets.uploads.tables.csv_table import read_csv  # noqa: PLC0415 - below the bounds

            content = read_csv(path, choice, limits)
        case "parquet":
            from service.datasets.uploads.parquet import read_parquet  # noqa: PLC0415 - below the bounds

            content = read_parquet(path, choice, limits)
        case "npz":
            from service.datasets.uploads.arrays import read_arrays  # noqa: PLC0415 - below the bounds
            from service.datasets.uploads.npz import open_npz  # noqa: PLC0415 - below the bounds

            content = read_arrays(open_npz(path, limits), choice, limits)
        case "safetensors":
            from service.datasets.uploads.arrays import read_arrays  # noqa: PLC0415 - below the bounds
            from service.datasets.uploads.safetensors_file import open_safetensors  # noqa: PLC0415 - below the bounds

            content = read_arrays(open_safetensors(path), choice, limits)
    facts = canonical.write(content, Path(request.destination), limits)
    if isinstance(content, canonical.Weights) or not isinstance(facts, SampleFacts):
        return UploadAnswer(facts=facts)
    shown = preview_of(facts, content.inputs, content.targets, content.missing)
    return UploadAnswer(facts=facts, preview=shown)


def look(request: PreviewRequest) -> UploadAnswer:
    """Make the preview of samples that are in canonical form already; what was missing is no longer known."""
    from safetensors.numpy import load_file  # noqa: PLC0415 - below the bounds

    from service.datasets.uploads.preview import preview_of  # noqa: PLC0415 - likewise

    arrays = load_file(request.canonical)
    return UploadAnswer(preview=preview_of(request.facts, arrays["inputs"], arrays.get("targets"), None))


if __name__ == "__main__":
    main()
