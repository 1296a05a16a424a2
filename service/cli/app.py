"""The commands. What a command needs beyond the standard library and typer it imports when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli import datasets
from service.cli.options import DEFAULT_URL, AsJson, JobId, Url, connected, print_json

app = typer.Typer(
    help="Train residual networks of growing depth and their continuum limit, and measure whether they converge.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; DEEPLIMIT_HOST, 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one; DEEPLIMIT_PORT, 8000.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Jobs and results; DEEPLIMIT_DATA_DIR, deeplimit-data.")] = None,
    workers: Annotated[int | None, typer.Option(help="Workers on this machine; DEEPLIMIT_WORKERS, 1.")] = None,
) -> None:
    """Run the whole service: API, workers, and a Valkey server unless DEEPLIMIT_REDIS_URL names one."""
    from service.runtime import supervisor

    raise typer.Exit(supervisor.serve(_settings(host=host, port=port, data_dir=data_dir, workers=workers)))


@app.command()
def worker() -> None:
    """Run one more worker, here, for the service whose Redis and object store the settings name."""
    from service.runtime import supervisor

    raise typer.Exit(supervisor.serve_worker(_settings()))


@app.command()
def submit(
    spec: Annotated[typer.FileBinaryRead, typer.Argument(metavar="SPEC.json", help='A specification, or "-".')],
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the end, showing progress, and print results.")
    ] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Submit a specification and print the job's id; "-" reads standard input."""
    from service.cli.output import messages, standard_output

    body = spec.read()
    with connected(url) as client:
        job = client.submit(body)
        if wait:
            _wait(client, job["id"], as_json=as_json)
        elif as_json:
            print_json(job)
        else:
            standard_output().print(job["id"])
            messages().print(f"follow it with: deeplimit status {job['id']} --wait", markup=False)


@app.command()
def status(
    job_id: JobId,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end, showing progress.")] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Print how a job stands. Fails if the job failed or was cancelled."""
    from service.cli.output import FAILED, messages, standard_output
    from service.cli.progress import watch
    from service.cli.show import job_lines

    with connected(url) as client:
        job = watch(client, job_id, messages()) if wait else client.job(job_id)
    if as_json:
        print_json(job)
    else:
        for line in job_lines(job):
            standard_output().print(line, markup=False)
    if job["status"] in {"failed", "cancelled"}:
        raise typer.Exit(FAILED)


@app.command()
def results(job_id: JobId, as_json: AsJson = False, url: Url = DEFAULT_URL) -> None:
    """Print what a job that succeeded found: models, convergence and verdict, or an evaluation, or a diagnosis."""
    with connected(url) as client:
        _print_results(client.results(job_id), as_json=as_json)


app.command()(datasets.upload)
app.add_typer(datasets.app, name="datasets")


@app.command()
def demo() -> None:
    """Start a service of its own, train on the breast cancer data, print what converges, and stop it."""
    from service.cli.demo import run

    raise typer.Exit(run())


def _settings(**given: Any) -> Any:
    """Settings from the environment, with what the command line gives instead."""
    from pydantic import ValidationError

    from service.cli.output import REFUSED, messages
    from service.config import PREFIX, Settings

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        for wrong in error.errors():
            name = str(wrong["loc"][0]) if wrong["loc"] else ""
            where = f"--{name.replace('_', '-')}" if given.get(name) is not None else f"{PREFIX}{name.upper()}"
            messages().print(f"{where}: {wrong['msg']}", style="red", markup=False)
        raise typer.Exit(REFUSED) from None


def _wait(client: Any, job_id: str, *, as_json: bool) -> None:
    """Watch a job to its end and print its results; fail if it has none."""
    from service.cli.output import FAILED, messages
    from service.cli.progress import watch
    from service.cli.show import job_lines

    console = messages()
    console.print(f"job {job_id}", markup=False)
    try:
        job = watch(client, job_id, console)
    except KeyboardInterrupt:
        console.print(f"the job goes on without you: deeplimit status {job_id} --wait", markup=False)
        raise typer.Exit(FAILED) from None
    if job["status"] != "succeeded":
        for line in job_lines(job):
            console.print(line, style="red", markup=False)
        raise typer.Exit(FAILED)
    _print_results(client.results(job_id), as_json=as_json)


def _print_results(answer: dict[str, Any], *, as_json: bool) -> None:
    from service.cli.output import standard_output
    from service.cli.show import show_results

    if as_json:
        print_json(answer)
    else:
        show_results(standard_output(), answer)
