"""The program ``deeplimit``, where what it needs may not be installed."""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    """Run the command line, or say what is missing for it."""
    try:
        app = importlib.import_module("service.cli").app
    except ModuleNotFoundError as missing:
        extras = "pip install 'deeplimit[cli]' to use a service, 'deeplimit[worker]' to run one"
        sys.exit(f"{missing}. The command line needs an extra: {extras}.")
    app()
