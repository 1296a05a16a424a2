"""Objects are whole, checked, and gone when their folder is deleted."""

import hashlib
from pathlib import Path

import pytest

from service.artifacts import ArtifactCorruptError, ArtifactNotFoundError, ArtifactStore


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "objects")


def test_an_object_comes_back_as_it_was_written(artifacts: ArtifactStore) -> None:
    data = bytes(range(256))
    ref = artifacts.put("jobs/a/results/1/results.json", data, "application/json")
    assert (ref.bytes, ref.media_type) == (256, "application/json")
    assert ref.sha256 == hashlib.sha256(data).hexdigest()
    assert artifacts.get(ref) == artifacts.get(ref.path) == data


def test_a_url_of_a_directory_is_one_too(tmp_path: Path) -> None:
    ref = ArtifactStore(f"file://{tmp_path}").put("a/b", b"1", "text/plain")
    assert ArtifactStore(tmp_path).get(ref) == b"1"


def test_an_object_that_changed_is_refused(artifacts: ArtifactStore, tmp_path: Path) -> None:
    ref = artifacts.put("jobs/a/data.safetensors", b"right", "application/octet-stream")
    (tmp_path / "objects" / ref.path).write_bytes(b"wrong")
    with pytest.raises(ArtifactCorruptError):
        artifacts.get(ref)


def test_an_object_that_is_not_there_is_said_to_be_missing(artifacts: ArtifactStore) -> None:
    with pytest.raises(ArtifactNotFoundError):
        artifacts.get("jobs/none")


def test_delete_prefix_takes_the_folder_and_no_neighbour(artifacts: ArtifactStore, tmp_path: Path) -> None:
    artifacts.put("jobs/a/1", b"", "text/plain")
    artifacts.put("jobs/a/b/2", b"", "text/plain")
    kept = artifacts.put("jobs/ab/3", b"kept", "text/plain")
    artifacts.delete_prefix("jobs/a")
    artifacts.delete_prefix("jobs/a")
    assert artifacts.get(kept) == b"kept"
    assert {path.name for path in (tmp_path / "objects" / "jobs").iterdir()} == {"ab"}
