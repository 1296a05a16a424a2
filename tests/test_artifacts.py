"""Objects are whole, checked, and gone when their folder is deleted."""

import hashlib
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from service.artifacts import ArtifactCorruptError, ArtifactNotFoundError, ArtifactStore, StorageError
from service.contract.job import ArtifactRef
from tests.support.faults.disk import full_for


class Bucket(BaseHTTPRequestHandler):
    """An object store that refuses to write on a condition."""

    kept: ClassVar[dict[str, bytes]] = {}

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if "If-None-Match" in self.headers:
            self._answer(501)
        else:
            Bucket.kept[self.path] = content
            self._answer(200)

    def do_GET(self) -> None:
        content = Bucket.kept.get(self.path)
        self._answer(404 if content is None else 200, content or b"")

    def _answer(self, status: int, content: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


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
    artifacts.put("jobs/a/1", b"1", "text/plain")
    artifacts.put("jobs/a/b/2", b"22", "text/plain")
    kept = artifacts.put("jobs/ab/3", b"kept", "text/plain")
    assert artifacts.delete_prefix("jobs/a") == 3
    assert artifacts.delete_prefix("jobs/a") == 0
    assert artifacts.get(kept) == b"kept"
    assert {path.name for path in (tmp_path / "objects" / "jobs").iterdir()} == {"ab"}


def test_what_a_killed_writer_left_goes_with_the_folder(artifacts: ArtifactStore, tmp_path: Path) -> None:
    artifacts.put("jobs/a/1", b"1", "text/plain")
    (tmp_path / "objects" / "jobs" / "a" / "2#1").write_bytes(b"to")  # under this name the store begins to write
    assert artifacts.delete_prefix("jobs/a") == 1
    assert not (tmp_path / "objects" / "jobs" / "a").exists()


def test_delete_folders_spares_one_and_what_lies_beside(artifacts: ArtifactStore) -> None:
    for path in ("r/1/a", "r/1/b/c", "r/2/a", "r/12/a", "r/a"):
        artifacts.put(path, b"12", "text/plain")
    assert artifacts.delete_folders("r", but="1") == 4
    assert [artifacts.get(path) for path in ("r/1/a", "r/1/b/c", "r/a")] == [b"12"] * 3
    assert artifacts.delete_folders("none", but="1") == 0


def test_a_store_that_cannot_do_it_now_says_so_whatever_is_asked(artifacts: ArtifactStore, tmp_path: Path) -> None:
    kept = artifacts.put("kept", b"1", "text/plain")
    (tmp_path / "objects" / "jobs").write_bytes(b"a file where a folder belongs, which root cannot pass either")
    ref = ArtifactRef(path="jobs/a/1", sha256="0" * 64, bytes=1, media_type="text/plain")
    (tmp_path / "file").write_bytes(b"1")
    asked = (
        lambda: artifacts.put(ref.path, b"1", "text/plain"),
        lambda: artifacts.put_file(ref.path, tmp_path / "file", "text/plain"),
        lambda: artifacts.copy(kept, ref.path),
        lambda: artifacts.get(ref),
        lambda: list(artifacts.pieces(ref)),
        lambda: artifacts.part(ref, 0, 1),
        lambda: artifacts.delete(ref.path),
        lambda: artifacts.delete_folders("jobs/a", but="1"),
    )
    for ask in asked:
        with pytest.raises(StorageError):
            ask()


@pytest.mark.parametrize("location", ["{folder}/file/objects", "file://{folder}/file", "nowhere://a/b", "http://"])
def test_a_store_that_cannot_be_opened_says_so(tmp_path: Path, location: str) -> None:
    (tmp_path / "file").write_bytes(b"1")
    place = location.format(folder=tmp_path)
    with pytest.raises(StorageError, match=f"^no objects can be kept in {place}: .+$"):
        ArtifactStore(place)


def test_a_probe_writes_and_leaves_nothing(artifacts: ArtifactStore, tmp_path: Path) -> None:
    artifacts.probe()
    assert list((tmp_path / "objects").rglob("*")) == []
    (tmp_path / "objects" / "ready").mkdir()
    with pytest.raises(StorageError):
        artifacts.probe()


def test_probes_at_once_are_in_nobodys_way(artifacts: ArtifactStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        for probe in [pool.submit(artifacts.probe) for _ in range(400)]:
            probe.result()


def use_bucket(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "here",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.skipif(sys.platform != "linux", reason="bounds the size of files of this process")
def test_a_probe_of_a_size_finds_out_a_store_without_room_for_it(artifacts: ArtifactStore, tmp_path: Path) -> None:
    with full_for(os.getpid(), room=100_000):
        artifacts.probe()
        artifacts.probe(100_000)
        with pytest.raises(StorageError) as refused:
            artifacts.probe(100_001)
        assert refused.value.size == 100_001
    with full_for(os.getpid(), room=60_000), pytest.raises(StorageError):
        artifacts.probe()
    assert list((tmp_path / "objects").rglob("*")) == []


def test_an_object_store_that_is_away_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    use_bucket(monkeypatch, "http://127.0.0.1:1")
    with pytest.raises(StorageError, match="after 3 retries"):
        ArtifactStore("s3://bucket/prefix").probe()


def test_one_that_cannot_write_on_a_condition_gets_an_id_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        use_bucket(monkeypatch, f"http://127.0.0.1:{server.server_port}")
        objects = ArtifactStore("s3://bucket/prefix")
        assert objects.identity() is None
        assert objects.identify("first") == "first"
        assert objects.identify("second") == "first"
        server.shutdown()
