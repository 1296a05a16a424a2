"""Uploads over HTTP: what is kept, and how what is bad or hostile is refused."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy

from service.api.main import create_app
from service.contract.values.limits import LIMITS
from service.scratch import LOCK, PLACE
from tests.support.api import serving
from tests.support.hostile import BAD
from tests.support.http.published import checked
from tests.support.uploads import CSV, NPZ, PARQUET, SAFETENSORS, X, Y, npz, parquet, safetensors_file, tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from service.artifacts import ArtifactStore
    from service.config import Settings


def upload(api: httpx.Client, content: bytes, media_type: str, **params: Any) -> httpx.Response:
    return api.post("/v1/datasets", content=content, headers={"Content-Type": media_type}, params=params)


def accepted(api: httpx.Client, content: bytes, media_type: str, **params: Any) -> dict[str, Any]:
    answer = upload(api, content, media_type, **params)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def kept(artifacts: ArtifactStore, dataset_id: str) -> dict[str, Any]:
    folder = Path(artifacts.location) / "datasets" / dataset_id
    (path,) = folder.glob("*.safetensors")
    return dict(safetensors.numpy.load(path.read_bytes()))


# what is kept ---------------------------------------------------------------------------------------------------------


GOOD: list[tuple[str, bytes, str]] = [
    ("csv", b"a,b,kind\n0,1,0\n2,3,1\n4,5.5,0\n", CSV),
    ("csv without header", b"0,1,0\r\n2,3,1\r\n4,5.5,0", CSV),
    ("csv with labels", b'a,b,kind\n0,1,no\n2,3,"yes"\n4,5.5,no\n', CSV),
    ("csv with mark", b"\xef\xbb\xbfa,b,kind\n0,1,0\n2,3,1\n4,5.5,0\n", CSV),
    ("npz", npz(inputs=X, targets=Y), NPZ),
    ("npz by other names", npz(X=X.astype(np.float32), y=Y.astype(np.uint8)), NPZ),
    ("npz in columns", npz(X=np.asfortranarray(X), y=Y), NPZ),
    ("safetensors", safetensors.numpy.save({"inputs": X, "targets": Y}), SAFETENSORS),
    ("parquet", parquet({"a": X[:, 0], "b": X[:, 1], "kind": Y}), PARQUET),
    ("parquet in groups", parquet({"a": X[:, 0], "b": X[:, 1], "kind": Y}, row_group_size=2), PARQUET),
    ("parquet with labels", parquet({"a": X[:, 0], "b": X[:, 1], "kind": ["no", "yes", "no"]}), PARQUET),
]


@pytest.mark.parametrize(("content", "media_type"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_every_format_gives_the_same_numbers(
    api: httpx.Client, artifacts: ArtifactStore, content: bytes, media_type: str
) -> None:
    found = accepted(api, content, media_type, name="three")
    assert (found["kind"], found["samples"], found["features"], found["name"]) == ("samples", 3, 2, "three")
    assert found["targets"]["kind"] == "classes"
    assert found["targets"]["class_counts"] == [2, 1]
    arrays = kept(artifacts, found["id"])
    assert np.array_equal(arrays["inputs"], X)
    assert np.array_equal(arrays["targets"], Y)
    assert arrays["inputs"].dtype == arrays["targets"].dtype == np.float64
    assert api.get(found["links"]["self"]).json() == found
    assert api.delete(found["links"]["self"]).status_code == 204
    assert api.get(found["links"]["self"]).json()["code"] == "dataset_not_found"
    assert api.delete(found["links"]["self"]).json()["code"] == "dataset_not_found"


def test_content_is_the_address(api: httpx.Client) -> None:
    content = npz(inputs=X, targets=Y)
    first = accepted(api, content, NPZ, name="first")
    again = upload(api, npz(y=Y, x=X), NPZ, name="second")
    assert again.status_code == 200
    assert again.json() == first
    assert again.headers["location"] == first["links"]["self"]
    other = accepted(api, npz(inputs=X + 1, targets=Y), NPZ)
    assert other["id"] != first["id"]
    assert other["created_at"] > first["created_at"]


def test_listing(api: httpx.Client) -> None:
    ids = [accepted(api, npz(inputs=X + shift, targets=Y), NPZ)["id"] for shift in range(1, 6)][::-1]
    page = api.get("/v1/datasets", params={"limit": 2}).json()
    assert [item["id"] for item in page["items"]] == ids[:2]
    rest = api.get("/v1/datasets", params={"limit": 3, "cursor": page["next_cursor"]}).json()
    assert [item["id"] for item in rest["items"]] == ids[2:]
    assert rest["next_cursor"] is None
    for wrong in ("x", "-1", "1e3", "9" * 30):
        answer = api.get("/v1/datasets", params={"cursor": wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")


def test_targets_by_name(api: httpx.Client, artifacts: ArtifactStore) -> None:
    content = b"y1,a,y2,b\n1,2,3,4\n5,6,7,8\n"
    found = accepted(api, content, CSV, targets=["y2", "y1"])
    arrays = kept(artifacts, found["id"])
    assert arrays["inputs"].tolist() == [[2, 4], [6, 8]]
    assert arrays["targets"].tolist() == [[3, 1], [7, 5]]
    assert found["columns"] == ["a", "b"]
    assert (found["targets"]["kind"], found["targets"]["outputs"]) == ("numbers", 2)
    found = accepted(api, content, CSV, targets="y1", inputs="b")
    assert kept(artifacts, found["id"])["inputs"].tolist() == [[4], [8]]
    found = accepted(api, b"1,2,3\n4,5,6\n", CSV, targets="0")
    assert kept(artifacts, found["id"])["targets"].tolist() == [1, 4]
    found = accepted(api, npz(left=X, right=Y), NPZ, inputs="left", targets="right")
    assert found["samples"] == 3
    found = accepted(api, b"1.5,2,3\n4,5,6\n", CSV, inputs_only="true")
    assert (found["features"], found["targets"]) == (3, None)
    for params, parameter in (
        ({"targets": "z"}, "targets"),
        ({"inputs": "z"}, "inputs"),
        ({"inputs": "y1", "targets": "y1"}, "inputs"),
        ({"targets": "y1", "inputs_only": "true"}, "inputs_only"),
        ({"inputs_only": "perhaps"}, "inputs_only"),
        ({"name": "x" * 201}, "name"),
        ({"name": ""}, "name"),
        ({"name": "\0a"}, "name"),
        ({"name": "a\x1b[31m"}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"target": "y1"}, "target"),
        ({"header": "perhaps"}, "header"),
        ({"header": ""}, "header"),
        ({"missing": "keep"}, "missing"),
        ({"targets": "y1" * 501}, "targets"),
    ):
        answer = upload(api, content, CSV, **params)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter"), answer.text
        assert answer.json()["errors"][0]["parameter"] == parameter
    assert accepted(api, content, CSV, name="größe 稲")["name"] == "größe 稲"


def test_an_empty_name_is_told_in_the_words_of_a_text(api: httpx.Client) -> None:
    (error,) = upload(api, b"a,y\n1,0\n2,1\n", CSV, name="").json()["errors"]
    assert (error["parameter"], "at least 1 character" in error["detail"]) == ("name", True)


def test_the_media_type_may_say_whether_there_is_a_header(api: httpx.Client) -> None:
    content = b"5,7,0\n1,2,1\n3,4,0\n"
    for media_type, expected in (
        ("text/csv; header=present", (2, ["5", "7"])),
        ('text/csv; charset=utf-8; Header="absent"', (3, None)),
        ("text/csv", (3, None)),
    ):
        found = upload(api, content, media_type).json()
        assert (found["samples"], found["columns"]) == expected
    found = upload(api, content, "text/csv; header=present", header="present").json()
    assert found["columns"] == ["5", "7"]
    for media_type, params, words in (
        ("text/csv; header=present", {"header": "absent"}, "'absent' and 'present'"),
        ("text/csv; header=perhaps", {}, "present or absent"),
        (f"{NPZ}; header=present", {}, "of a CSV"),
    ):
        answer = upload(api, content, media_type, **params)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["parameter"], words in error["detail"]) == (422, "header", True)


def test_what_is_said_about_the_header_and_missing_values(api: httpx.Client, artifacts: ArtifactStore) -> None:
    content = b"3,2,1\n4,5,0\n6,NA,0\n7,8,1\n"
    problem = upload(api, content, CSV).json()
    assert (problem["code"], problem["errors"][0]["code"]) == ("invalid_dataset", "missing_value")
    found = accepted(api, content, CSV, missing="drop")
    assert (found["samples"], found["dropped_rows"], found["columns"]) == (3, 1, None)
    assert kept(artifacts, found["id"])["inputs"].tolist() == [[3, 2], [4, 5], [7, 8]]
    found = accepted(api, content, CSV, missing="drop", header="present")
    assert (found["samples"], found["dropped_rows"], found["columns"]) == (2, 1, ["3", "2"])
    assert api.get(found["links"]["self"]).json() == found
    found = accepted(api, b"a,y\n1,None\n2,mild\n", CSV, missing="label")
    assert found["targets"]["class_names"] == ["None", "mild"]
    assert found["dropped_rows"] == 0
    answer = upload(api, npz(inputs=X, targets=Y), NPZ, header="absent")
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "header")


def test_every_reason_is_an_error_of_its_own(api: httpx.Client) -> None:
    content = b"a,city,b,sex,y\n1,Rome,2,m,0\n2,Oslo,3,f,1\n"
    problem = upload(api, content, CSV).json()
    assert [item["code"] for item in problem["errors"]] == ["not_a_number", "not_a_number"]
    assert [item["pointer"] for item in problem["errors"]] == ["", ""]
    assert [(item["column"], item["parameter"]) for item in problem["errors"]] == [
        ("city", "categorical"),
        ("sex", "categorical"),
    ]
    assert [item["remedies"] for item in problem["errors"]] == [["categorical=drop", "categorical=encode"]] * 2
    assert "column city holds text: Oslo, Rome (2 different)" in problem["detail"]
    assert problem["detail"].endswith("; and 1 more, in `errors`. Try categorical=drop.")
    problem = upload(api, content, CSV, targets="z", inputs="q").json()
    assert problem["code"] == "invalid_parameter"
    assert [item["parameter"] for item in problem["errors"]] == ["targets", "inputs"]


def test_weights(api: httpx.Client, artifacts: ArtifactStore) -> None:
    K, b = np.ones((5, 3, 3), np.float32), np.zeros((5, 3), np.float32)
    for content, media_type in (
        (npz(K=K, b=b, W=np.ones((2, 3)), names=np.array(["x"])[:0].astype(np.float64)), NPZ),
        (safetensors.numpy.save({"K": K + 1, "b": b}), SAFETENSORS),
    ):
        found = accepted(api, content, media_type)
        assert (found["kind"], found["depth"], found["state_dim"], found["targets"]) == ("weights", 5, 3, None)
        assert set(kept(artifacts, found["id"])) == {"K", "b"}
    # brain floats: the upper halves of floats
    half = (np.ones((2, 1, 1), np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()
    header = {"K": tensor([2, 1, 1], 0, 4, "BF16"), "b": tensor([2, 1], 4, 8, "BF16")}
    found = accepted(api, safetensors_file(header, half + half), SAFETENSORS)
    assert kept(artifacts, found["id"])["K"].tolist() == [[[1.0]], [[1.0]]]


# what is refused ------------------------------------------------------------------------------------------------------


OVER_HTTP = {
    "csv ragged",
    "csv nan",
    "npz pickle",
    "npz bomb",
    "npz 745 GB",
    "npz header claims 4 GB",
    "npz text",
    "safetensors 745 GB",
    "safetensors nan",
    "parquet cut off",
    "parquet bomb",
}
"""The others are read in tests/datasets, without a process each."""
CHOSEN = [row for row in BAD if row[0] in OVER_HTTP]


@pytest.mark.parametrize(("content", "media_type", "code"), [row[1:] for row in CHOSEN], ids=[row[0] for row in CHOSEN])
def test_bad_uploads(api: httpx.Client, content: bytes, media_type: str, code: str) -> None:
    answer = upload(api, content, media_type)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "invalid_dataset"
    assert problem["errors"][0]["code"] == code, problem
    assert problem["errors"][0]["pointer"] == ""
    assert api.get("/v1/datasets").json()["items"] == []
    assert not Path("/tmp/deeplimit-was-unpickled").exists()  # noqa: S108 - what the pickle would make


def test_wrong_media_types(api: httpx.Client) -> None:
    for media_type in ("application/json", "", "text/plain", "application/x-python-pickle"):
        answer = upload(api, b"1,2\n", media_type)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    answer = api.post("/v1/datasets", content=b"1,2\n", headers={"Content-Type": CSV, "Content-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert "Content-Encoding" in answer.json()["detail"]
    answer = upload(api, b"1,2\n", "text/csv; charset=utf-16")
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_encoding")
    assert upload(api, b"1,2\n3,4\n", 'text/csv; charset="UTF-8"').status_code == 201
    answer = upload(api, b"", CSV)
    assert (answer.status_code, answer.json()["code"]) == (400, "empty_body")


@pytest.mark.parametrize(("content", "media_type"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_a_format_that_is_named_is_the_same_upload(api: httpx.Client, content: bytes, media_type: str) -> None:
    typed = accepted(api, content, media_type)
    named = upload(api, content, "application/octet-stream", format=typed["format"])
    assert (named.status_code, named.json()) == (200, typed)
    assert upload(api, content, media_type, format=typed["format"]).json() == typed
    assert api.delete(typed["links"]["self"]).status_code == 204


def test_a_format_that_is_not_named_or_another_one(api: httpx.Client) -> None:
    for media_type, params, code in (
        ("application/octet-stream", {}, "required"),
        ("application/octet-stream", {"format": "xls"}, "enum"),
        (CSV, {"format": "parquet"}, "conflict"),
    ):
        answer = upload(api, b"1,2\n3,4\n", media_type, **params)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
        assert [(item["parameter"], item["code"]) for item in answer.json()["errors"]] == [("format", code)]


def test_ids_that_cannot_be(api: httpx.Client) -> None:
    for wrong in ("x", "0" * 63, "G" * 64, "0" * 64):
        for method in ("GET", "DELETE"):
            answer = api.request(method, f"/v1/datasets/{wrong}")
            assert (answer.status_code, answer.json()["code"]) == (404, "dataset_not_found")


@pytest.fixture(scope="module")
def small(settings: Settings) -> Iterator[httpx.Client]:
    """An API that takes two data sets of 1000 bytes."""
    limits = LIMITS.model_copy(update={"upload_bytes": 1000, "uploads": 2})
    with serving(create_app(settings, limits)) as url, checked(url, timeout=40) as client:
        yield client


def test_limits(store: Any, small: httpx.Client) -> None:
    assert store.queued() == 0  # emptied
    answer = upload(small, b"1,2\n" * 251, CSV)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")

    def parts() -> Iterator[bytes]:
        yield b"1,2\n" * 200
        yield b"1,2\n" * 200

    answer = small.post("/v1/datasets", content=parts(), headers={"Content-Type": CSV})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    for first in (1, 2):
        assert upload(small, f"{first},2\n3,4\n".encode(), CSV).status_code == 201
    answer = upload(small, b"3,2\n3,4\n", CSV)
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_datasets")
    assert upload(small, b"1,2\n3,4\n", CSV).status_code == 200


def test_the_same_upload_at_once_is_kept_once(api: httpx.Client, artifacts: ArtifactStore) -> None:
    content = npz(inputs=X * 7, targets=Y)
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(upload(api, content, NPZ))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert set(kept(artifacts, answers[0].json()["id"])) == {"inputs", "targets"}


def test_nothing_of_an_upload_stays(api: httpx.Client, settings: Settings) -> None:
    for content in (b"a,y\n1,0\n2,1\n", b"a,y\n1,0\n2\n", b""):
        upload(api, content, CSV)
    assert {path.name for path in (settings.data_dir / PLACE).rglob("*") if path.is_file()} == {LOCK}  # of each app


def test_columns_of_one_name(api: httpx.Client) -> None:
    table = pa.Table.from_arrays([pa.array([1.0, 2.0]), pa.array([30.0, 40.0]), pa.array([0.5, 0.6])], ["a", "a", "y"])
    file = io.BytesIO()
    pq.write_table(table, file)
    for content, media_type in ((file.getvalue(), PARQUET), (b"a,a,y\n1,30,0.5\n2,40,0.6\n", CSV)):
        answer = upload(api, content, media_type)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["code"] == "ambiguous_column"
    twice = upload(api, b"a,b,y\n1,30,0.5\n2,40,0.6\n", CSV, targets=["b", "b"])
    assert twice.status_code == 422
    assert twice.json()["errors"][0]["code"] == "column_twice"
