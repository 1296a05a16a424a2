"""The commands for data sets. What a command needs beyond the standard library and typer it imports when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from service.cli.options import DEFAULT_URL, AsJson, Url, connected, print_json
from service.contract.data.reading import Categorical, HeaderRow, Missing
from service.contract.values import media_types

if TYPE_CHECKING:
    from collections.abc import Iterable

app = typer.Typer(
    help="List, show and delete uploaded data sets.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

MEDIA_TYPES: Final = {
    ".csv": media_types.CSV,
    ".npz": media_types.NPZ,
    ".parquet": media_types.PARQUET,
    ".safetensors": media_types.SAFETENSORS,
}
"""Media types of the files that can be uploaded, by their ending."""

DatasetId = Annotated[str, typer.Argument(metavar="ID", help="Identifier of a data set.")]


def upload(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, NPZ, Parquet or safetensors, by its ending.")],
    target: Annotated[list[str] | None, typer.Option("--target", help="Column or array of targets; repeat.")] = None,
    inputs: Annotated[list[str] | None, typer.Option("--input", help="Column or array of inputs; repeat.")] = None,
    inputs_only: Annotated[bool, typer.Option("--inputs-only", help="There are no targets.")] = False,
    header: Annotated[
        HeaderRow | None, typer.Option(help="Whether the first row of a CSV names its columns; unless said, decided.")
    ] = None,
    missing: Annotated[
        Missing | None, typer.Option(help="Rows with a missing value; unless said, the file is refused.")
    ] = None,
    categorical: Annotated[
        Categorical | None, typer.Option(help="Columns of text among the inputs; unless said, the file is refused.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="For people.")] = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Upload a data set, or the weights K and b of a network, and print its id; its columns as a message."""
    from service.cli.dataset_tables import show_preview
    from service.cli.output import REFUSED, messages, standard_output

    media_type = MEDIA_TYPES.get(file.suffix.lower())
    if media_type is None or not file.is_file():
        messages().print(f"{file}: not a file that ends in {', '.join(MEDIA_TYPES)}", style="red", markup=False)
        raise typer.Exit(REFUSED)
    with connected(url) as client:
        dataset = client.upload(
            file.read_bytes(),
            media_type,
            name=name,
            targets=target or (),
            inputs=inputs or (),
            inputs_only=inputs_only,
            header=header,
            missing=missing,
            categorical=categorical,
        )
        if as_json:
            print_json(dataset)
            return
        standard_output().print(dataset["id"])
        messages().print(_contents(dataset), markup=False)
        if dataset["kind"] == "samples":
            show_preview(standard_output(stderr=True), client.preview(dataset["id"]), rows=False)


@app.command("list")
def list_datasets(as_json: AsJson = False, url: Url = DEFAULT_URL) -> None:
    """Print the data sets, newest first, a line each: id, what it holds, name."""
    with connected(url) as client:
        datasets = list(client.datasets())
    if as_json:
        print_json(datasets)
    else:
        _print("  ".join(filter(None, (one["id"], _contents(one), one["name"]))) for one in datasets)


@app.command("show")
def show_dataset(dataset_id: DatasetId, as_json: AsJson = False, url: Url = DEFAULT_URL) -> None:
    """Print what is known of a data set, and its columns as a table."""
    from service.cli.dataset_tables import show_preview
    from service.cli.output import standard_output

    with connected(url) as client:
        dataset = client.dataset(dataset_id)
        if as_json:
            print_json(dataset)
            return
        _print(_lines(dataset))
        if dataset["kind"] == "samples":
            show_preview(standard_output(), client.preview(dataset_id), rows=False)


@app.command("preview")
def preview_dataset(dataset_id: DatasetId, as_json: AsJson = False, url: Url = DEFAULT_URL) -> None:
    """Print the columns of a data set, and its first rows."""
    from service.cli.dataset_tables import show_preview
    from service.cli.output import standard_output

    with connected(url) as client:
        preview = client.preview(dataset_id)
    if as_json:
        print_json(preview)
    else:
        show_preview(standard_output(), preview, rows=True)


@app.command("delete")
def delete_datasets(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Identifiers of data sets.")],
    url: Url = DEFAULT_URL,
) -> None:
    """Delete data sets. Jobs that were given them keep their own copies."""
    from service.cli.output import messages

    with connected(url) as client:
        for dataset_id in ids:
            client.delete_dataset(dataset_id)
            messages().print(f"deleted {dataset_id}", markup=False)


def _print(lines: Iterable[str]) -> None:
    from service.cli.output import standard_output

    console = standard_output()
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _contents(dataset: dict[str, Any]) -> str:
    from service.cli.output import plain

    if dataset["kind"] == "weights":
        return f"weights of {dataset['depth']} layers, d = {dataset['state_dim']}"
    told = [f"{dataset['samples']} samples of {dataset['features']} numbers"]
    if rows := dataset.get("dropped_rows"):
        told.append(f"{rows} row{'' if rows == 1 else 's'} with a missing value left out")
    if columns := dataset.get("dropped_columns"):
        told.append(f"column{'' if len(columns) == 1 else 's'} left out: {', '.join(map(plain, columns))}")
    return ", ".join(told)


def _lines(dataset: dict[str, Any]) -> list[str]:
    from service.cli.output import plain

    name = f" ({dataset['name']})" if dataset["name"] else ""
    lines = [f"data set {dataset['id']}{name}: {_contents(dataset)}"]
    if targets := dataset.get("targets"):
        counts, names = targets["class_counts"], targets["class_names"]
        if targets["kind"] == "classes" and counts:
            labels = names or [str(place) for place in range(len(counts))]
            there = [f"{plain(label)} ({count})" for label, count in zip(labels, counts, strict=True) if count]
            lines.append(f"targets: {len(there)} classes: {', '.join(there)}")
        else:
            lines.append(f"targets: {targets['outputs']} numbers of each sample")
    elif dataset["kind"] == "samples":
        lines.append("targets: none")
    if dataset.get("columns"):
        lines.append(f"inputs: {', '.join(map(plain, dataset['columns']))}")
    if dataset.get("target_columns"):
        lines.append(f"target columns: {', '.join(map(plain, dataset['target_columns']))}")
    return [*lines, f"uploaded {dataset['created_at']} as {dataset['format']}, {dataset['uploaded_bytes']} bytes"]
