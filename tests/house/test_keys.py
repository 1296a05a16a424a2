"""Where the keys of Redis are spelt, and that they stay what a store of last year has them as."""

import re
from pathlib import Path

import pytest

from service.contract.data.dataset import DatasetRecord, UploadFormat, WeightFacts
from service.contract.job import ArtifactRef, JobStatus, WorkerInfo
from service.datasets.store import DatasetStore
from service.jobstore import JobStore, keys
from tests.support.job_records import claimed, new_job

ROOT = Path(__file__).parents[2]
ROOMS = [ROOT / "deeplimit", ROOT / "service", ROOT / "worker"]
FILES = [path for room in ROOMS for path in room.rglob("*") if path.suffix in {".py", ".lua"}]


def test_no_other_module_spells_a_key() -> None:
    assert len(FILES) > 100
    assert [path for path in FILES if re.search(r"deeplimit:\S", path.read_text())] == [Path(keys.__file__)]


def test_no_two_keys_are_the_same() -> None:
    spelt = [key for name, key in vars(keys).items() if name.isupper()]
    assert len(set(spelt)) == len(spelt) > 10


@pytest.fixture
def used(store: JobStore) -> JobStore:
    """A store after one of everything."""
    store.redis.flushall()
    ended = claimed(store)
    store.finish(ended.record.id, ended.fence, JobStatus.FAILED)
    store.delete(ended.record.id)
    store.create(new_job(id="job-held", external_id="x"), idempotency_key="key", body_sha256="b")
    assert store.claim("worker") is not None
    store.create(new_job(id="job-waiting"), idempotency_key=None, body_sha256="b")
    store.register_worker(WorkerInfo(id="w", hostname="h", pid=1, devices=()), 30)
    store.ready()
    datasets = DatasetStore(store.redis)
    for digit in "ab":
        path = f"datasets/{digit}"
        datasets.announce(path)
        datasets.create(record(digit * 64, path), 10)
    datasets.delete("a" * 64)
    return store


def record(dataset_id: str, path: str) -> DatasetRecord:
    return DatasetRecord.model_validate(
        {
            "id": dataset_id,
            "name": None,
            "format": UploadFormat.NPZ,
            "uploaded_bytes": 1,
            "created_at": "2026-01-01T00:00:00Z",
            "facts": WeightFacts(depth=2, state_dim=1),
            "object": ArtifactRef(path=path, sha256="0" * 64, bytes=1, media_type="x"),
        }
    )


def test_the_names_of_keys_do_not_change(used: JobStore) -> None:
    names = {str(name) for name in used.redis.scan_iter()}
    passing = ("deeplimit:claim:", "deeplimit:deleted:", "deeplimit:dataset-deleted:", "deeplimit:idempotency:")
    assert {name for name in names if not name.startswith(passing)} == {
        "deeplimit:dataset:" + "b" * 64,
        "deeplimit:datasets",
        "deeplimit:datasets:unsettled",
        "deeplimit:job:job-held",
        "deeplimit:job:job-waiting",
        "deeplimit:jobs",
        "deeplimit:jobs:external:x",
        "deeplimit:jobs:indexed",
        "deeplimit:jobs:kind-external:train:x",
        "deeplimit:jobs:kind:train",
        "deeplimit:jobs:kinds",
        "deeplimit:jobs:status-external:running:x",
        "deeplimit:jobs:status-kind-external:running:train:x",
        "deeplimit:jobs:status-kind:queued:train",
        "deeplimit:jobs:status-kind:running:train",
        "deeplimit:jobs:status:queued",
        "deeplimit:jobs:status:running",
        "deeplimit:jobs:unwritten",
        "deeplimit:leases",
        "deeplimit:queue",
        "deeplimit:ready",
        "deeplimit:worker:w",
        "deeplimit:workers",
    }
    for family in passing:
        assert any(name.startswith(family) for name in names), family
