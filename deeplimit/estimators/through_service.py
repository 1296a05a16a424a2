"""Training through a service: the study is a job, and what it fitted is fetched to predict here."""

from __future__ import annotations

import json
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deeplimit.client import Client
from deeplimit.estimators.network import FittedNetwork, Scaling
from deeplimit.estimators.specification import inline, specification
from deeplimit.estimators.study import Study, rows_of
from deeplimit.estimators.trained import Trained, Trainer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from deeplimit.estimators.task import Task

MOST_INLINE: Final = 200_000
"""Numbers that go into the specification itself; more are uploaded as a data set."""


@contextmanager
def trainer_of(service: str | Client) -> Iterator[Trainer]:
    """Give a trainer that submits a study, waits for it, and fetches the networks that are asked for.

    A client that is given stays open; one of a URL is closed at the end.
    """
    with Client(service) if isinstance(service, str) else nullcontext(service) as client:
        yield partial(_train, client)


def _train(client: Client, task: Task, depths: Sequence[int]) -> Trained:
    job = client.submit(specification(task, depths, _data(client, task))).wait(progress=False)
    results = job.results()
    networks, limit = rows_of(results["models"])
    verdict = results["diagnostics"]["verdict"]
    study = Study(
        networks,
        limit,
        verdict["converges"],
        verdict.get("summary") or verdict["statements"][0],
        tuple(verdict["statements"]),
        job_id=job.id,
    )

    def network(depth: int) -> FittedNetwork:
        return network_of(task.settings.activation, job.parameters(f"discrete-{depth}"))

    return Trained(study, network)


def _data(client: Client, task: Task) -> dict[str, Any]:
    """Return the samples as a specification names them."""
    if task.inputs.size + task.targets.size <= MOST_INLINE:
        return inline(task)
    return dict(client.upload(task.inputs, task.targets, name=task.name).reference)


def network_of(activation: str, arrays: Mapping[str, Any]) -> FittedNetwork:
    """Return a network from the arrays of its parameters file, whose ``deeplimit`` is JSON that has the scaling."""
    scaling = json.loads(str(arrays["deeplimit"]))["standardisation"]
    parameters = {name: np.asarray(arrays[name], np.float64) for name in ("K", "b", "W", "c")}
    return FittedNetwork(activation, Scaling.of(scaling), **parameters)
