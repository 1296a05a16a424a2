"""The child process that writes ONNX: an exported parameters file comes in, the model goes out.

Run as ``python -m service.export STEPS``, with 0 for the steps that the file names.
"""

from __future__ import annotations

import sys

import safetensors.numpy

from service.export.network import Network
from service.export.onnx_model import onnx_model


def main() -> None:
    """Read standard input, write standard output."""
    content = sys.stdin.buffer.read()
    network, steps = Network.of_file(content), int(sys.argv[1])
    if steps:
        network = network.model_copy(update={"steps": steps})
    sys.stdout.buffer.write(onnx_model(network, safetensors.numpy.load(content)))


if __name__ == "__main__":
    main()
