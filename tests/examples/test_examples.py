"""The examples, each through the doors that production uses: planned, queued, executed as a trainer would."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from service.api.forms import parameters
from service.artifacts import ArtifactStore
from service.contract.data.dataset import UploadFormat
from service.contract.job import JobRecord, JobStatus
from service.contract.names import parameters_key
from service.contract.values.limits import LIMITS
from service.datasets.datasets import Datasets
from service.datasets.store import DatasetStore
from service.datasets.uploads.request import Choice
from service.jobs.dispatch import Dispatcher
from service.jobs.jobs import Jobs
from service.jobs.plans import Planner
from tests.support import known_answers
from worker.execution import execute
from worker.executor import JobInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.contract.plan import Plan
    from service.jobstore import JobStore

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FILES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_file() and path.name != "README.md")


def example(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((EXAMPLES / name).read_text())
    return body


@dataclass(frozen=True)
class Service:
    """What is behind the API, and a worker that is asked to take the next job."""

    store: JobStore
    artifacts: ArtifactStore
    datasets: Datasets
    jobs: Jobs
    planner: Planner

    def plan(self, body: dict[str, Any]) -> Plan:
        return self.planner.plan(body)

    def run(self, body: dict[str, Any]) -> JobRecord:
        created, _ = self.jobs.submit(json.dumps(body).encode(), None)
        claim = self.store.claim("worker-of-the-examples")
        assert claim is not None
        record = claim.record
        assert record.id == created.id
        job = JobInput(record.id, claim.fence, record.spec, self.artifacts, record.artifacts)
        outcome = execute(job, lambda _: None, lambda: False)
        return self.store.finish(record.id, claim.fence, JobStatus.SUCCEEDED, artifacts=outcome.artifacts)

    def results(self, record: JobRecord) -> dict[str, Any]:
        return self.planner.results(record)

    def upload(self, npz: bytes, place: Path) -> str:
        place.write_bytes(npz)
        record, _ = self.datasets.create(place, UploadFormat.NPZ, Choice(), None)
        return record.id


@pytest.fixture
def service(store: JobStore, redis_url: str, tmp_path: Path) -> Iterator[Service]:
    artifacts = ArtifactStore(tmp_path / "artifacts")
    datasets = Datasets(DatasetStore(store.redis), artifacts, LIMITS)
    dispatcher = Dispatcher(redis_url, store.redis)
    planner = Planner(store, artifacts, datasets, LIMITS)
    yield Service(store, artifacts, datasets, Jobs(store, artifacts, dispatcher, planner), planner)
    dispatcher.close()


def test_every_example_is_listed_and_run() -> None:
    listed = re.findall(r"^\| \[(\S+)\]\(\1\) \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == FILES
    source = Path(__file__).read_text()
    assert [name for name in FILES if f'"{name}"' not in source] == []


def test_the_papers_setting_gives_the_known_answer(service: Service) -> None:
    found = service.results(service.run(example("paper.json")))
    objectives = {model["model"]: model["objective"] for model in found["models"]}
    for depth, minimum in known_answers.C.minima.items():
        assert objectives[f"discrete-{depth}"] == pytest.approx(minimum, abs=2e-10)
    assert objectives["continuum"] == pytest.approx(known_answers.C.limit, abs=2e-10)
    assert found["diagnostics"]["verdict"]["converges"] is True


def test_a_wanted_gap_finds_its_depth(service: Service) -> None:
    body = example("wanted_gap.json")
    advice = service.results(service.run(body))["diagnostics"]["depth_advice"][0]
    assert advice["depth"] == 133  # C₁ = 0.0265628 over the wanted gap
    assert advice["check"]["met"] is True
    assert abs(advice["check"]["gap"]) <= body["discrete"]["depths"]["gap"]


def test_constant_weights_are_said_to_be_outside_the_theorem(service: Service) -> None:
    diagnostics = service.results(service.run(example("constant_weights.json")))["diagnostics"]
    assert [one["name"] for one in diagnostics["assumptions"] if not one["holds"]] == ["weights_vary"]
    assert diagnostics["classification"]["class"] == "constant_weights"


def test_two_moons_are_trained_evaluated_and_diagnosed(service: Service, tmp_path: Path) -> None:
    trained = service.run(example("two_moons.json"))
    found = service.results(trained)
    assert all(model["status"] == "converged" for model in found["models"])
    assert all(model["validation"]["accuracy"] > 0.9 for model in found["models"])

    body = example("evaluate.json")
    assert body["job_id"] == "ID"
    evaluated = service.results(service.run(body | {"job_id": trained.id}))
    names = [entry["model"] for entry in evaluated["evaluations"]]
    assert names == ["discrete-64", "continuum", "sampled-128", "sampled-256"]
    assert all(entry["metrics"]["accuracy"] > 0.9 for entry in evaluated["evaluations"])

    body, ids = example("diagnose.json"), {}
    for depth in (16, 32, 64):
        stored = service.artifacts.get(trained.artifacts[parameters_key(f"discrete-{depth}")])
        ids[f"ID-{depth}"] = service.upload(parameters.read(stored).to_npz(), tmp_path / f"net-{depth}.npz")
    networks = [{"dataset_id": ids[network["dataset_id"]]} for network in body["networks"]]
    diagnosed = service.results(service.run(body | {"networks": networks}))
    assert [network["depth"] for network in diagnosed["networks"]] == [16, 32, 64]
    assert diagnosed["classification"]["class"] in {"h1_limit", "undecided"}


def test_the_script_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "first_study.py"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"{known_answers.C.minima[32]:.10f}" in done.stdout
    assert "converge to the continuum limit" in done.stdout
