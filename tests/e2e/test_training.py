"""The service with the training it is for."""

import os
import signal
from collections.abc import Iterator
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


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("training") / "data")
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


def test_a_running_fit_is_cancelled_within_two_seconds(training: Service) -> None:
    job_id = training.submit(LONG)
    training.wait_running(job_id)
    training.client.post(f"/v1/jobs/{job_id}/cancel")
    training.wait_for(job_id, "cancelled", within=2)


def test_a_fit_whose_trainer_is_killed_is_done_by_another_attempt(training: Service) -> None:
    running = training.submit(LONG)
    training.wait_running(running)
    behind = training.submit(small([8]))
    os.kill(training.pid_of("worker.trainer"), signal.SIGKILL)
    training.wait_running(running, attempt=2)
    training.client.post(f"/v1/jobs/{running}/cancel")
    training.wait_for(running, "cancelled")
    assert training.wait_for(behind, "succeeded")["attempt"] == 1
