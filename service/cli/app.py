"""The program: its commands, and those that run the service. What a command needs it imports when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.commands import datasets, files, jobs, studies, upload

app = typer.Typer(
    help="Train residual networks of growing depth and their continuum limit, and measure whether they converge.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"deeplimit {version('deeplimit')}")
        raise typer.Exit


@app.callback()
def program(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Train residual networks of growing depth and their continuum limit, and measure whether they converge."""


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
def rebuild(
    data_dir: Annotated[Path | None, typer.Option(help="Jobs and results; DEEPLIMIT_DATA_DIR, deeplimit-data.")] = None,
) -> None:
    """Bring back what a lost or damaged job store knew of jobs that have ended and of data sets, from the objects."""
    from service.cli.rebuild import run

    raise typer.Exit(run(_settings(data_dir=data_dir)))


@app.command()
def worker() -> None:
    """Run one more worker, here, for the service whose Redis and object store the settings name."""
    from service.runtime import supervisor

    raise typer.Exit(supervisor.serve_worker(_settings()))


app.command()(studies.train)
app.command()(jobs.submit)
app.command()(jobs.status)
app.command("list")(jobs.list_jobs)
app.command()(jobs.cancel)
app.command()(jobs.results)
app.command()(studies.evaluate)
app.command()(files.report)
app.command()(files.export)
app.command()(files.plots)
app.command()(upload.upload)
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
