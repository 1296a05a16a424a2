"""Jobs in a real MLflow store on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deeplimit.client import Client, Job
from deeplimit.tracking import log_to_mlflow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.http.scripted import ScriptedServer
    from tests.support.service import Service

mlflow: Any = pytest.importorskip("mlflow", reason="mlflow is missing: the extra mlflow")
pytestmark = pytest.mark.e2e

STUDY = {
    "kind": "train",
    "name": "tracked",
    "data": {"source": "builtin", "name": "moons", "samples": 24, "validation_fraction": 0.25},
    "discrete": {"depths": [2, 4]},
    "training": {"starts": 1, "max_iterations": 50},
}


@pytest.fixture(scope="module")
def job(trainer: Service) -> Iterator[Job]:
    """A study of a service that trains."""
    with Client(f"http://127.0.0.1:{trainer.port}") as client:
        yield client.submit(STUDY)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store; MLflow's own messages to its makers are off."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    mlflow.set_tracking_uri(f"file://{tmp_path / 'store'}")
    return tmp_path


def test_a_study_is_logged_whole(job: Job, store: Path) -> None:
    run_id = log_to_mlflow(job)
    client, results = mlflow.MlflowClient(), job.results()
    run = client.get_run(run_id)
    assert mlflow.active_run() is None
    assert run.info.run_name == "tracked"
    assert run.info.status == "FINISHED"
    assert run.data.params["network.activation"] == "tanh"
    assert run.data.params["discrete.depths"] == "[2, 4]"
    assert run.data.params["training.gradient_tolerance"] == "1e-07"
    for part, name in ((None, "objective"), ("train", "accuracy"), ("validation", "terminal_loss")):
        logged = client.get_metric_history(run_id, name if part is None else f"{part}.{name}")
        by_depth = {metric.step: metric.value for metric in logged}
        networks = results["models"][:2]
        assert by_depth == {model["depth"]: (model if part is None else model[part])[name] for model in networks}
    assert run.data.metrics["continuum.objective"] == results["models"][2]["objective"]
    history = client.get_metric_history(run_id, "history/discrete-2/objective")
    expected = job.losses()["discrete-2"]["objective"]
    assert [metric.value for metric in sorted(history, key=lambda metric: metric.step)] == expected.tolist()
    words = {True: "true", False: "false", None: "undecided"}
    assert run.data.tags["deeplimit.converges"] == words[results.converges]
    assert run.data.tags["deeplimit.job_id"] == job.id
    assert run.data.tags["deeplimit.summary"]
    folder = store / "fetched"
    client.download_artifacts(run_id, "", str(folder.parent))
    assert json.loads((folder.parent / "specification.json").read_text()) == job["spec"]
    assert json.loads((folder.parent / "results.json").read_text())["job_id"] == job.id
    with np.load(folder.parent / "parameters" / "discrete-4.npz") as fitted:
        assert np.array_equal(fitted["K"], job.parameters("discrete-4")["K"])


def test_numbers_that_are_not_finite_and_names_that_mlflow_refuses(server: ScriptedServer, store: Path) -> None:
    metadata = {"a=b (µ)": "first", "a(b [µ]": "second", "a//../b": "path", "µ" * 500: "long", "ν" * 500: "cut"}
    metadata |= {"µ" * 499 + "x": "cut alike"}
    done = {"id": "a", "name": "odd", "kind": "train", "status": "succeeded", "done": True, "revision": 3}
    model = {"model": "discrete-8", "depth": 8, "objective": "Infinity", "iterations": 4, "validation": None}
    model |= {"train": {"accuracy": "NaN", "terminal_loss": 0.5}}
    server.say(200, done | {"spec": {"kind": "train", "metadata": metadata}, "links": {}})
    server.say(200, server.answers[0].body)
    server.say(200, {"models": [model], "diagnostics": {"minima": {"depths": [{"depth": 8, "gap": "NaN"}]}}})
    server.say(200, {"models": [{"model": "discrete-8", "objective": [1.0, "NaN"]}]})
    with Client(server.url) as client:
        run = mlflow.MlflowClient().get_run(log_to_mlflow(client.job("a"), files=False))
    assert run.data.metrics == {"iterations": 4, "train.terminal_loss": 0.5, "history/discrete-8/objective": 1}
    assert {name: text for name, text in run.data.params.items() if len(name) < 50} == {
        "kind": "train",
        "metadata.a_b _µ_": "first",
        "metadata.a_b _µ__2": "second",
        "metadata.a__.._b": "path",
    }
    assert sorted(run.data.params.values()) == sorted(["train", *metadata.values()])
    assert store.exists()


def test_a_run_that_is_open_is_logged_into_and_left_open(job: Job, store: Path) -> None:
    with mlflow.start_run() as run:
        assert log_to_mlflow(job, files=False) == run.info.run_id
        assert mlflow.active_run().info.run_id == run.info.run_id
    assert mlflow.MlflowClient().list_artifacts(run.info.run_id) == []
    assert store.exists()
