"""Data sets when something is cut off: no object stays without a record, and no record without its object."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from service.artifacts import ArtifactNotFoundError, ArtifactStore, StorageError
from service.contract.data.dataset import DatasetRecord, UploadFormat
from service.contract.values.limits import LIMITS
from service.contract.values.media_types import SAFETENSORS
from service.datasets.datasets import DatasetNotFoundError, Datasets
from service.datasets.store import DatasetStore
from service.datasets.uploads.request import Choice, UploadRefusedError
from service.jobs.sweeper import Sweeper
from service.jobstore import JobStore, connect, keys
from service.runtime.valkey import ValkeyServer
from service.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.contract.job import ArtifactRef

ROOT = "deeplimit:datasets"


class Faulty(ArtifactStore):
    """Does something once an object is written, and cannot delete while it is jammed."""

    then: Callable[[], object] = staticmethod(lambda: None)
    jammed = False

    def put_file(self, path: str, file: Path, media_type: str) -> ArtifactRef:
        stored = super().put_file(path, file, media_type)
        self.then()
        return stored

    def delete(self, path: str) -> None:
        if self.jammed:
            raise StorageError(path)
        super().delete(path)


@pytest.fixture
def client(store: JobStore) -> redis.Redis:
    return store.redis


@pytest.fixture
def objects(tmp_path: Path) -> Faulty:
    return Faulty(tmp_path / "objects")


@pytest.fixture
def datasets(client: redis.Redis, objects: Faulty, tmp_path: Path) -> Datasets:
    return Datasets(DatasetStore(client), objects, LIMITS, Scratch(tmp_path))


def upload(datasets: Datasets, folder: Path, first: int = 0) -> DatasetRecord:
    file = folder / "upload.csv"
    file.write_text(f"{first},0\n1,1\n")
    return datasets.create(file, UploadFormat.CSV, Choice(), None)[0]


def written(objects: ArtifactStore) -> list[str]:
    """Objects that there are, by name."""
    return sorted(path.name for path in Path(objects.location).rglob("*.safetensors"))


def test_a_record_that_cannot_be_written_leaves_no_object(
    client: redis.Redis, datasets: Datasets, objects: Faulty, tmp_path: Path
) -> None:
    client.set(ROOT, "not what the script expects")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        upload(datasets, tmp_path)
    client.delete(ROOT)
    kept = upload(datasets, tmp_path)  # the same content once more
    assert len(written(objects)) == 2
    assert datasets.sweep() == 0  # it may be under way still
    assert datasets.sweep(lost_after_s=0) == 1
    assert datasets.sweep(lost_after_s=0) == 0
    assert written(objects) == [Path(kept.object.path).name]
    assert objects.get(datasets.get(kept.id).object)


@pytest.mark.parametrize("whole", [False, True])
def test_a_server_that_dies_before_the_record_leaves_no_half_object(tmp_path: Path, *, whole: bool) -> None:
    """A whole one stays for `deeplimit rebuild`: a server that has lost the end of its log knows no more of it."""
    server = ValkeyServer.prepare(tmp_path / "valkey")
    objects = Faulty(tmp_path / "objects")
    with connect(server.url) as client:
        datasets = Datasets(DatasetStore(client), objects, LIMITS, Scratch(tmp_path))
        with subprocess.Popen(server.command) as process:
            server.wait_ready(process)
            first = upload(datasets, tmp_path, 1)
            objects.then = process.kill
            with pytest.raises(redis.ConnectionError):
                upload(datasets, tmp_path, 2)
        objects.then = lambda: None
        if not whole:
            (second,) = (path for path in written(objects) if path != Path(first.object.path).name)
            (record,) = Path(objects.location).rglob(second.replace(".safetensors", ".record.json"))
            record.unlink()  # as where the API died before it was written
        assert len(written(objects)) == 2
        with subprocess.Popen(server.command) as process:
            server.wait_ready(process)
            assert datasets.sweep(lost_after_s=0) == (0 if whole else 1)
            assert datasets.sweep(lost_after_s=0) == 0
            assert objects.get(datasets.get(first.id).object)
            assert len(written(objects)) == (2 if whole else 1)
            process.kill()


def test_a_reply_that_is_lost_does_not_cost_the_object(client: redis.Redis, objects: Faulty, tmp_path: Path) -> None:
    class Mute(DatasetStore):
        def create(self, record: DatasetRecord, most: int) -> tuple[DatasetRecord, bool]:
            super().create(record, most)
            raise redis.ConnectionError

    muted = Datasets(Mute(client), objects, LIMITS, Scratch(tmp_path))
    with pytest.raises(redis.ConnectionError):
        upload(muted, tmp_path)
    assert muted.sweep(lost_after_s=0) == 0
    (kept,) = muted.list(limit=2, cursor=None).items
    assert objects.get(kept.object)


def test_an_upload_that_is_overtaken_is_refused_and_keeps_nothing(
    client: redis.Redis, datasets: Datasets, objects: Faulty, tmp_path: Path
) -> None:
    objects.then = lambda: datasets.sweep(lost_after_s=0)
    with pytest.raises(UploadRefusedError) as refused:
        upload(datasets, tmp_path)
    assert refused.value.refusal.code == "took_too_long"
    # likewise where it is only marked, since its object could not be deleted just then
    objects.then = lambda: [DatasetStore(client).give_up(path) for path in DatasetStore(client).leftovers(0)]
    with pytest.raises(UploadRefusedError):
        upload(datasets, tmp_path)
    assert written(objects) == []
    assert datasets.list(limit=1, cursor=None).items == []
    objects.then = datasets.sweep
    assert objects.get(upload(datasets, tmp_path).object)


def test_an_announcement_from_the_future_is_one_of_now(
    client: redis.Redis, datasets: Datasets, objects: Faulty
) -> None:
    """The server's clock was set back by a day, and nobody waits for the old time to come again."""
    DatasetStore(client).announce("datasets/a/1.safetensors")
    client.zincrby(keys.UNSETTLED, 86_400e6, "datasets/a/1.safetensors")
    objects.put("datasets/a/1.safetensors", b"", SAFETENSORS)
    assert datasets.sweep() == 0
    assert datasets.sweep(lost_after_s=0) == 1
    assert written(objects) == []


def test_a_deletion_that_is_cut_off_is_finished_by_the_sweeper(
    store: JobStore, datasets: Datasets, objects: Faulty, tmp_path: Path
) -> None:
    kept, other = upload(datasets, tmp_path, 1), upload(datasets, tmp_path, 2)
    sweeper = Sweeper(store, objects, datasets, Scratch(tmp_path))
    objects.jammed = True
    datasets.delete(kept.id)
    with pytest.raises(DatasetNotFoundError):
        datasets.get(kept.id)
    assert sweeper.once()
    assert objects.get(kept.object)  # it still cannot be deleted
    objects.jammed = False
    assert sweeper.once()
    with pytest.raises(ArtifactNotFoundError):
        objects.get(kept.object)
    assert objects.get(other.object)


def test_what_is_there_already_and_what_is_too_many_leave_nothing(
    client: redis.Redis, datasets: Datasets, objects: Faulty, tmp_path: Path
) -> None:
    kept = upload(datasets, tmp_path)
    objects.jammed = True
    assert upload(datasets, tmp_path) == kept
    objects.jammed = False
    assert len(written(objects)) == 2
    assert datasets.sweep() == 1
    assert written(objects) == [Path(kept.object.path).name]
    assert client.keys("deeplimit:datasets:*") == []
