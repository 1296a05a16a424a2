"""The service with the training it is for: what is killed in the middle of a fit is replaced, and the fit finished."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.service import Service

pytestmark = pytest.mark.e2e

LONG = {
    "kind": "train",
    "data": {"source": "builtin", "name": "digits"},
    "discrete": {"depths": [8, 16, 32, 64]},
    "training": {"max_iterations": 2000},
}
MEDIUM = {
    "kind": "train",
    "data": {"source": "builtin", "name": "moons"},
    "network": {"state_dim": 4},
    "objective": {"alpha": {"K": 1e-3, "b": 1e-3, "W": 1e-3, "c": 1e-3}},
    "discrete": {"depths": [8, 16, 32, 64]},
}
"""Some seconds on an idle core: long enough to be hit in the middle."""


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    short_leases = {"DEEPLIMIT_LEASE_S": "2", "DEEPLIMIT_RENEW_S": "0.5"}
    running = Service(tmp_path_factory.mktemp("training") / "data", short_leases)
    running.start()
    yield running
    running.stop()


def small(depths: list[int]) -> dict[str, Any]:
    return {
        "kind": "train",
        "data": {"source": "inline", "inputs": [[-1.0], [1.0], [0.5]], "targets": [0, 1, 1], "standardise": False},
        "discrete": {"depths": depths},
    }


def test_a_study_is_trained_and_answered(training: Service) -> None:
    job = training.wait_for(training.submit(small([8, 16])), "succeeded")
    results = training.client.get(job["links"]["results"]).json()
    assert [model["model"] for model in results["models"]] == ["discrete-8", "discrete-16", "continuum"]
    assert {model["status"] for model in results["models"]} == {"converged"}


def test_its_plots_are_drawn_and_sent_in_every_form(training: Service) -> None:
    job = training.wait_for(training.submit(small([8, 16])), "succeeded", within=60)
    listed = training.client.get(job["links"]["plots"]).json()
    assert {plot["name"] for plot in listed["plots"]} >= {"minima", "orders", "parameters", "training", "trajectories"}
    assert listed["withheld"]["decision_boundaries"] == "they are drawn for two inputs, and there are 1"
    minima = listed["plots"][0]
    starts = {
        "image/svg+xml": b"<svg ",
        "application/json": b'{"plot":"minima"',
        "application/vnd.vegalite.v6+json": b'{"$schema":',
        "image/png": b"\x89PNG",
        "application/pdf": b"%PDF-",
    }
    assert minima["forms"] == list(starts)
    for form, start in starts.items():
        answer = training.client.get(minima["href"], headers={"Accept": form})
        assert answer.headers["content-type"].partition(";")[0] == form
        assert answer.content.startswith(start)
    drawn = training.client.get(minima["href"]).text
    assert drawn in training.client.get(job["links"]["report"]).text


def test_a_wanted_gap_is_trained_for(training: Service) -> None:
    body = small([8]) | {"discrete": {"depths": {"gap": 1e-3}}}
    job = training.wait_for(training.submit(body), "succeeded")
    results = training.client.get(job["links"]["results"]).json()
    asked = results["diagnostics"]["depth_advice"][0]
    assert asked["gap"] == 1e-3
    assert asked["check"]["met"]
    assert asked["check"]["gap"] <= 1e-3
    assert f"discrete-{asked['depth']}" in {model["model"] for model in results["models"]}


def test_a_wanted_prediction_error_is_trained_for(training: Service) -> None:
    body = small([8]) | {"discrete": {"depths": {"prediction_error": 5e-5}}}
    dry = training.client.post("/v1/jobs", params={"dry_run": "true"}, json=body).json()["estimate"]
    job = training.wait_for(training.submit(body), "succeeded")
    assert job["spec"]["discrete"] == {"depths": {"prediction_error": 5e-5}}
    results = training.client.get(job["links"]["results"]).json()
    asked = results["diagnostics"]["depth_advice"][0]
    assert (asked["gap"], asked["wanted_prediction_error"]) == (None, 5e-5)
    check = asked["check"]
    assert check["met"]
    assert check["prediction_error"] <= 5e-5
    assert check["depth"] == asked["depth"] <= dry["at_most"]["depth"]
    assert f"discrete-{asked['depth']}" in {model["model"] for model in results["models"]}
    rows = {row["depth"]: row["sup_error"] for row in results["diagnostics"]["predictions"]["depths"]}
    assert rows[asked["depth"]] == check["prediction_error"]
    assert min(rows[8], rows[16], rows[32]) > 5e-5


def test_what_cannot_be_wanted_is_refused(training: Service) -> None:
    for depths, more, pointer in (
        ({"gap": 1e-3, "prediction_error": 1e-3}, {}, "/discrete/depths/prediction_error"),
        ({}, {}, "/discrete/depths/gap"),
        ({"prediction_error": 1e-3}, {"continuum": None}, "/discrete/depths/prediction_error"),
    ):
        answer = training.client.post("/v1/jobs", json=small([8]) | {"discrete": {"depths": depths}} | more)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_running_fit_is_cancelled_within_two_seconds(training: Service) -> None:
    job_id = training.submit(LONG)
    training.wait_running(job_id)
    training.client.post(f"/v1/jobs/{job_id}/cancel")
    training.wait_for(job_id, "cancelled", within=2)


def kill_the_worker(training: Service) -> None:
    trainer = training.pid_of("worker.trainer")
    os.killpg(training.pid_of("-m worker.start"), signal.SIGKILL)
    os.kill(trainer, signal.SIGKILL)


def kill_the_api(training: Service) -> None:
    os.kill(training.pid_of("service.api.server"), signal.SIGKILL)


def kill_valkey(training: Service) -> None:
    os.kill(training.pid_of("valkey-server"), signal.SIGKILL)


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [(kill_the_worker, {2}), (kill_the_api, {1}), (kill_valkey, {1, 2})],
)
def test_a_fit_is_finished_in_spite_of_a_death(
    training: Service, fault: Callable[[Service], None], attempts: set[int]
) -> None:
    running = training.submit(MEDIUM)
    behind = training.submit(small([8]))
    training.wait_running(running)
    fault(training)
    job = training.wait_for(running, "succeeded", within=90)
    assert job["attempt"] in attempts
    models = training.client.get(job["links"]["results"]).json()["models"]
    assert [model["status"] for model in models] == ["converged"] * 5
    assert training.wait_for(behind, "succeeded")["attempt"] == 1
