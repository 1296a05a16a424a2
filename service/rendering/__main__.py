"""The child process: ``python -m service.rendering image/png``. An SVG comes in, a picture goes out."""

from __future__ import annotations

import re
import resource
import sys
from typing import Final

from service.contract.values.media_types import PDF, PNG

ADDRESS_SPACE: Final = 2 * 2**30
"""Bytes of memory that rendering may take, the library's own included."""
CPU_S: Final = 20
FILE_BYTES: Final = 2**26
SCALE: Final = 2.0
"""Pixels of a PNG to one of the SVG's: plots are drawn small."""
_STYLE: Final = re.compile(r"<style>.*?</style>", re.DOTALL)
"""Of dark ground, which a picture does not know; the renderer would take it for any ground."""


def main() -> None:
    """Render one SVG."""
    (form,) = sys.argv[1:]
    svg = sys.stdin.buffer.read().decode()
    bound()
    sys.stdout.buffer.write(render(svg, form))


def bound() -> None:
    """Have the system refuse this process more memory, time and disk than a picture may take."""
    bounds = {
        resource.RLIMIT_AS: ADDRESS_SPACE,
        resource.RLIMIT_CPU: CPU_S,
        resource.RLIMIT_FSIZE: FILE_BYTES,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in bounds.items():
        _, hard = resource.getrlimit(kind)
        try:
            resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
        except (ValueError, OSError):  # a system without this limit
            continue


def render(svg: str, form: str) -> bytes:
    """Return the SVG, on light ground, in another form."""
    import vl_convert  # noqa: PLC0415 - below the bounds

    light = _STYLE.sub("", svg)
    match form:
        case _ if form == PNG:
            return vl_convert.svg_to_png(light, scale=SCALE)
        case _ if form == PDF:
            return vl_convert.svg_to_pdf(light)
        case _:
            raise ValueError(form)


if __name__ == "__main__":
    main()
