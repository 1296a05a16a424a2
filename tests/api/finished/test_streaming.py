"""What a job left behind is sent piece by piece: no more than a few pieces of it are in memory."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import safetensors.numpy

from service.api.forms.pieces import PIECE
from service.artifacts import ArtifactStore
from service.contract import names
from tests.support.api import MOONS

if TYPE_CHECKING:
    from service.jobstore import JobStore
    from tests.support.api import HandWorker

SAFETENSORS, NPZ = "application/vnd.safetensors", "application/x-npz"
STATES = {"states": np.arange(6 * PIECE / 8).reshape(-1, 64), "t": np.zeros(0)}
LOSSES = b'{"models":[' + b"1.5," * PIECE + b"1.5]}"


@pytest.fixture
def job_id(api: httpx.Client, worker: HandWorker) -> str:
    """A job with large objects."""
    job_id: str = api.post("/v1/jobs", json=MOONS).json()["id"]
    more = {names.output_key("states", "discrete-8"): safetensors.numpy.save(STATES), names.LOSSES: LOSSES}
    worker.succeed(more=more)
    return job_id


@pytest.fixture
def sent(base_url: str, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of what the store has given out; to give out a whole object fails."""
    assert base_url
    sizes: list[int] = []
    pieces = ArtifactStore.pieces

    def counted(self: ArtifactStore, source: Any) -> Any:
        for piece in pieces(self, source):
            sizes.append(len(piece))
            yield piece

    monkeypatch.setattr(ArtifactStore, "pieces", counted)
    monkeypatch.setattr(ArtifactStore, "get", None)
    return sizes


def read(base_url: str, path: str, **headers: str) -> httpx.Response:
    with httpx.Client(base_url=base_url, timeout=40) as client:
        return client.get(path, headers={"Accept-Encoding": "identity", **headers})


def test_arrays_come_in_pieces(base_url: str, job_id: str, sent: list[int]) -> None:
    path = f"/v1/jobs/{job_id}/results/states?model=discrete-8"
    answer = read(base_url, path, Accept=SAFETENSORS)
    assert answer.content == safetensors.numpy.save(STATES)
    assert int(answer.headers["content-length"]) == len(answer.content) == sum(sent) > 6 * PIECE
    assert len(sent) >= 4
    assert max(sent) <= 2 * PIECE
    sent.clear()
    assert read(base_url, path, **{"Accept": SAFETENSORS, "If-None-Match": answer.headers["etag"]}).status_code == 304
    assert sent == []  # the tag is known without a look
    zipped = read(base_url, path, Accept=NPZ)
    with np.load(io.BytesIO(zipped.content)) as found:
        assert {name: found[name].tobytes() for name in found} == {n: a.tobytes() for n, a in STATES.items()}
    assert max(sent) <= 2 * PIECE
    assert read(base_url, path, Accept="application/json").status_code == 406


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_losses_come_in_pieces(base_url: str, job_id: str, sent: list[int], encoding: str) -> None:
    answer = read(base_url, f"/v1/jobs/{job_id}/results/losses", **{"Accept-Encoding": encoding})
    assert answer.content == LOSSES
    assert answer.headers.get("content-encoding", "identity") == encoding
    assert ("content-length" in answer.headers) == (encoding == "identity")
    assert max(sent) <= 2 * PIECE < len(LOSSES)


def test_an_object_that_is_not_what_it_was_breaks_off(
    base_url: str, job_id: str, artifacts: ArtifactStore, store: JobStore
) -> None:
    record = store.get(job_id)
    assert record is not None
    reference = record.artifacts[names.LOSSES]
    artifacts.put(reference.path, LOSSES[:-9] + b"2" + LOSSES[-8:], "application/json")
    with pytest.raises(httpx.RemoteProtocolError):
        read(base_url, f"/v1/jobs/{job_id}/results/losses")
    artifacts.delete(reference.path)
    assert read(base_url, f"/v1/jobs/{job_id}/results/losses").status_code == 404
