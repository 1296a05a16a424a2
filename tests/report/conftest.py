"""One real job of each kind, run once, with what its report is made of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from service.artifacts import ArtifactStore
from service.contract.kinds import parse
from service.contract.names import RESULTS, network_key
from service.report.render import Source
from tests.support.taken_away.exported import JOB, Exported
from worker.execution import execute
from worker.execution.arrays import write_arrays
from worker.executor import JobInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.contract.job import ArtifactRef

HOSTILE = "<script>alert(1)</script>\u202e\u0007<img src=x onerror=alert(1)>"


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported.train(
        ArtifactStore(tmp_path_factory.mktemp("study")),
        data={"source": "builtin", "name": "moons", "samples": 60, "validation_fraction": 0.2},
        discrete={"depths": [8, 16, 32]},
        continuum={"tolerance": 1e-7},
        training={"starts": 1},
        plots=True,
    )


def altered(source: Source, *, name: str | None = None, spec: Any = None, results: Any = None) -> Source:
    """The same job with another name, specification or results."""
    record = source.record.model_copy(update={"name": name, "spec": spec or source.record.spec})
    return Source(record, json.dumps(results).encode() if results else source.results, source.plots, source.drawing)


@pytest.fixture(scope="session")
def sources(study: Exported, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Source]:
    """A study with the plots that the worker drew, an evaluation and a diagnosis."""
    found = {"train": study.source}
    evaluation = study.trained.evaluation(
        models=["discrete-8", "continuum"],
        depths=[64],
        outputs=["metrics", "predictions", "solvers", "robustness"],
        noise={"levels": [0.1], "repeats": 2},
    )
    diagnosis = _diagnosis(ArtifactStore(tmp_path_factory.mktemp("diagnosis")))
    for job in (evaluation, diagnosis):
        outcome = execute(job, lambda _: None, lambda: False)
        record = study.record.model_copy(update={"kind": job.spec["kind"], "spec": dict(job.spec)})
        found[job.spec["kind"]] = Source(record, job.artifacts.get(outcome.artifacts[RESULTS]))
    return found


def _diagnosis(store: ArtifactStore) -> JobInput:
    given: dict[str, ArtifactRef] = {}
    networks = []
    for index, depth in enumerate((8, 16, 32)):
        t = np.arange(depth) / depth
        arrays = {"K": np.cos(t)[:, None, None] * np.ones((2, 2)), "b": np.sin(t)[:, None] * np.ones(2)}
        writer = JobInput(JOB, index, {}, store)
        given[network_key(index)], _ = write_arrays(writer, network_key(index), arrays, {})
        networks.append({"depth": depth, "dataset_id": "0" * 64, "state_dim": 2})
    spec = parse({"kind": "diagnose", "networks": [{"dataset_id": n["dataset_id"]} for n in networks]})
    resolved = spec.model_dump(mode="json") | {"networks": networks}
    return JobInput(JOB, 9, resolved, store, given)
