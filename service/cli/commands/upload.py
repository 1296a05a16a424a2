"""Uploading a file, as a command of its own and for the commands that train and evaluate on one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.options import (
    AsJson,
    Categorical,
    Header,
    Inputs,
    MissingValues,
    Name,
    Targets,
    Url,
    connected,
    print_json,
)

if TYPE_CHECKING:
    from deeplimit.client import Client, Dataset
    from service.contract.data.reading import HeaderRow, Missing


@dataclass(frozen=True)
class Reading:
    """How a file is to be read."""

    targets: list[str] | None = None
    inputs: list[str] | None = None
    inputs_only: bool = False
    header: HeaderRow | None = None
    missing: Missing | None = None
    categorical: str | None = None


def upload(
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV, NPZ, Parquet or safetensors, by its ending.")],
    targets: Targets = None,
    inputs: Inputs = None,
    inputs_only: Annotated[bool, typer.Option("--inputs-only", help="There are no targets.")] = False,
    header: Header = None,
    missing: MissingValues = None,
    categorical: Categorical = None,
    name: Name = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Upload a data set, or the weights K and b of a network, and print its id."""
    from service.cli.output import standard_output

    reading = Reading(targets, inputs, inputs_only, header, missing, categorical)
    with connected(url) as client:
        dataset = upload_file(client, file, reading, name=name, quiet=as_json)
    if as_json:
        print_json(dataset.record)
    else:
        standard_output().print(dataset.id, markup=False)


def upload_file(
    client: Client, file: str, reading: Reading, *, name: str | None = None, quiet: bool = False
) -> Dataset:
    """Upload a file and say what it holds; a file that is none ends the command."""
    from service.cli.output import REFUSED, messages

    try:
        dataset = client.upload(
            Path(file),
            reading.targets,
            name=name,
            inputs=reading.inputs or (),
            inputs_only=reading.inputs_only,
            header=reading.header,
            missing=reading.missing,
            categorical=reading.categorical,
        )
    except (OSError, ValueError) as error:
        messages().print(str(error), style="red", markup=False)
        raise typer.Exit(REFUSED) from None
    if not quiet:
        messages().print(contents(dataset.record), markup=False)
    return dataset


def contents(dataset: dict[str, Any]) -> str:
    """What a data set holds, in a few words."""
    if dataset["kind"] == "weights":
        return f"weights of {dataset['depth']} layers, d = {dataset['state_dim']}"
    dropped = f", {dataset['dropped_rows']} rows with a missing value left out" if dataset.get("dropped_rows") else ""
    return f"{dataset['samples']} samples of {dataset['features']} numbers{dropped}"
