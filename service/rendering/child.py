"""The service's side of rendering: it starts the child, waits for it, and keeps what was rendered last."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
import threading
from collections import OrderedDict
from typing import Final

from service.bounds import starting
from service.config import environment_of_a_child

LOG = logging.getLogger(__name__)

LIBRARY: Final = "vl_convert"
LONGEST_S: Final = 20.0
AT_ONCE: Final = 2
"""Pictures rendered at the same time by one process of the API; more wait, outside of its threads."""
KEPT_BYTES: Final = 32 * 2**20
"""Of pictures that are kept, those asked for last."""


class RenderingFailedError(Exception):
    """The picture could not be rendered."""


def installed() -> bool:
    """Whether there is what pictures are rendered with."""
    return importlib.util.find_spec(LIBRARY) is not None


def render(svg: bytes, form: str) -> bytes:
    """Have a child process render an SVG as another media type.

    Raises
    ------
    RenderingFailedError
        The child failed, was killed, or took too long.
    NotStartedError
        There is no child now.
    """
    try:
        with starting():
            done = subprocess.run(  # noqa: S603 - a command of our own
                [sys.executable, "-P", "-m", "service.rendering", form],
                input=svg,
                capture_output=True,
                timeout=LONGEST_S,
                env=environment_of_a_child(),
                check=True,
            )
    except subprocess.TimeoutExpired:
        LOG.warning("a picture was not rendered within %g s", LONGEST_S)
        raise RenderingFailedError(f"it took longer than {LONGEST_S:g} s") from None
    except subprocess.CalledProcessError as failure:
        LOG.warning("rendering failed: %s: %s", failure, failure.stderr[-2000:].decode(errors="replace"))
        raise RenderingFailedError("its renderer ran out of memory or failed") from None
    return done.stdout


class Pictures:
    """Pictures that were rendered, so that each is rendered once as long as it is asked for."""

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, sha256: str, form: str) -> bytes | None:
        """Return the picture of an SVG, by its digest, if it is kept."""
        with self._lock:
            found = self._kept.get((sha256, form))
            if found is not None:
                self._kept.move_to_end((sha256, form))
            return found

    def keep(self, sha256: str, form: str, picture: bytes) -> None:
        """Keep a picture, in the place of those that were not asked for the longest."""
        with self._lock:
            self._kept[sha256, form] = picture
            while sum(map(len, self._kept.values())) > self._most:
                self._kept.popitem(last=False)
