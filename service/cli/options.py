"""What several commands share: their options, the connection to the service, and JSON as output."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.contract.data import reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deeplimit.client import Client, Job

Url = Annotated[str | None, typer.Option("--url", help="Where the service is; DEEPLIMIT_URL, http://127.0.0.1:8000.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="Identifier of a job.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the service's answer as JSON.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the end, showing progress, and print results.")]
ReportFile = Annotated[
    str | None, typer.Option("--report", metavar="FILE", help="Wait, and write the report there as well.")
]
Name = Annotated[str | None, typer.Option(help="For people.")]

Targets = Annotated[list[str] | None, typer.Option("--target", help="Column or array of targets; repeat.")]
Inputs = Annotated[list[str] | None, typer.Option("--input", help="Column or array of inputs; repeat.")]
Header = Annotated[
    reading.HeaderRow | None,
    typer.Option(help="Whether the first row of a CSV names its columns; unless said, decided."),
]
MissingValues = Annotated[
    reading.Missing | None,
    typer.Option("--missing", help="Rows with a missing value; unless said, the file is refused."),
]
Categorical = Annotated[
    reading.Categorical | None,
    typer.Option(help="Columns of text among the inputs; unless said, the file is refused."),
]


def print_json(value: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Print what the service answered."""
    from deeplimit.client.shown import escaped

    typer.echo(escaped(json.dumps(value, indent=2, ensure_ascii=False)))


@contextmanager
def connected(url: str | None) -> Iterator[Client]:
    """Client of the service, whose errors end the command with a message and an exit status."""
    from deeplimit.client import Client
    from service.cli.output import reported

    with reported(), Client(url) as client:
        yield client


def named(client: Client, job_id: str) -> Job:
    """Return the job of that name without asking for it first."""
    from deeplimit.client import Job

    return Job({"id": job_id}, client)
