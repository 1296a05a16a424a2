"""The commands for data sets. What a command needs beyond the standard library and typer it imports when it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.commands.upload import contents
from service.cli.options import AsJson, Url, connected, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable

app = typer.Typer(
    help="List, show and delete uploaded data sets.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

DatasetId = Annotated[str, typer.Argument(metavar="ID", help="Identifier of a data set.")]


@app.command("list")
def list_datasets(as_json: AsJson = False, url: Url = None) -> None:
    """Print the data sets, newest first, a line each: id, what it holds, name."""
    from service.cli.output import on_one_line, say_left_out

    unread: list[int] = []
    with connected(url) as client:
        datasets = [dataset.record for dataset in client.datasets(left_out=unread.append)]
    say_left_out("data set", unread)
    if as_json:
        print_json(datasets)
    else:
        _print("  ".join(filter(None, (one["id"], contents(one), on_one_line(one["name"] or "")))) for one in datasets)


@app.command("show")
def show_dataset(dataset_id: DatasetId, as_json: AsJson = False, url: Url = None) -> None:
    """Print what is known of a data set, and its columns as a table."""
    from service.cli.dataset_tables import show_preview
    from service.cli.output import standard_output

    with connected(url) as client:
        dataset = client.dataset(dataset_id).record
        if as_json:
            print_json(dataset)
            return
        _print(_lines(dataset))
        if dataset["kind"] == "samples":
            show_preview(standard_output(), client.preview(dataset_id), rows=False)


@app.command("preview")
def preview_dataset(dataset_id: DatasetId, as_json: AsJson = False, url: Url = None) -> None:
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
    url: Url = None,
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


def _lines(dataset: dict[str, Any]) -> list[str]:
    from service.cli.output import on_one_line

    name = f" ({on_one_line(dataset['name'])})" if dataset["name"] else ""
    lines = [f"data set {dataset['id']}{name}: {contents(dataset)}"]
    if targets := dataset.get("targets"):
        counts, names = targets["class_counts"], targets["class_names"]
        if targets["kind"] == "classes" and counts:
            labels = names or [str(place) for place in range(len(counts))]
            there = [f"{label} ({count})" for label, count in zip(labels, counts, strict=True) if count]
            lines.append(f"targets: {len(there)} classes: {', '.join(there)}")
        else:
            lines.append(f"targets: {targets['outputs']} numbers of each sample")
    elif dataset["kind"] == "samples":
        lines.append("targets: none")
    if dataset.get("columns"):
        lines.append(f"inputs: {', '.join(map(on_one_line, dataset['columns']))}")
    if dataset.get("target_columns"):
        lines.append(f"target columns: {', '.join(map(on_one_line, dataset['target_columns']))}")
    return [*lines, f"uploaded {dataset['created_at']} as {dataset['format']}, {dataset['uploaded_bytes']} bytes"]
