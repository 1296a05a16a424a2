"""What several commands share: their options, the connection to the service, and JSON as output."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.cli.client import Client

DEFAULT_URL: Final = "http://127.0.0.1:8000"

Url = Annotated[str, typer.Option("--url", help="Where the service is.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="Identifier of a job.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the service's answer as JSON.")]


def print_json(value: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Print what the service answered."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


@contextmanager
def connected(url: str) -> Iterator[Client]:
    """Client of the service, whose errors end the command with a message and an exit status."""
    from service.cli.client import Client
    from service.cli.output import reported

    with reported(), Client(url) as client:
        yield client
