"""A job that is trained goes on where its killed or stopped attempt was, and ends with the very same parameters."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.service import Service, pause

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

SPEC: dict[str, Any] = {
    "kind": "train",
    "data": {"source": "builtin", "name": "moons"},
    "network": {"state_dim": 4},
    "objective": {"alpha": {"K": 1e-3, "b": 1e-3, "W": 1e-3, "c": 1e-3}},
    "discrete": {"depths": [8, 16, 32]},
    "plots": False,
}


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    often = {"DEEPLIMIT_CHECKPOINT_S": "0.1", "DEEPLIMIT_TORCH_THREADS": "1"}
    running = Service(tmp_path_factory.mktemp("resume") / "data", often)
    running.start()
    yield running
    running.stop()


def checkpoints(service: Service, job_id: str) -> list[Path]:
    return list((service.data_dir / "artifacts" / "jobs" / job_id).glob("checkpoints/*"))


def wait_for_checkpoints(service: Service, job_id: str) -> None:
    while len(checkpoints(service, job_id)) < 3:  # a wait in vain is ended by the time that a test has
        pause(0.02)


def parameters(service: Service, job: dict[str, Any]) -> dict[str, str]:
    models = service.client.get(job["links"]["results"]).json()["models"]
    return {model["model"]: model["parameters"]["sha256"] for model in models}


def test_a_killed_trainer_and_a_stopped_worker_cost_little(training: Service) -> None:
    whole = training.wait_for(training.submit(SPEC), "succeeded", within=120)
    job_id = training.submit(SPEC)
    wait_for_checkpoints(training, job_id)
    os.kill(training.pid_of("worker.trainer"), signal.SIGKILL)
    training.wait_running(job_id, attempt=2)
    os.kill(training.pid_of("-m worker.start"), signal.SIGTERM)
    job = training.wait_for(job_id, "succeeded", within=120)
    assert (job["attempt"], job["crashes"], job["outages"]) == (2, 1, 0)
    assert parameters(training, job) == parameters(training, whole)
    assert "it goes on after" in training.log
    while checkpoints(training, job_id) or checkpoints(training, whole["id"]):  # they are deleted when it has ended
        pause(0.05)
