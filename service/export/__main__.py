"""The child process that writes ONNX: an exported parameters file comes in, the model goes out.

Run as ``python -m service.export STEPS``, with 0 for the steps that the file names.
"""

from __future__ import annotations

import sys
from typing import Final

from service.bounds import bound

ADDRESS_SPACE: Final = 2 * 2**30
"""Bytes of memory that writing may take, the libraries' own included; `onnx_size` keeps a model well below."""
CPU_S: Final = 60
FILE_BYTES: Final = 2**26
"""Of files, of which it writes none: the model goes to standard output."""


def main() -> None:
    """Read standard input, write standard output."""
    content = sys.stdin.buffer.read()
    bound(ADDRESS_SPACE, CPU_S, FILE_BYTES)
    sys.stdout.buffer.write(write(content, int(sys.argv[1])))


def write(content: bytes, steps: int) -> bytes:
    """Return a parameters file as an ONNX model."""
    # imported here, below the bounds
    import safetensors.numpy  # noqa: PLC0415 - below the bounds, as what follows

    from service.export.network import Network  # noqa: PLC0415 - likewise
    from service.export.onnx_model import onnx_model  # noqa: PLC0415 - likewise

    network = Network.of_file(content)
    if steps:
        network = network.model_copy(update={"steps": steps})
    return onnx_model(network, safetensors.numpy.load(content))


if __name__ == "__main__":
    main()
