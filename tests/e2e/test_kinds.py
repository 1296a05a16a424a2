"""Uploads, evaluations and diagnoses, driven over HTTP with the real worker and the real mathematics."""

from __future__ import annotations

import io
import json
import math
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
import safetensors.numpy

from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

B: dict[str, Any] = {
    "kind": "train",
    "data": {
        "source": "inline",
        "inputs": [[1.0], [-1.0]],
        "targets": [[2.0], [-2.0]],
        "standardise": False,
        "standardise_targets": False,
    },
    "network": {"activation": "identity"},
    "objective": {"alpha": {"K": 0.05, "b": 0.05, "W": 0.1, "c": 0.1}},
    "discrete": {"depths": [8, 16, 32]},
    "training": {"starts": 2},
}
"""Known answer B of the study."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("kinds") / "data", {"DEEPLIMIT_TORCH_THREADS": "1"})
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def trained(service: Service) -> str:
    return finish(service, B)


def finish(service: Service, body: dict[str, Any], within: float = 120) -> str:
    job_id = service.submit(body)
    job = service.wait_for(job_id, "succeeded", within=within)
    assert job["progress"]["fraction"] == 1.0
    return job_id


def results(service: Service, job_id: str) -> dict[str, Any]:
    answer = service.client.get(f"/v1/jobs/{job_id}/results")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def upload(service: Service, content: bytes, media_type: str, **params: Any) -> dict[str, Any]:
    answer = service.client.post("/v1/datasets", content=content, headers={"Content-Type": media_type}, params=params)
    assert answer.status_code in {200, 201}, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_train_then_evaluate_at_depths_never_trained(service: Service, trained: str) -> None:
    new = {"source": "inline", "inputs": [[1.0], [-1.0], [0.5]], "targets": [[2.0], [-2.0], [1.0]]}
    outputs = ["predictions", "metrics", "states", "solvers", "robustness"]
    job_id = finish(
        service,
        {
            "kind": "evaluate",
            "job_id": trained,
            "models": ["discrete-32", "continuum"],
            "depths": [64, 128, 256],
            "data": new,
            "outputs": outputs,
            "noise": {"levels": [0.1, 0.2], "repeats": 4},
        },
    )
    found = results(service, job_id)
    names = [entry["model"] for entry in found["evaluations"]]
    assert names == ["discrete-32", "continuum", "sampled-64", "sampled-128", "sampled-256"]
    orders = [row["predictions"]["order"] for row in found["sampled"]["depths"]]
    assert orders[0] is None
    assert orders[1:] == [pytest.approx(1.0, abs=0.03)] * 2
    by_name = {entry["model"]: entry for entry in found["evaluations"]}
    continuum = by_name["continuum"]
    assert continuum["solvers"]["consistent"] is True
    assert continuum["metrics"]["r2"] > 0.99
    assert continuum["robustness"]["levels"][1]["rms_change"] == pytest.approx(
        2 * continuum["robustness"]["levels"][0]["rms_change"], rel=1e-9
    )  # the flow is linear
    answer = service.client.get(continuum["predictions"]["href"])
    assert answer.status_code == 200, answer.text
    values = answer.json()["predictions"]
    # the flow is linear and odd
    assert values[0][0] == pytest.approx(-values[1][0], rel=1e-7)
    assert values[2][0] == pytest.approx(values[0][0] / 2, rel=1e-7)
    states = service.client.get(continuum["states"]["href"]).json()
    assert states["t"][-1] == 1.0
    assert len(states["states"]) == len(states["t"]) == 129
    assert values[0][0] == pytest.approx(0.647324 * states["states"][-1][0][0], rel=1e-5)  # W of the known answer
    deep = service.client.get(by_name["discrete-32"]["states"]["href"], headers={"Accept": "application/x-npz"})
    with np.load(io.BytesIO(deep.content), allow_pickle=False) as file:
        assert file["states"].shape == (33, 3, 1)
    binary = service.client.get(
        by_name["sampled-64"]["predictions"]["href"], headers={"Accept": "application/vnd.safetensors"}
    )
    assert safetensors.numpy.load(binary.content)["predictions"].shape == (3, 1)


def test_an_evaluation_on_the_jobs_own_data_repeats_its_metrics(service: Service, trained: str) -> None:
    own = results(service, trained)
    found = results(service, finish(service, {"kind": "evaluate", "job_id": trained}))
    metrics = {entry["model"]: entry["metrics"] for entry in found["evaluations"]}
    for model in own["models"]:
        # the continuum is integrated with finer steps here than where it was trained
        assert metrics[model["model"]]["terminal_loss"] == pytest.approx(model["train"]["terminal_loss"], rel=1e-6)


def test_a_trained_model_is_taken_away_and_predicts_the_same(service: Service, trained: str) -> None:
    """Every kind of job has a report; the zip's weights and the ONNX file are those of the worker's training."""
    new = {"source": "inline", "inputs": [[1.0], [-0.25]]}
    body = {"kind": "evaluate", "job_id": trained, "models": ["discrete-32"], "data": new}
    evaluated = finish(service, body)
    for job_id in (trained, evaluated):
        page = service.client.get(service.job(job_id)["links"]["report"])
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert results(service, job_id)["provenance"]["libraries"]["numpy"] in page.text
    wanted = service.client.get(f"/v1/jobs/{evaluated}/results/predictions?model=discrete-32").json()["predictions"]
    link = service.job(trained)["links"]["export"]
    graph = service.client.get(link, params={"model": "discrete-32", "format": "onnx"})
    session = onnxruntime.InferenceSession(graph.content, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"inputs": np.array(new["inputs"])})
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    with zipfile.ZipFile(io.BytesIO(service.client.get(link).content)) as file:
        weights = safetensors.numpy.load(file.read("parameters.safetensors"))
        crate = json.loads(file.read("ro-crate-metadata.json"))
    assert weights["K"].shape == (32, 1, 1)
    assert [entry["sha256"] for entry in crate["@graph"] if entry["@id"] == "#data"] == [
        service.job(trained)["spec"]["data"]["sha256"]
    ]


def test_upload_then_train_on_it_and_delete_it_meanwhile(service: Service) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    lines = ["left,right,side"] + [f"{a!r},{b!r},{'up' if a + b > 0 else 'down'}" for a, b in x.tolist()]
    dataset = upload(service, "\n".join(lines).encode(), "text/csv", name="sides")
    assert (dataset["samples"], dataset["features"]) == (60, 2)
    assert dataset["targets"]["class_names"] == ["down", "up"]
    body = {
        "kind": "train",
        "data": {"source": "dataset", "id": dataset["id"], "validation_fraction": 0.2},
        "discrete": {"depths": [4, 8]},
        "training": {"starts": 1},
    }
    job_id = service.submit(body)
    assert service.client.delete(f"/v1/datasets/{dataset['id']}").status_code == 204
    job = service.wait_for(job_id, "succeeded", within=120)
    assert job["spec"]["objective"]["loss"] == "cross_entropy"
    assert job["spec"]["data"] == {
        "source": "dataset",
        "id": dataset["id"],
        "name": "sides",
        "samples": 60,
        "features": 2,
        "standardise": True,
        "standardise_targets": False,
        "validation_fraction": 0.2,
        "split_seed": 0,
        "class_names": ["down", "up"],
        "columns": ["left", "right"],
        "target_columns": ["side"],
    }
    found = results(service, job_id)
    assert found["data"]["samples"] == {"train": 48, "validation": 12}
    assert [found["data"][key] for key in ("inputs", "classes")] == [["left", "right"], ["down", "up"]]
    assert found["diagnostics"]["verdict"]["answer"]["data"] == "validation"
    train = found["models"][0]
    assert train["train"]["accuracy"] > 0.95
    evaluation = results(service, finish(service, {"kind": "evaluate", "job_id": job_id, "models": ["discrete-8"]}))
    answer = service.client.get(evaluation["evaluations"][0]["predictions"]["href"]).json()
    assert len(answer["labels"]) == 60
    assert answer["label_names"] == [["down", "up"][label] for label in answer["labels"]]
    assert evaluation["data"]["classes"] == ["down", "up"]
    assert np.allclose(np.sum(answer["predictions"], axis=1), 1.0)
    # a data set without targets: predictions and no metrics
    only = upload(service, b"0.5,0.5\n-1,-1\n", "text/csv", inputs_only="true")
    assert only["targets"] is None
    body = {"kind": "evaluate", "job_id": job_id, "data": {"source": "dataset", "id": only["id"]}}
    entry = results(service, finish(service, body))["evaluations"][-1]
    assert entry["metrics"] is None
    labels = service.client.get(entry["predictions"]["href"]).json()["labels"]
    assert labels == [1, 0]


def weights_file(depth: int, *, rough: bool, seed: int) -> bytes:
    t = np.arange(depth)[:, None, None] / depth
    if rough:
        rng = np.random.default_rng(seed)
        K, b = rng.normal(size=(depth, 2, 2)) / math.sqrt(depth), rng.normal(size=(depth, 2)) / math.sqrt(depth)
    else:
        K = np.eye(2) * np.cos(t) + t**2
        b = np.sin(t[:, :, 0]) * np.ones(2)
    file = io.BytesIO()
    np.savez_compressed(file, K=K, b=b)
    return file.getvalue()


@pytest.mark.parametrize(("rough", "expected"), [(False, "h1_limit"), (True, "rough")])
def test_upload_weights_and_diagnose_them(service: Service, *, rough: bool, expected: str) -> None:
    networks = []
    for depth in (16, 32, 64, 128, 256):
        uploaded = upload(service, weights_file(depth, rough=rough, seed=depth), "application/x-npz")
        assert (uploaded["kind"], uploaded["depth"], uploaded["state_dim"]) == ("weights", depth, 2)
        networks.append({"depth": depth, "dataset_id": uploaded["id"]})
    found = results(service, finish(service, {"kind": "diagnose", "networks": networks}))
    assert found["classification"]["class"] == expected
    assert [row["depth"] for row in found["networks"]] == [16, 32, 64, 128, 256]
    for row in found["networks"]:
        joint = row["joint"]
        assert joint["holder"] <= math.sqrt(joint["seminorm"]) * (1 + 1e-12)
        assert set(joint["p_variation"]) == {"1", "2", "3"}


def test_parameters_of_this_service_can_be_diagnosed(service: Service, trained: str) -> None:
    networks = []
    for depth in (8, 16, 32):
        answer = service.client.get(
            f"/v1/jobs/{trained}/results/parameters",
            params={"model": f"discrete-{depth}"},
            headers={"Accept": "application/vnd.safetensors"},
        )
        uploaded = upload(service, answer.content, "application/vnd.safetensors")
        networks.append({"dataset_id": uploaded["id"]})
    found = results(service, finish(service, {"kind": "diagnose", "networks": networks}))
    assert found["networks"][2]["K"]["R"] == pytest.approx(
        results(service, trained)["models"][2]["regularisation"]["K"] / 0.05, rel=1e-9
    )  # τ = 1


def test_a_listing_by_kind(service: Service, trained: str) -> None:
    for kind in ("evaluate", "diagnose"):
        items = service.client.get("/v1/jobs", params={"kind": kind}).json()["items"]
        assert items
        assert {item["kind"] for item in items} == {kind}
        assert set(items[0]["links"]) == {"self", "results", "report"}
    assert trained in {item["id"] for item in service.client.get("/v1/jobs", params={"kind": "train"}).json()["items"]}


def test_labels_and_columns_are_those_of_the_training(service: Service) -> None:
    """Labels become classes by their order in one file: another file's are found again by their names."""
    rows = [f"{k + 0.1 * i},{'abc'[k]}" for i in range(4) for k in range(3)]
    files = {
        "whole": ["x,y", *rows],
        "part": ["x,y", *(row for row in rows if "a" not in row)],
        "unknown": ["x,y", *rows, "9.0,d", "9.1,e"],
        "renamed": ["z,y", *rows],
    }
    ids = {name: upload(service, "\n".join(lines).encode(), "text/csv")["id"] for name, lines in files.items()}
    spec = {"kind": "train", "data": {"source": "dataset", "id": ids["whole"]}, "discrete": {"depths": [4]}}
    job_id = finish(service, spec)

    def evaluation(name: str) -> dict[str, Any]:
        data = {"source": "dataset", "id": ids[name]}
        return {"kind": "evaluate", "job_id": job_id, "models": ["discrete-4"], "data": data}

    for other, code in (("unknown", "targets_do_not_fit"), ("renamed", "columns_differ")):
        answer = service.client.post("/v1/jobs", json=evaluation(other))
        assert answer.status_code == 422
        assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [("/data/id", code)]
    (whole,) = results(service, finish(service, evaluation("whole")))["evaluations"]
    trained = service.client.get(f"/v1/jobs/{job_id}/results").json()["models"][0]
    assert whole["metrics"]["accuracy"] == trained["train"]["accuracy"]
    (part,) = results(service, finish(service, evaluation("part")))["evaluations"]
    read = [service.client.get(entry["predictions"]["href"]).json() for entry in (whole, part)]
    assert [one["class_names"] for one in read] == [["a", "b", "c"]] * 2
    kept = [i for i, row in enumerate(rows) if "a" not in row]
    assert read[1]["labels"] == [read[0]["labels"][i] for i in kept]
    right = [read[1]["class_names"][label] == rows[i][-1] for label, i in zip(read[1]["labels"], kept, strict=True)]
    assert part["metrics"]["accuracy"] == np.mean(right) > 0.9


