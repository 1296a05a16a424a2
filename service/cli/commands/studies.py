"""The commands that write a specification from options: train and evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.commands.jobs import hand_in
from service.cli.commands.upload import Reading, upload_file
from service.cli.digits import Digits, DigitsOption
from service.cli.options import (
    AsJson,
    Categorical,
    Header,
    Inputs,
    JobId,
    MissingValues,
    Name,
    ReportFile,
    Targets,
    Url,
    Wait,
    connected,
)

if TYPE_CHECKING:
    from deeplimit.client import Client

ENDINGS = (".csv", ".npz", ".parquet", ".safetensors")


def train(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A file to upload, or the id of a data set.")],
    targets: Targets = None,
    inputs: Inputs = None,
    header: Header = None,
    missing: MissingValues = None,
    categorical: Categorical = None,
    depths: Annotated[str, typer.Option(metavar="N,N,…", help="Depths to train.")] = "8,16,32,64",
    gap: Annotated[
        float | None, typer.Option(help="Seek the depth whose minimum is this close to the limit's, instead.")
    ] = None,
    validation: Annotated[float, typer.Option(metavar="PART", help="Part of the samples that is held out.")] = 0.2,
    name: Name = None,
    wait: Wait = False,
    report: ReportFile = None,
    digits: DigitsOption = Digits.SHORT,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Train on a table, at growing depths and in the limit: which depth does it need? Defaults do for the rest."""
    wanted = {"gap": gap} if gap is not None else _numbers(depths, "--depths")
    reading = Reading(targets=targets, inputs=inputs, header=header, missing=missing, categorical=categorical)
    with connected(url) as client:
        spec = {
            "kind": "train",
            "name": name if name is not None or not _is_file(data) else Path(data).name,
            "data": {**_reference(client, data, reading), "validation_fraction": validation},
            "discrete": {"depths": wanted},
        }
        hand_in(client, spec, wait=wait, report=report, digits=digits, as_json=as_json)


def evaluate(
    job_id: JobId,
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="A file to upload, or the id of a data set; the job's own.")
    ] = None,
    targets: Targets = None,
    inputs: Inputs = None,
    inputs_only: Annotated[bool, typer.Option("--inputs-only", help="There are no targets.")] = False,
    header: Header = None,
    missing: MissingValues = None,
    categorical: Categorical = None,
    model: Annotated[list[str] | None, typer.Option(help="Trained model, discrete-64 say; repeat.")] = None,
    depth: Annotated[list[int] | None, typer.Option(help="Depth at which the limit is sampled; repeat.")] = None,
    output: Annotated[
        list[str] | None, typer.Option(help="predictions, metrics, states, solvers, robustness; repeat.")
    ] = None,
    name: Name = None,
    wait: Wait = False,
    report: ReportFile = None,
    digits: DigitsOption = Digits.SHORT,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Evaluate the models of a train job, on other data, at other depths, by other solvers."""
    reading = Reading(targets, inputs, inputs_only, header, missing, categorical)
    with connected(url) as client:
        said = {"models": model, "depths": depth, "outputs": output, "name": name}
        spec: dict[str, Any] = {"kind": "evaluate", "job_id": job_id} | {
            key: value for key, value in said.items() if value
        }
        if data is not None:
            spec["data"] = _reference(client, data, reading)
        hand_in(client, spec, wait=wait, report=report, digits=digits, as_json=as_json)


def _is_file(data: str) -> bool:
    """Tell a file from an id, which has no ending."""
    return data.lower().endswith(ENDINGS) or Path(data).exists()


def _reference(client: Client, data: str, reading: Reading) -> dict[str, str]:
    """Return how a specification names the data set, uploaded first where it is a file."""
    from service.cli.output import REFUSED, messages

    if _is_file(data):
        return upload_file(client, data, reading).reference
    if reading != Reading():
        messages().print(f"{data} is no file: it has been read already, as it was uploaded", style="red", markup=False)
        raise typer.Exit(REFUSED)
    return {"source": "dataset", "id": data}


def _numbers(text: str, option: str) -> list[int]:
    from service.cli.output import REFUSED, messages

    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        messages().print(f"{option}: whole numbers with commas between them", style="red", markup=False)
        raise typer.Exit(REFUSED) from None
