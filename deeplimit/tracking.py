"""A job in MLflow: specification as parameters, numbers as metrics, verdict as tags, files as artifacts."""

from __future__ import annotations

import contextlib
import json
import math
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from deeplimit.client import Job

_LONGEST_PARAMETER: Final = 500
"""Characters; what is longer is in specification.json alone."""
_LONGEST_NAME: Final = 250
"""Bytes of a parameter's name: MLflow takes as many characters, and stores on disk make a file of it."""
_REFUSED: Final = re.compile(r"[^\w.\- ]")
"""Characters that some MLflow refuses in the name of a parameter; a slash makes a path, which not every name may be."""
_MOST_PARAMETERS: Final = 100
_MOST_METRICS: Final = 1000
"""Entries of one request that every MLflow server takes."""
_WORDS: Final = {True: "true", False: "false", None: "undecided"}


def log_to_mlflow(job: Job, *, files: bool = True) -> str:
    """Log a finished job to MLflow, into the active run or else one of its own, named after the job.

    ======================================== ===========================================================================
    parameters                               the resolved specification, flat: ``network.activation``, ``data.samples``
    metrics, step = depth                    ``objective``, ``gap``, ``train.accuracy``, ``validation.r2`` …
    metrics                                  the same of the limit, ``continuum.objective`` …
    metrics, step = iteration                ``history/discrete-8/objective``, ``…/gradient_norm`` …
    tags                                     ``deeplimit.converges`` (true, false, undecided), ``deeplimit.summary``,
                                             ``deeplimit.depth``, ``deeplimit.confidence``, ``deeplimit.job_id``
    artifacts                                ``specification.json``, ``results.json``, ``report.html``,
                                             ``plots/*.svg``, ``parameters/*.npz``
    ======================================== ===========================================================================

    Parameters
    ----------
    job
        A job that succeeded. One that is not done is waited for.
    files
        Whether artifacts are logged.

    Returns
    -------
    str
        Id of the run.

    Raises
    ------
    ModuleNotFoundError
        If MLflow is not installed.
    JobFailed
        If the job failed or was cancelled.
    """
    try:
        import mlflow  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "log_to_mlflow needs MLflow: pip install 'deeplimit[mlflow]'", name=missing.name
        ) from missing
    job.wait(progress=False)
    results, spec = job.results(), dict(job["spec"])
    active = mlflow.active_run()
    opened = contextlib.nullcontext(active) if active else mlflow.start_run(run_name=job.name or f"deeplimit {job.id}")
    with opened as run:
        run_id: str = run.info.run_id
        client, now = mlflow.MlflowClient(), int(time.time() * 1000)
        parameters = [mlflow.entities.Param(name, value) for name, value in _named(_flat(spec))]
        metrics = [mlflow.entities.Metric(name, value, now, step) for name, value, step in _metrics(job, results)]
        for start in range(0, len(parameters), _MOST_PARAMETERS):
            client.log_batch(run_id, params=parameters[start : start + _MOST_PARAMETERS])
        for start in range(0, len(metrics), _MOST_METRICS):
            client.log_batch(run_id, metrics=metrics[start : start + _MOST_METRICS])
        for name, text in _tags(job, results).items():
            client.set_tag(run_id, name, text)
        if files:
            with tempfile.TemporaryDirectory() as folder:
                _write_files(job, spec, results, Path(folder))
                client.log_artifacts(run_id, folder)
    return run_id


def _flat(part: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield the specification's fields as dotted names and texts, without what is not set or too long to read."""
    for name, value in part.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif value is not None:
            text = value if isinstance(value, str) else json.dumps(value)
            if text and len(text) <= _LONGEST_PARAMETER:
                yield before + name, text


def _named(fields: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield fields under names that MLflow takes, each of its own: keys of metadata are any texts."""
    taken: set[str] = set()
    for name, text in fields:
        allowed = _cut(_REFUSED.sub("_", name), _LONGEST_NAME)
        own, number = allowed, 1
        while own in taken:
            number += 1
            own = _cut(allowed, _LONGEST_NAME - len(f"_{number}")) + f"_{number}"
        taken.add(own)
        yield own, text


def _cut(text: str, size: int) -> str:
    """Return as much of a text as fits into so many bytes."""
    return text.encode()[:size].decode(errors="ignore")


def _metrics(job: Job, results: Mapping[str, Any]) -> Iterator[tuple[str, float, int]]:
    """Yield name, value and step of every number that is known."""
    if job["kind"] != "train":
        return
    minima = (results["diagnostics"].get("minima") or {}).get("depths") or ()
    gaps = {row["depth"]: row.get("gap") for row in minima}
    for model in results["models"]:
        depth = model.get("depth")
        before, step = ("continuum.", 0) if depth is None else ("", depth)
        numbers = {"objective": model["objective"], "gap": gaps.get(depth), "iterations": model["iterations"]}
        for part in ("train", "validation"):
            numbers |= {f"{part}.{name}": value for name, value in (model[part] or {}).items() if name != "withheld"}
        yield from ((before + name, float(value), step) for name, value in numbers.items() if _known(value))
    for model_name, histories in job.losses().items():
        for name, values in histories.items():
            yield from (
                (f"history/{model_name}/{name}", float(value), step)
                for step, value in enumerate(values)
                if _known(value)
            )


def _known(value: Any) -> bool:
    """Whether there is a number, and a finite one: others come as texts, ``Infinity`` or ``NaN``."""
    return value is not None and math.isfinite(float(value))


def _tags(job: Job, results: Mapping[str, Any]) -> dict[str, str]:
    tags = {"deeplimit.job_id": job.id, "deeplimit.kind": job["kind"]}
    verdict = (results.get("diagnostics") or {}).get("verdict")
    if verdict:
        answer = verdict.get("answer") or {}
        tags |= {
            "deeplimit.converges": _WORDS[verdict["converges"]],
            "deeplimit.summary": verdict.get("summary") or verdict["statements"][0],
        }
        tags |= {f"deeplimit.{name}": str(answer[name]) for name in ("depth", "confidence") if answer.get(name)}
    return tags


def _write_files(job: Job, spec: Mapping[str, Any], results: Mapping[str, Any], folder: Path) -> None:
    """Write what the job has, as files to be logged; what an older service does not offer is left out."""
    (folder / "specification.json").write_text(json.dumps(spec, indent=1))
    (folder / "results.json").write_text(json.dumps(results, indent=1))
    links = job["links"]
    if "report" in links:
        job.report(folder / "report.html")
    if "plots" in links:
        (folder / "plots").mkdir()
        for plot in job.plots()["plots"]:
            (folder / "plots" / f"{plot['name']}.svg").write_bytes(job.plot(plot["name"]))
    models: Sequence[Mapping[str, Any]] = results.get("models") or ()
    trained = [model["model"] for model in models if model.get("parameters")]
    if trained:
        (folder / "parameters").mkdir()
    for name in trained:
        np.savez(folder / "parameters" / f"{name}.npz", allow_pickle=False, **job.parameters(name))