def test_two_layer_blocks_and_another_integrator(service: Service) -> None:
    """Depths never trained converge at the second order, which is as far as layers linear between nodes go."""
    spec = {
        "kind": "train",
        "data": {"source": "builtin", "name": "moons", "samples": 30},
        "network": {"block": "two_layer", "width": 3, "integrator": "rk4"},
        "discrete": {"depths": [4]},
        "continuum": {"tolerance": 1e-3},
        "training": {"starts": 1, "gradient_tolerance": 1e-5},
    }
    job_id = finish(service, spec)
    body = {"kind": "evaluate", "job_id": job_id, "depths": [32, 64], "outputs": ["predictions", "metrics", "solvers"]}
    found = results(service, finish(service, body))
    for name in ("states", "predictions"):
        assert found["sampled"]["depths"][1][name]["order"] == pytest.approx(2.0, abs=0.1)
    own = {model["model"]: model["train"] for model in results(service, job_id)["models"]}
    for entry in found["evaluations"]:
        if entry["model"] in own:
            assert entry["metrics"]["terminal_loss"] == pytest.approx(own[entry["model"]]["terminal_loss"], rel=1e-4)
        assert entry["solvers"]["own"]["solver"] == "rk4"
        assert {row["solver"] for row in entry["solvers"]["table"]} == {"euler", "midpoint", "rk4"}
    continuum = next(entry for entry in found["evaluations"] if entry["model"] == "continuum")
    assert continuum["solvers"]["consistent"] is True


def test_logistic_classes_of_zero_and_one_are_evaluated_as_either(service: Service) -> None:
    spec = {
        "kind": "train",
        "data": {"source": "builtin", "name": "moons", "samples": 30},
        "objective": {"loss": "logistic"},
        "discrete": {"depths": [4]},
        "continuum": None,
        "training": {"starts": 1, "gradient_tolerance": 1e-5},
    }
    job_id = finish(service, spec)
    metrics = []
    for targets in ([0, 0, 1], [-1, -1, 1]):
        data = {"source": "inline", "inputs": [[0.0, 1.0], [0.5, 0.9], [1.0, -0.5]], "targets": targets}
        (entry,) = results(service, finish(service, {"kind": "evaluate", "job_id": job_id, "data": data}))[
            "evaluations"
        ]
        metrics.append(entry["metrics"])
    assert metrics[0] == metrics[1]
    assert metrics[0]["accuracy"] == 1.0
    data = {"source": "inline", "inputs": [[0.0, 1.0], [1.0, -0.5]], "targets": [-1, 0]}
    answer = service.client.post("/v1/jobs", json={"kind": "evaluate", "job_id": job_id, "data": data})
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [("/data/targets", "targets_do_not_fit")]
