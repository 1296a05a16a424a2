"""Uploading a file, as a command of its own and for the commands that train and evaluate on one."""

from __future__ import annotations

from contextlib import suppress
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
    from service.contract.data import reading


@dataclass(frozen=True)
class Reading:
    """How a file is to be read."""

    targets: list[str] | None = None
    inputs: list[str] | None = None
    inputs_only: bool = False
    header: reading.HeaderRow | None = None
    missing: reading.Missing | None = None
    categorical: reading.Categorical | None = None


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
    """Upload a data set, or the weights K and b of a network, and print its id; its columns as a message."""
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
    from deeplimit.client import ServiceError
    from service.cli.dataset_tables import show_preview
    from service.cli.output import REFUSED, messages, standard_output

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
        if dataset["kind"] == "samples":
            with suppress(ServiceError):  # it is uploaded, whether or not it can be looked at
                show_preview(standard_output(stderr=True), client.preview(dataset.id), rows=False)
    return dataset


def contents(dataset: dict[str, Any]) -> str:
    """What a data set holds, in a few words."""
    if dataset["kind"] == "weights":
        return f"weights of {dataset['depth']} layers, d = {dataset['state_dim']}"
    told = [f"{dataset['samples']} samples of {dataset['features']} numbers"]
    if rows := dataset.get("dropped_rows"):
        told.append(f"{rows} row{'' if rows == 1 else 's'} with a missing value left out")
    if columns := dataset.get("dropped_columns"):
        told.append(f"column{'' if len(columns) == 1 else 's'} left out: {', '.join(columns)}")
    return ", ".join(told)
