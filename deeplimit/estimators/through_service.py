"""Training through a service: the study is a job, and what it fitted is fetched to predict here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from deeplimit.client import Client
from deeplimit.estimators.network import FittedNetwork, Scaling
from deeplimit.estimators.specification import inline, specification
from deeplimit.estimators.study import Study, rows_of
from deeplimit.estimators.task import Task
from deeplimit.estimators.trained import Trained

MOST_INLINE: Final = 200_000
"""Numbers that go into the specification itself; more are uploaded as a data set."""


class ServiceTrainer:
    """Submits a study, waits for it, and fetches what it found: a `Trainer`."""

    def __init__(self, service: str | Client) -> None:
        self._client = Client(service) if isinstance(service, str) else service

    def __call__(self, task: Task, depths: Sequence[int]) -> Trained:
        """Train; what is fetched later, a network by its depth, comes from the finished job."""
        job = self._client.submit(specification(task, depths, self._data(task)))
        job.wait(progress=False)
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

    def _data(self, task: Task) -> dict[str, Any]:
        """Return the samples as a specification names them."""
        if task.inputs.size + task.targets.size <= MOST_INLINE:
            return inline(task)
        dataset = self._client.upload({"inputs": task.inputs, "targets": task.targets}, name=task.name)
        return {"source": "dataset", "id": dataset.id}


def network_of(activation: str, arrays: Mapping[str, Any]) -> FittedNetwork:
    """Return a network from the arrays of its parameters file, whose ``deeplimit`` is JSON that has the scaling."""
    scaling = json.loads(str(arrays["deeplimit"]))["standardisation"]
    parameters = {name: np.asarray(arrays[name], np.float64) for name in ("K", "b", "W", "c")}
    return FittedNetwork(activation, Scaling.of(scaling), **parameters)
