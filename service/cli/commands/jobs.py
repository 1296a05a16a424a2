"""The commands for jobs. What a command needs beyond the standard library and typer it imports when it runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.commands.upload import Reading, upload_file
from service.cli.digits import Digits, DigitsOption
from service.cli.options import (
    AsJson,
    Categorical,
    Header,
    Inputs,
    JobId,
    MissingValues,
    ReportFile,
    Targets,
    Url,
    Wait,
    connected,
    named,
    print_json,
)

if TYPE_CHECKING:
    from deeplimit.client import Client, Job


def submit(
    spec: Annotated[typer.FileBinaryRead, typer.Argument(metavar="SPEC.json", help='A specification, or "-".')],
    data: Annotated[str | None, typer.Option(metavar="FILE", help="Upload this and train on it.")] = None,
    targets: Targets = None,
    inputs: Inputs = None,
    header: Header = None,
    missing: MissingValues = None,
    categorical: Categorical = None,
    wait: Wait = False,
    report: ReportFile = None,
    digits: DigitsOption = Digits.SHORT,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Submit a specification and print the job's id; "-" reads standard input."""
    body = spec.read()
    with connected(url) as client:
        if data is not None:
            reading = Reading(targets=targets, inputs=inputs, header=header, missing=missing, categorical=categorical)
            body = _with_data(body, upload_file(client, data, reading).reference)
        hand_in(client, body, wait=wait, report=report, digits=digits, as_json=as_json)


def status(
    job_id: JobId,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end, showing progress.")] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Print how a job stands. Fails if the job failed or was cancelled."""
    from service.cli.output import FAILED, messages, standard_output
    from service.cli.progress import watch
    from service.cli.show import job_lines

    with connected(url) as client:
        job = watch(client, job_id, messages()) if wait else client.job(job_id).record
    if as_json:
        print_json(job)
    else:
        for line in job_lines(job):
            standard_output().print(line, markup=False)
    if job["status"] in {"failed", "cancelled"}:
        raise typer.Exit(FAILED)


def list_jobs(
    status: Annotated[str | None, typer.Option(help="Only jobs of this status, running say.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only jobs of this kind: train, evaluate, diagnose.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="As many at most.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Print the jobs, newest first, a line each: id, kind, status, when it was created, name."""
    from itertools import islice

    from service.cli.output import on_one_line, say_left_out, standard_output

    unread: list[int] = []
    with connected(url) as client:
        found = [job.record for job in islice(client.jobs(status=status, kind=kind, left_out=unread.append), limit)]
    say_left_out("job", unread)
    if as_json:
        print_json(found)
        return
    console = standard_output()
    for job in found:
        words = (
            job["id"],
            f"{job['kind']:<8}",
            f"{job['status']:<10}",
            job.get("created_at"),
            on_one_line(job.get("name") or ""),
        )
        console.print("  ".join(filter(None, words)).rstrip(" "), markup=False, soft_wrap=True)


def cancel(job_id: JobId, as_json: AsJson = False, url: Url = None) -> None:
    """Cancel a job that waits, or stop one that runs, and print how it stands."""
    from service.cli.output import standard_output
    from service.cli.show import job_lines

    with connected(url) as client:
        job = named(client, job_id).cancel().record
    if as_json:
        print_json(job)
        return
    for line in job_lines(job):
        standard_output().print(line, markup=False)


def results(job_id: JobId, digits: DigitsOption = Digits.SHORT, as_json: AsJson = False, url: Url = None) -> None:
    """Print what a job that succeeded found: models, convergence and verdict, or an evaluation, or a diagnosis."""
    with connected(url) as client:
        _print_results(named(client, job_id), digits=digits, as_json=as_json)


def hand_in(
    client: Client,
    spec: dict[str, Any] | bytes,
    *,
    wait: bool,
    report: str | None,
    digits: Digits,
    as_json: bool,
) -> None:
    """Submit a specification, and print the job's id, or wait for it and print its results."""
    from service.cli.output import messages, standard_output

    job = client.submit(spec)
    if wait or report is not None:
        _wait(client, job.id)
        if report is not None:  # before anything is printed, which fails where `head` has read enough
            messages().print(f"report: {job.report(report)}", markup=False)
        _print_results(job, digits=digits, as_json=as_json)
    elif as_json:
        print_json(job.record)
    else:
        standard_output().print(job.id, markup=False)
        messages().print(f"follow it with: deeplimit status {job.id} --wait", markup=False)


def _with_data(body: bytes, reference: dict[str, str]) -> bytes:
    """Put an uploaded data set into a specification; how its data are scaled and split stays as it says."""
    from service.cli.output import REFUSED, messages

    try:
        spec = json.loads(body)
    except ValueError as error:
        messages().print(f"the specification is not JSON: {error}", style="red", markup=False)
        raise typer.Exit(REFUSED) from None
    if not isinstance(spec, dict):
        messages().print("the specification is no JSON object", style="red", markup=False)
        raise typer.Exit(REFUSED)
    said = spec.get("data")
    return json.dumps({**spec, "data": {**(said if isinstance(said, dict) else {}), **reference}}).encode()


def _wait(client: Client, job_id: str) -> None:
    """Watch a job to its end; fail if it has no results."""
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


def _print_results(job: Job, *, digits: Digits, as_json: bool) -> None:
    from service.cli.output import standard_output
    from service.cli.show import show_results

    answer = job.results()
    if as_json:
        print_json(answer)
    else:
        show_results(standard_output(digits), answer)
