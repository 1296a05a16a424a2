"""Evaluations and diagnoses over HTTP, up to the worker's door; and training on an uploaded data set."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import safetensors.numpy

from service.contract import names
from service.contract.job import JobStatus
from tests.support.api import MOONS, PROVENANCE, HandWorker
from tests.support.uploads import CSV, NPZ, X, Y, npz

if TYPE_CHECKING:
    import httpx


def upload(api: httpx.Client, content: bytes, media_type: str = NPZ, **params: Any) -> str:
    answer = api.post("/v1/datasets", content=content, headers={"Content-Type": media_type}, params=params)
    assert answer.status_code in {200, 201}, answer.text
    dataset_id: str = answer.json()["id"]
    return dataset_id


def weights(api: httpx.Client, depth: int, d: int = 2) -> str:
    return upload(api, npz(K=np.ones((depth, d, d)), b=np.ones((depth, d))))


@pytest.fixture
def trained(api: httpx.Client, worker: HandWorker) -> str:
    api.post("/v1/jobs", json=MOONS)
    return worker.succeed().id


def errors(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


def test_training_on_an_upload(api: httpx.Client, worker: HandWorker) -> None:
    dataset_id = upload(api, npz(inputs=X, targets=Y))
    body = {"kind": "train", "data": {"source": "dataset", "id": dataset_id}}
    job = api.post("/v1/jobs", json=body).json()
    assert job["spec"]["objective"]["loss"] == "cross_entropy"
    assert (job["spec"]["data"]["samples"], job["spec"]["data"]["features"]) == (3, 2)
    assert api.delete(f"/v1/datasets/{dataset_id}").status_code == 204
    record, _ = worker.claim()
    arrays = safetensors.numpy.load(worker.artifacts.get(record.artifacts[names.DATA]))
    assert np.array_equal(arrays["inputs"], X)  # the job has its own
    assert errors(api.post("/v1/jobs", json=body)) == [("/data/id", "dataset_not_found")]


@pytest.mark.parametrize(
    ("arrays", "more", "expected"),
    [
        ({"inputs": X, "targets": Y}, {}, []),
        ({"inputs": X, "targets": Y.astype(float)}, {}, "squared_error"),
        ({"inputs": X, "targets": Y.astype(float)}, {"objective": {"loss": "cross_entropy"}}, "cross_entropy"),
        ({"inputs": X, "targets": 2 * Y - 1}, {"objective": {"loss": "logistic"}}, "logistic"),
        ({"inputs": X, "targets": Y}, {"objective": {"loss": "logistic"}}, "logistic"),
        ({"inputs": X, "targets": X}, {}, "squared_error"),
        ({"inputs": X, "targets": 2 * Y - 1}, {}, [("/data/id", "targets_do_not_fit")]),
        ({"inputs": X, "targets": 2 * Y}, {}, [("/data/id", "class_missing")]),
        ({"inputs": X, "targets": X}, {"objective": {"loss": "cross_entropy"}}, [("/data/id", "targets_do_not_fit")]),
        ({"inputs": X, "targets": X}, {"objective": {"loss": "logistic"}}, [("/data/id", "targets_do_not_fit")]),
        ({"inputs": X, "targets": Y}, {"network": {"state_dim": 1}}, [("/network/state_dim", "state_dim_too_small")]),
        ({"K": np.ones((2, 1, 1)), "b": np.ones((2, 1))}, {}, [("/data/id", "wrong_dataset")]),
    ],
)
def test_uploads_that_fit_a_loss_or_not(
    api: httpx.Client, arrays: dict[str, Any], more: dict[str, Any], expected: Any
) -> None:
    body = {"kind": "train", "data": {"source": "dataset", "id": upload(api, npz(**arrays))}, **more}
    answer = api.post("/v1/jobs", params={"dry_run": "true"}, json=body)
    if isinstance(expected, list) and expected:
        assert errors(answer) == expected
    else:
        assert answer.status_code == 200, answer.text
        assert answer.json()["spec"]["objective"]["loss"] == (expected or "cross_entropy")


def test_an_upload_without_targets_is_not_trained_on(api: httpx.Client) -> None:
    dataset_id = upload(api, b"1,2\n3,4\n", CSV, inputs_only="true")
    body = {"kind": "train", "data": {"source": "dataset", "id": dataset_id}}
    assert errors(api.post("/v1/jobs", json=body)) == [("/data/id", "no_targets")]


def test_an_evaluation_is_resolved_and_has_its_own_copies(api: httpx.Client, worker: HandWorker, trained: str) -> None:
    body = {
        "kind": "evaluate",
        "job_id": trained,
        "depths": [64],
        "name": "deeper",
        "data": {"source": "inline", "inputs": [[0, 1]]},
    }
    answer = api.post("/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    spec = job["spec"]
    assert (job["kind"], job["name"], spec["job_id"]) == ("evaluate", "deeper", trained)
    assert spec["models"] == ["discrete-8", "continuum"]
    assert spec["outputs"] == ["predictions", "metrics"]
    assert spec["trained"]["kind"] == "train"
    assert spec["data"] == {
        "source": "inline",
        "sha256": spec["data"]["sha256"],
        "samples": 1,
        "features": 2,
        "targets": False,
    }
    assert set(job["links"]) == {"self", "results", "cancel"}
    assert api.delete(f"/v1/jobs/{trained}").status_code == 204
    record, _ = worker.claim()
    for model in ("discrete-8", "continuum"):
        worker.artifacts.get(record.artifacts[names.trained_key(model)])
    assert [item["id"] for item in api.get("/v1/jobs", params={"kind": "evaluate"}).json()["items"]] == [job["id"]]
    assert api.get("/v1/jobs", params={"kind": "train"}).json()["items"] == []


def test_dry_runs(api: httpx.Client, trained: str) -> None:
    def estimate(body: dict[str, Any]) -> dict[str, Any]:
        answer = api.post("/v1/jobs", params={"dry_run": "true"}, json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["spec"]["kind"] == body["kind"]
        found: dict[str, Any] = answer.json()["estimate"]
        return found

    one = estimate({"kind": "evaluate", "job_id": trained})
    more = estimate({"kind": "evaluate", "job_id": trained, "outputs": ["robustness", "solvers"]})
    assert more["work_flops"] > 10 * one["work_flops"]
    few = estimate({"kind": "diagnose", "networks": [{"dataset_id": weights(api, 4)}]})
    many = estimate({"kind": "diagnose", "networks": [{"dataset_id": weights(api, 400)}]})
    assert many["work_flops"] > 100 * few["work_flops"]
    assert few["parameters"] == 4 * 6


INLINE = {"source": "inline", "inputs": [[0.0, 1.0]]}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"models": ["discrete-9"]}, [("/models/0", "model_not_found")]),
        ({"models": ["continuum", "continuum"]}, [("/models/1", "twice")]),
        ({"models": []}, [("", "nothing_to_evaluate")]),
        ({"models": "continuum"}, [("/models", "not_an_array")]),
        ({"depths": [1]}, [("/depths/0", "too_small")]),
        ({"depths": [8, 8]}, [("/depths/1", "twice")]),
        ({"depths": [10**6]}, [("/depths/0", "too_large")]),
        ({"outputs": []}, [("/outputs", "empty")]),
        ({"outputs": ["gradients"]}, [("/outputs/0", "invalid_choice")]),
        ({"data": {"source": "inline", "inputs": [[1.0]]}}, [("/data/inputs", "wrong_shape")]),
        ({"data": INLINE | {"targets": [2]}}, [("/data/targets", "targets_do_not_fit")]),
        ({"data": INLINE | {"targets": [0.5]}}, [("/data/targets", "targets_do_not_fit")]),
        ({"data": INLINE | {"targets": [0, 1]}}, [("/data/targets", "length_mismatch")]),
        ({"data": INLINE | {"standardise": False}}, [("/data/standardise", "unknown_field")]),
        (
            {"data": {"source": "builtin", "name": "iris"}},
            [("/data/name", "targets_do_not_fit"), ("/data", "wrong_shape")],
        ),
        ({"data": {"source": "dataset", "id": "x"}}, [("/data/id", "dataset_not_found")]),
        ({"data": {"source": "job"}}, [("/data/source", "invalid_choice")]),
        ({"noise": {"levels": [0.0]}}, [("/noise/levels/0", "too_small")]),
        ({"noise": {"levels": []}}, [("/noise/levels", "empty")]),
        ({"solvers": {"steps": [0]}}, [("/solvers/steps/0", "too_small")]),
        ({"device": "cuda"}, [("/device", "device_unavailable")]),
        ({"job_id": "no-such-job"}, [("/job_id", "job_not_found")]),
        ({"training": {}}, [("/training", "unknown_field")]),
    ],
)
def test_wrong_evaluations(api: httpx.Client, trained: str, more: dict[str, Any], expected: list[Any]) -> None:
    body = {"kind": "evaluate", "job_id": trained} | more
    assert errors(api.post("/v1/jobs", json=body)) == expected


def test_an_evaluation_waits_for_nobody(api: httpx.Client, trained: str) -> None:
    running = api.post("/v1/jobs", json=MOONS).json()["id"]
    assert errors(api.post("/v1/jobs", json={"kind": "evaluate", "job_id": running})) == [
        ("/job_id", "results_not_ready")
    ]
    api.post(f"/v1/jobs/{running}/cancel")
    assert errors(api.post("/v1/jobs", json={"kind": "evaluate", "job_id": running})) == [
        ("/job_id", "results_unavailable")
    ]
    other = api.post("/v1/jobs", json={"kind": "evaluate", "job_id": trained}).json()["id"]
    assert errors(api.post("/v1/jobs", json={"kind": "evaluate", "job_id": other})) == [("/job_id", "wrong_kind")]


def test_too_many_states(api: httpx.Client, trained: str) -> None:
    data = {"source": "builtin", "name": "moons", "samples": 100_000}
    body = {"kind": "evaluate", "job_id": trained, "data": data, "outputs": ["metrics", "states"]}
    assert errors(api.post("/v1/jobs", json=body)) == [("/outputs/1", "too_large")]


def test_wrong_diagnoses(api: httpx.Client) -> None:
    known, other, samples = weights(api, 4), weights(api, 8, d=3), upload(api, npz(inputs=X, targets=Y))
    for networks, expected in (
        ([], [("/networks", "empty")]),
        ([{"dataset_id": "x"}], [("/networks/0/dataset_id", "dataset_not_found")]),
        ([{"depth": 5, "dataset_id": known}], [("/networks/0/depth", "depth_mismatch")]),
        ([{"dataset_id": known}, {"dataset_id": other}], [("/networks/1/dataset_id", "wrong_shape")]),
        ([{"dataset_id": samples}], [("/networks/0/dataset_id", "wrong_dataset")]),
        ([{"dataset_id": known}] * 65, [("/networks", "too_many")]),
        ([{}], [("/networks/0/dataset_id", "required")]),
    ):
        assert errors(api.post("/v1/jobs", json={"kind": "diagnose", "networks": networks})) == expected
    body = {"kind": "diagnose", "networks": [{"dataset_id": known}], "residual_exponent": 2}
    assert errors(api.post("/v1/jobs", json=body)) == [("/residual_exponent", "too_large")]


def test_kinds_that_are_none(api: httpx.Client) -> None:
    kinds: tuple[Any, ...] = ("other", 1, None, ["train"], {})
    for kind in kinds:
        assert errors(api.post("/v1/jobs", json={"kind": kind})) == [("/kind", "invalid_choice")]


def test_capabilities_name_the_kinds(api: httpx.Client) -> None:
    found = api.get("/v1/capabilities").json()
    assert set(found["kinds"]) == {"train", "evaluate", "diagnose"}
    assert found["kinds"]["diagnose"]["properties"]["networks"]["type"] == "array"
    assert found["limits"]["upload_bytes"] == 64 * 2**20
    assert "text/csv" in found["upload_media_types"]


def finished_evaluation(api: httpx.Client, worker: HandWorker, trained: str, samples: int) -> str:
    """Do what a worker does to an evaluation, with made-up numbers."""
    body = {"kind": "evaluate", "job_id": trained, "models": ["discrete-8"]}
    assert api.post("/v1/jobs", json=body).status_code == 202
    record, fence = worker.claim()
    file = safetensors.numpy.save({"predictions": np.ones((samples, 2)), "labels": np.zeros(samples, np.int64)})
    stored = worker.artifacts.put(
        names.results_path(record.id, fence, names.output_key("predictions", "discrete-8")),
        file,
        "application/vnd.safetensors",
    )
    shapes = {"predictions": {"shape": [samples, 2], "dtype": "float64"}}
    results = {
        "evaluated_job_id": trained,
        "data": {"source": "job", "samples": samples, "targets": True},
        "evaluations": [
            {
                "model": "discrete-8",
                "kind": "discrete",
                "depth": 8,
                "steps": None,
                "integration_error": None,
                "metrics": None,
                "predictions": {"arrays": shapes, "sha256": stored.sha256},
            }
        ],
        "provenance": PROVENANCE,
    }
    body_of = json.dumps(results).encode()
    artifacts = {
        names.RESULTS: worker.artifacts.put(names.results_path(record.id, fence), body_of, "application/json"),
        names.output_key("predictions", "discrete-8"): stored,
    }
    worker.store.finish(record.id, fence, JobStatus.SUCCEEDED, artifacts=artifacts)
    return record.id


def test_results_of_an_evaluation(api: httpx.Client, worker: HandWorker, trained: str) -> None:
    job_id = finished_evaluation(api, worker, trained, 3)
    assert set(api.get(f"/v1/jobs/{job_id}").json()["links"]) == {"self", "results", "report"}
    found = api.get(f"/v1/jobs/{job_id}/results").json()
    href = found["evaluations"][0]["predictions"]["href"]
    assert href == f"/v1/jobs/{job_id}/results/predictions?model=discrete-8"
    assert set(found["links"]) == {"self", "job"}
    expected: dict[str, object] = {"model": "discrete-8", "predictions": [[1.0, 1.0]] * 3, "labels": [0, 0, 0]}
    expected |= {"class_names": None, "label_names": None}
    assert api.get(href).json() == expected
    answer = api.get(href, headers={"Accept": "application/x-npz"})
    with np.load(io.BytesIO(answer.content), allow_pickle=False) as file:
        assert file["predictions"].shape == (3, 2)
    assert safetensors.numpy.load(api.get(href, headers={"Accept": "application/vnd.safetensors"}).content)
    assert api.get(href, headers={"Accept": "text/html"}).status_code == 406
    for path, code in (
        ("predictions?model=continuum", "model_not_found"),
        ("states?model=discrete-8", "model_not_found"),
        ("parameters?model=discrete-8", "model_not_found"),
        ("losses", "results_unavailable"),
        ("diagnostics", "results_unavailable"),
    ):
        answer = api.get(f"/v1/jobs/{job_id}/results/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, code)
    assert api.get(f"/v1/jobs/{job_id}/results/predictions").status_code == 422


def test_predictions_name_the_classes_of_the_training(api: httpx.Client, worker: HandWorker) -> None:
    dataset = upload(api, b"left,right,side\n0,1,up\n2,3,down\n4,5,up\n", CSV)
    api.post("/v1/jobs", json={"kind": "train", "data": {"source": "dataset", "id": dataset}})
    job_id = finished_evaluation(api, worker, worker.succeed().id, 3)
    found = api.get(f"/v1/jobs/{job_id}/results/predictions", params={"model": "discrete-8"}).json()
    assert (found["class_names"], found["labels"]) == (["down", "up"], [0, 0, 0])


def test_too_many_predictions_for_json(api: httpx.Client, worker: HandWorker, trained: str) -> None:
    job_id = finished_evaluation(api, worker, trained, 100_000)
    href = f"/v1/jobs/{job_id}/results/predictions?model=discrete-8"
    assert api.get(href).status_code == 406
    assert api.get(href, headers={"Accept": "application/x-npz"}).status_code == 200
