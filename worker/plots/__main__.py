"""The drawing process: ``python -m worker.plots``. It reads requests line by line, and answers each with a line."""

import os
import sys
import traceback
from typing import IO

from worker.plots.drawing import draw
from worker.plots.request import DrawAnswer, DrawRequest


def main() -> None:
    """Draw until the requests end. What libraries print goes to standard error, so it cannot break a line."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin.buffer, answers)


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer every request."""
    for line in requests:
        answers.write(answer(DrawRequest.model_validate_json(line)).model_dump_json().encode() + b"\n")
        answers.flush()


def answer(request: DrawRequest) -> DrawAnswer:
    """Draw one plot; whatever goes wrong is told."""
    try:
        drawn = draw(request.name, request.data)
    except Exception:  # noqa: BLE001 - the trainer withholds the plot and logs this
        return DrawAnswer(failure=traceback.format_exc())
    return DrawAnswer(plot=drawn.plot, svg=drawn.svg.decode(), vega_lite=drawn.vega_lite.decode())


if __name__ == "__main__":
    main()
