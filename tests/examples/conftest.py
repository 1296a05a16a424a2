"""A service in this process, and a worker that takes each job: planned, queued, executed as a trainer would."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from service.artifacts import ArtifactStore
from service.contract.job import JobRecord, JobStatus
from service.contract.values.limits import LIMITS
from service.datasets.datasets import Datasets
from service.datasets.store import DatasetStore
from service.datasets.uploads.request import Choice
from service.jobs.dispatch import Dispatcher
from service.jobs.jobs import Jobs
from service.jobs.plans import Planner
from service.scratch import Scratch
from tests.support.markdown import ROOT
from worker.execution import execute
from worker.executor import JobInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.contract.data.dataset import UploadFormat
    from service.jobs.planning.prepared import Prepared
    from service.jobstore import JobStore

EXAMPLES = ROOT / "examples"
_TRAINED: dict[str, dict[str, Any]] = {}
"""Results by example: each is trained once."""


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

    def plan(self, body: dict[str, Any]) -> Prepared:
        return self.jobs.plan(json.dumps(body).encode())

    def run(self, body: dict[str, Any]) -> JobRecord:
        created, _ = self.jobs.submit(json.dumps(body).encode(), None)
        claim = self.store.claim("worker-of-the-examples")
        assert claim is not None
        record = claim.record
        assert record.id == created.record.id
        job = JobInput(record.id, claim.fence, record.spec, self.artifacts, record.artifacts)
        outcome = execute(job, lambda _: None, lambda: False)
        return self.store.finish(record.id, claim.fence, JobStatus.SUCCEEDED, artifacts=outcome.artifacts)

    def results(self, record: JobRecord) -> dict[str, Any]:
        return self.planner.results(record)

    def trained(self, name: str) -> dict[str, Any]:
        """Return the results of an example, which is trained if it has not been yet."""
        if name not in _TRAINED:
            _TRAINED[name] = self.results(self.run(example(name)))
        return _TRAINED[name]

    def keep(self, name: str, found: dict[str, Any]) -> None:
        """Keep the results of an example that a test has trained."""
        _TRAINED[name] = found

    def upload(self, content: bytes, place: Path, form: UploadFormat, choice: Choice | None = None) -> str:
        place.write_bytes(content)
        record, _ = self.datasets.create(place, form, choice or Choice(), None)
        return record.id


@pytest.fixture
def service(store: JobStore, redis_url: str, tmp_path: Path) -> Iterator[Service]:
    artifacts = ArtifactStore(tmp_path / "artifacts")
    datasets = Datasets(DatasetStore(store.redis), artifacts, LIMITS, Scratch(tmp_path))
    dispatcher = Dispatcher(redis_url, store.redis)
    planner = Planner(store, artifacts, datasets, LIMITS)
    yield Service(store, artifacts, datasets, Jobs(store, artifacts, dispatcher, planner), planner)
    dispatcher.close()
