"""The file ``openapi/openapi.json``: ``python -m service.api.write_openapi`` writes it, ``--check`` compares."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from service.api.main import create_app
from service.config import Settings

PATH: Final = Path(__file__).resolve().parents[2] / "openapi" / "openapi.json"


def text() -> str:
    """Return the document of the application as it is written to `PATH`."""
    return json.dumps(create_app(Settings()).openapi(), indent=2) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the document, or compare it; the exit status is 1 when ``--check`` finds the file untrue."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if parser.parse_args(arguments).check:
        if PATH.exists() and PATH.read_text(encoding="utf-8") == text():
            return 0
        sys.stderr.write(f"{PATH} is not what the code says; run python -m service.api.write_openapi\n")
        return 1
    PATH.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
