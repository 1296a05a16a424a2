"""The program ``deeplimit``, where what it needs may not be installed."""

from __future__ import annotations

import importlib
import sys

OURS = {"deeplimit", "service", "worker"}


def main() -> None:
    """Run the command line, or say what is missing for it."""
    try:
        importlib.import_module("service.cli").app()
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] in OURS:
            raise
        extras = "pip install 'deeplimit[cli]' to use a service, 'deeplimit[worker]' to run one"
        sys.exit(f"{missing}. This command needs an extra: {extras}.")
