"""What several commands share: their options, and JSON as output."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

import typer

DEFAULT_URL: Final = "http://127.0.0.1:8000"

Url = Annotated[str, typer.Option("--url", help="Where the service is.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="Identifier of a job.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the service's answer as JSON.")]


def print_json(value: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Print what the service answered."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
