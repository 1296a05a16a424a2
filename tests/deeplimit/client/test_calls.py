"""What the clients ask, and how they read what is answered."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deeplimit import Dataset
from deeplimit.client.calls import body_of
from deeplimit.client.uploads import upload_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.deeplimit.client.conftest import Drive
    from tests.support.http.scripted import ScriptedServer

JOB = {"id": "a", "status": "succeeded", "done": True}
CSV = "left,kind\n0.1,x\n0.30000000000000004,z\n"


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize(
    ("step", "line", "accept"),
    [
        (lambda job: job.refresh(), "GET /v1/jobs/a", "application/json"),
        (lambda job: job.cancel(), "POST /v1/jobs/a/cancel", "application/json"),
        (lambda job: job.delete(), "DELETE /v1/jobs/a", "application/json"),
        (lambda job: job.results(), "GET /v1/jobs/a/results", "application/json"),
        (lambda job: job.plots(), "GET /v1/jobs/a/plots", "application/json"),
        (lambda job: job.plot("minima"), "GET /v1/jobs/a/plots/minima", "image/svg+xml"),
        (lambda job: job.plot("minima", "png"), "GET /v1/jobs/a/plots/minima", "image/png"),
        (lambda job: job.plot("minima", "vega"), "GET /v1/jobs/a/plots/minima", "application/vnd.vegalite.v6+json"),
        (lambda job: job.plot("minima", "text/csv"), "GET /v1/jobs/a/plots/minima", "text/csv"),
    ],
)
def test_a_job_asks_for_what_is_its_own(
    server: ScriptedServer, drive: Drive, step: Any, line: str, accept: str
) -> None:
    server.say(200, JOB)
    server.say(200, JOB)
    drive(server.url, lambda client: client.job("a"), step)
    asked, headers, _ = server.asked[1]
    assert (asked, headers["Accept"]) == (line, accept)


@pytest.mark.parametrize("what", ["parameters", "predictions", "states"])
def test_arrays_come_as_arrays(server: ScriptedServer, drive: Drive, what: str) -> None:
    K = np.arange(8.0).reshape(2, 2, 2)
    server.say(200, JOB)
    server.say(200, npz(K=K))
    options = {"grid": 2} if what == "parameters" else {}
    found = drive(server.url, lambda client: client.job("a"), lambda job: getattr(job, what)("continuum", **options))
    assert np.array_equal(found["K"], K)
    grid = "&grid=2" if options else ""
    assert server.asked[1][0] == f"GET /v1/jobs/a/results/{what}?model=continuum{grid}"
    assert server.asked[1][1]["Accept"] == "application/x-npz"


def test_histories_come_as_arrays(server: ScriptedServer, drive: Drive) -> None:
    history = {"model": "discrete-8", "objective": [2.0, "NaN", 1.0], "regularisation": {"K": [0.5]}, "train": {}}
    server.say(200, JOB)
    server.say(200, {"models": [history]})
    found = drive(server.url, lambda client: client.job("a"), lambda job: job.losses())
    assert list(found) == ["discrete-8"]
    assert np.array_equal(found["discrete-8"]["objective"], [2.0, np.nan, 1.0], equal_nan=True)
    assert found["discrete-8"]["regularisation.K"].tolist() == [0.5]


@pytest.mark.parametrize(
    ("name", "options", "query", "default"),
    [
        ("report", {}, "report", "deeplimit-a.html"),
        ("export", {}, "export", "deeplimit-a.zip"),
        ("export", {"model": "discrete-8"}, "export?model=discrete-8", "deeplimit-a-discrete-8.zip"),
        ("export", {"format": "onnx", "steps": 64}, "export?format=onnx&steps=64", "deeplimit-a.onnx"),
    ],
)
def test_files_are_written_where_they_are_asked_for(
    server: ScriptedServer,
    drive: Drive,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    options: dict[str, Any],
    query: str,
    default: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for path in (None, "folder", tmp_path / "mine"):
        server.say(200, JOB)
        server.say(200, b"\x00content")
        got = drive(server.url, lambda client: client.job("a"), lambda job, to=path: getattr(job, name)(to, **options))
        assert got.read_bytes() == b"\x00content"
    assert server.asked[1][0] == f"GET /v1/jobs/a/{query}"
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {default, "mine"}
    assert (tmp_path / "folder" / default).exists()


def test_lists_are_read_page_by_page(server: ScriptedServer, drive: Drive) -> None:
    for step in (lambda client: client.jobs(status="failed", kind="train"), lambda client: client.datasets()):
        server.say(200, {"items": [{"id": "a"}], "next_cursor": "7"})
        server.say(200, {"items": [{"id": "b"}], "next_cursor": None})
        assert [one.id for one in drive(server.url, step)] == ["a", "b"]
    assert [line for line, _, _ in server.asked] == [
        "GET /v1/jobs?status=failed&kind=train",
        "GET /v1/jobs?cursor=7&status=failed&kind=train",
        "GET /v1/datasets",
        "GET /v1/datasets?cursor=7",
    ]


def test_an_upload_carries_its_parameters(server: ScriptedServer, drive: Drive, tmp_path: Path) -> None:
    (tmp_path / "T.CSV").write_text(CSV)
    said = {"inputs": ["left"], "missing": "drop", "categorical": "encode", "name": "two"}
    for data in (tmp_path / "T.CSV", str(tmp_path / "T.CSV")):
        server.say(201, {"id": "a", "kind": "samples", "samples": 2, "features": 1})
        dataset = drive(server.url, lambda client, it=data: client.upload(it, "kind", **said))
        assert dataset.reference == {"source": "dataset", "id": "a"}
        line, headers, body = server.asked.pop()
        query = "targets=kind&inputs=left&name=two&missing=drop&categorical=encode"
        assert sorted(line.partition("?")[2].split("&")) == sorted(query.split("&"))
        assert (headers["Content-Type"], body) == ("text/csv", CSV.encode())


def test_an_upload_of_arrays_without_targets_says_so(server: ScriptedServer, drive: Drive) -> None:
    server.say(201, {"id": "a"})
    drive(server.url, lambda client: client.upload([[1.0], [2.0]]))
    assert server.asked[0][0] == "POST /v1/datasets?inputs_only=true"


# What is uploaded ----------------------------------------------------------------------------------------------------


def loaded(content: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.mark.parametrize(
    ("targets", "kind"), [([0, 1], "i"), (["x", "z"], "U"), (np.array(["x", "z"], object), "U"), ([0.5, 1.0], "f")]
)
def test_arrays_with_numbers_or_labels(targets: Any, kind: str) -> None:
    upload = upload_of([[1.0], [2.0]], targets)
    arrays = loaded(upload.content)
    assert (upload.media_type, arrays["inputs"].tolist()) == ("application/x-npz", [[1.0], [2.0]])
    assert (arrays["targets"].dtype.kind, arrays["targets"].tolist()) == (kind, list(targets))


def test_inputs_alone_and_arrays_by_name() -> None:
    assert upload_of(np.zeros((2, 1))).params["inputs_only"] is True
    weights = upload_of({"K": np.zeros((4, 2, 2)), "b": np.zeros((4, 2))})
    assert {name: array.shape for name, array in loaded(weights.content).items()} == {"K": (4, 2, 2), "b": (4, 2)}
    assert not weights.params


def test_data_frames() -> None:
    frame = pd.DataFrame({"left": [0.1, 0.30000000000000004], "kind": ["x", "z"]}, index=[7, 9])
    upload = upload_of(frame, "kind")
    assert (upload.content.decode(), upload.media_type) == (CSV, "text/csv")
    assert upload.params == {"header": "present", "targets": ["kind"]}
    table = upload_of(pa.table({"left": [0.1]}), None)
    assert pq.read_table(io.BytesIO(table.content)).to_pydict() == {"left": [0.1]}


class Polars:
    """As much of a data frame of polars as is used."""

    columns = ("left",)

    def write_parquet(self, file: io.BytesIO) -> None:
        file.write(b"PAR1")


def test_a_data_frame_that_writes_parquet_by_itself() -> None:
    upload = upload_of(Polars(), ["left"])
    assert (upload.content, upload.media_type) == (b"PAR1", "application/vnd.apache.parquet")


@pytest.mark.parametrize(
    ("data", "targets", "error", "message"),
    [
        ("notes.txt", None, ValueError, ".csv, .npz, .parquet, .safetensors"),
        ("nowhere.csv", None, FileNotFoundError, "nowhere.csv"),
        (b"1,2", None, TypeError, "format="),
        ([[object()]], None, TypeError, "inputs: holds objects"),
        ([[1.0]], [None], TypeError, "targets: holds objects"),
        (pd.DataFrame({"a": [1]}), [0], TypeError, "names of columns"),
    ],
)
def test_what_cannot_be_uploaded(data: Any, targets: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        upload_of(data, targets)


def test_a_specification_may_hold_arrays_and_data_sets() -> None:
    spec = {
        "data": Dataset({"id": "d"}),
        "depths": np.array([8, 16]),
        "alpha": np.float64(0.5),
        "column": pd.Series([1, 2]),
    }
    assert json.loads(body_of(spec)) == {
        "data": {"source": "dataset", "id": "d"},
        "depths": [8, 16],
        "alpha": 0.5,
        "column": [1, 2],
    }
    assert body_of("{}") == body_of(b"{}") == b"{}"
    with pytest.raises(TypeError, match="cannot hold a set"):
        body_of({"a": {1}})
    with pytest.raises(ValueError, match="JSON"):
        body_of({"a": float("nan")})
