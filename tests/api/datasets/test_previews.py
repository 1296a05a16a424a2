"""A table from its errors to its preview over HTTP, and the object of a preview from its upload to its deletion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from service.contract.job import ArtifactRef
from service.jobstore import connect, keys
from tests.datasets import penguins
from tests.support.uploads import CSV, NPZ, X, Y, npz

if TYPE_CHECKING:
    import httpx

    from service.artifacts import ArtifactStore
    from service.config import Settings

CHOICE = {"targets": "species", "missing": "drop", "categorical": "encode"}


def upload(api: httpx.Client, content: bytes, media_type: str = CSV, **params: Any) -> httpx.Response:
    return api.post("/v1/datasets", content=content, headers={"Content-Type": media_type}, params=params)


def kept(artifacts: ArtifactStore, dataset_id: str) -> list[str]:
    """Endings of what is kept of a data set."""
    folder = Path(artifacts.location) / "datasets" / dataset_id
    return sorted("".join(path.suffixes) for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("content", [penguins.raw(), penguins.quoted()])
def test_penguins_are_taken_by_what_the_errors_say(api: httpx.Client, content: bytes) -> None:
    refused = upload(api, content)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_dataset")
    errors = refused.json()["errors"]
    assert {item["column"] for item in errors} == {"year", "species", "island", *penguins.MEASURES, "sex"}
    assert {item["parameter"] for item in errors} == {"targets", "categorical", "missing"}
    assert {item["pointer"] for item in errors} == {""}
    assert refused.json()["detail"].endswith("Try targets=species&categorical=drop&missing=drop.")
    helps: dict[str, str] = {}
    for item in errors:
        name, _, value = item["remedies"][0].partition("=")
        helps.setdefault(name, value)
    found = upload(api, content, **helps)
    assert found.status_code == 201
    assert (found.json()["target_columns"], found.json()["columns"]) == (["species"], [*penguins.MEASURES, "year"])
    assert found.json()["dropped_columns"][-2:] == ["island", "sex"]
    preview = api.get(found.json()["links"]["preview"]).json()
    assert (preview["samples"], preview["dropped_rows"]) == (len(penguins.ROWS) - 2, 2)
    assert preview["rows"][0] == [39.1, 18.7, 181, 3750, 2007, "Adelie"]


def test_what_was_encoded_is_told(api: httpx.Client) -> None:
    found = upload(api, penguins.raw(), **CHOICE).json()
    assert found["encoded"] == [
        {"column": "island", "levels": ["Biscoe", "Dream", "Torgersen"]},
        {"column": "sex", "levels": ["female", "male"]},
    ]
    assert found["features"] == len(found["columns"]) == 10
    assert api.get(found["links"]["self"]).json() == found
    job = {"kind": "train", "data": {"source": "dataset", "id": found["id"]}}
    resolved = api.post("/v1/jobs/plan", json=job).json()["spec"]["data"]
    assert (resolved["encoded"], resolved["target_columns"]) == (found["encoded"], ["species"])


def test_a_preview_goes_with_its_data_set(api: httpx.Client, artifacts: ArtifactStore) -> None:
    choice = CHOICE | {"targets": "island"}  # content that no other test has
    found = upload(api, penguins.raw(), **choice).json()
    assert upload(api, penguins.raw(), **choice).status_code == 200
    assert kept(artifacts, found["id"]) == [".preview.json", ".record.json", ".safetensors"]
    assert api.get(found["links"]["preview"]).status_code == 200
    assert api.delete(found["links"]["self"]).status_code == 204
    assert kept(artifacts, found["id"]) == []
    answer = api.get(found["links"]["preview"])
    assert (answer.status_code, answer.json()["code"]) == (404, "dataset_not_found")


def test_weights_have_none(api: httpx.Client) -> None:
    found = upload(api, npz(K=np.zeros((4, 2, 2)), b=np.zeros((4, 2))), NPZ).json()
    assert "preview" not in found["links"]
    answer = api.get(f"{found['links']['self']}/preview")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_preview")


def test_an_upload_of_an_earlier_version_is_looked_at(
    api: httpx.Client, settings: Settings, artifacts: ArtifactStore
) -> None:
    found = upload(api, npz(X=X, y=Y), NPZ).json()
    preview = api.get(found["links"]["preview"]).json()
    assert settings.redis_url is not None
    with connect(settings.redis_url) as client:
        record = json.loads(str(client.hget(keys.DATASET + found["id"], "record")))
        artifacts.delete(record.pop("preview")["path"])
        client.hset(keys.DATASET + found["id"], "record", json.dumps(record))
    later = api.get(found["links"]["preview"]).json()
    assert later["rows"] == preview["rows"] == [[0, 1, 0], [2, 3, 1], [4, 5.5, 0]]
    assert [column["missing"] for column in later["columns"]] == [None] * 3
    # one that can no longer be read says so
    stored = ArtifactRef.model_validate(record["object"])
    broken = artifacts.put(stored.path, b"nothing that could be read", stored.media_type)
    with connect(settings.redis_url) as client:
        client.hset(
            keys.DATASET + found["id"], "record", json.dumps(record | {"object": broken.model_dump(mode="json")})
        )
    answer = api.get(found["links"]["preview"])
    assert (answer.status_code, answer.json()["code"]) == (404, "no_preview")
    assert "upload it again" in answer.json()["detail"]


def test_a_body_with_labels_is_planned(api: httpx.Client) -> None:
    data: dict[str, Any] = {"source": "inline", "inputs": [[0.0], [1.0], [2.0]], "targets": ["b", "a", "b"]}
    plan = api.post("/v1/jobs/plan", json={"kind": "train", "data": data}).json()
    assert plan["spec"]["data"]["class_names"] == ["a", "b"]
    assert plan["spec"]["objective"]["loss"] == "cross_entropy"
    data["targets"] = ["b", 1, "b"]
    (error,) = api.post("/v1/jobs/plan", json={"kind": "train", "data": data}).json()["errors"]
    assert (error["pointer"], error["code"]) == ("/data/targets/1", "not_a_label")
