"""The service's side of writing ONNX: a child process, so that no process of the service imports onnx."""

from __future__ import annotations

import logging
import subprocess
import sys
from importlib.util import find_spec
from typing import Final

from service.bounds import starting
from service.config import environment_of_a_child
from service.export.network import Network
from service.export.onnx_size import check_size

LOG = logging.getLogger(__name__)
LONGEST_S: Final = 120.0
AT_ONCE: Final = 2
"""Models written at the same time by one process of the API; more wait, outside of its threads."""


class OnnxUnavailableError(Exception):
    """A model cannot be written as ONNX here; the message says why."""


def to_onnx(parameters: bytes, steps: int | None = None) -> bytes:
    """Return an exported parameters file as an ONNX model; ``steps`` are those of a continuum.

    Raises
    ------
    OnnxUnavailableError
        The library is not installed here, or the child failed, was killed, or took too long.
    NotStartedError
        There is no child now.
    TooLargeError
        The model would be too large with these steps; nothing was started.
    """
    if find_spec("onnx") is None:
        raise OnnxUnavailableError("This service has no ONNX: install deeplimit[onnx] beside it, or use model.py.")
    check_size(Network.of_file(parameters), parameters, steps)
    try:
        with starting():
            done = subprocess.run(  # noqa: S603 - our own module, and a number
                [sys.executable, "-P", "-m", "service.export", str(steps or 0)],
                input=parameters,
                capture_output=True,
                timeout=LONGEST_S,
                env=environment_of_a_child(),
                check=True,
            )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as failure:
        said = (failure.stderr or b"")[-2000:].decode(errors="replace")
        LOG.warning("a model was not written as ONNX: %s: %s", failure, said)
        raise OnnxUnavailableError(
            "The model could not be written as ONNX; it may be too large. Use model.py."
        ) from None
    return done.stdout
