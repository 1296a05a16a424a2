"""The child process: ``python -m service.rendering image/png``. An SVG comes in, a picture goes out."""

from __future__ import annotations

import re
import sys
from typing import Final

from service.bounds import bound
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
    bound(ADDRESS_SPACE, CPU_S, FILE_BYTES)
    sys.stdout.buffer.write(render(svg, form))


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
