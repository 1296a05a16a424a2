"""The commands that write files: report, export, plots."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.options import AsJson, JobId, Url, connected, named, print_json

Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="File or folder to write to; unless said, a file here.")
]


def report(job_id: JobId, output: Output = None, url: Url = None) -> None:
    """Write the report of a finished job, one HTML file, and print where it is."""
    with connected(url) as client:
        _print(named(client, job_id).report(output))


def export(
    job_id: JobId,
    model: Annotated[
        str | None, typer.Option(help="discrete-64, or continuum; unless said, the service chooses.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="zip|onnx", help="With code, card and report; or the graph alone.")
    ] = "zip",
    steps: Annotated[
        int | None, typer.Option(help="Of the continuum in ONNX; unless said, those that resolve it.")
    ] = None,
    output: Output = None,
    url: Url = None,
) -> None:
    """Write one trained model with what is needed to use it elsewhere, and print where it is."""
    with connected(url) as client:
        _print(named(client, job_id).export(output, model=model, format=form, steps=steps))


def plots(
    job_id: JobId,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder to write the plots to.")] = None,
    form: Annotated[str, typer.Option(metavar="svg|png|pdf|json|vega", help="How they are written.")] = "svg",
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List the plots of a finished job, and write them to a folder."""
    from service.cli.output import messages, standard_output

    with connected(url) as client:
        job = named(client, job_id)
        index = job.plots()
        if as_json:
            print_json(index)
        for plot in index["plots"]:
            if output is not None:
                output.mkdir(parents=True, exist_ok=True)
                place = output / f"{plot['name']}.{form}"
                place.write_bytes(job.plot(plot["name"], form))
                _print(place)
            elif not as_json:
                standard_output().print(f"{plot['name']}: {plot['title']}", markup=False)
    for name, reason in (index.get("withheld") or {}).items():
        messages().print(f"{name}: not drawn: {reason}", markup=False)


def _print(place: Path) -> None:
    from service.cli.output import standard_output

    standard_output().print(str(place), markup=False)
