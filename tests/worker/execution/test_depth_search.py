"""A job with a wanted gap or prediction error, from its specification to its results."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from service.artifacts import ArtifactStore
from service.contract.names import DATA, RESULTS, data_path
from service.contract.plan import InlineSamples
from service.contract.train.resolve import resolve_train
from service.contract.values.limits import LIMITS
from service.jobs.planning.prepared import encode
from tests.support.specs import parse_train
from worker.execution import execute
from worker.executor import JobInput

SMALL: dict[str, Any] = {
    "kind": "train",
    "data": {"source": "builtin", "name": "moons", "samples": 20, "seed": 1},
    "training": {"starts": 2},
    "plots": False,
}


def run(folder: Path, body: dict[str, Any]) -> tuple[dict[str, Any], list[float]]:
    """Execute a specification; return the results and every fraction of its progress."""
    store, fractions, data, spec = ArtifactStore(str(folder)), [], None, parse_train(body)
    resolution = resolve_train(spec)
    if spec.data.source == "inline":
        content = encode(InlineSamples(spec.data.inputs, spec.data.targets, resolution.spec.objective.loss.target_kind))
        data = store.put(data_path("job"), content, "application/vnd.safetensors")
    job = JobInput("job", 1, resolution.spec.model_dump(mode="json"), store, {} if data is None else {DATA: data})
    outcome = execute(job, lambda at: fractions.append(at.fraction), lambda: False)
    results: dict[str, Any] = json.loads(store.get(outcome.artifacts[RESULTS]))
    return results, fractions


def test_the_depth_is_found_and_trained(tmp_path: Path) -> None:
    results, fractions = run(tmp_path, SMALL | {"discrete": {"depths": {"gap": 1e-4}}})
    asked, *standard = results["diagnostics"]["depth_advice"]
    assert asked["gap"] == 1e-4
    assert asked["check"]["met"] is True
    assert asked["check"]["depth"] == asked["depth"] > 32
    assert asked["check"]["gap"] <= 1e-4
    names = [model["model"] for model in results["models"]]
    assert names == ["discrete-8", "discrete-16", "discrete-32", f"discrete-{asked['depth']}", "continuum"]
    assert [row["relative"] for row in standard] == [1e-2, 1e-3, 1e-4]
    assert fractions == sorted(fractions)


def test_the_depth_for_a_prediction_error_is_found_and_trained(tmp_path: Path) -> None:
    """Targets are standardised, from thousands: the wanted error is in their units, on samples held out."""
    inputs = [[0.1 * k, math.sin(k)] for k in range(20)]
    targets = [1000.0 * math.cos(0.2 * k) for k in range(20)]
    data = {"source": "inline", "inputs": inputs, "targets": targets, "validation_fraction": 0.25}
    results, _ = run(tmp_path, SMALL | {"data": data, "discrete": {"depths": {"prediction_error": 0.5}}})
    asked, *standard = results["diagnostics"]["depth_advice"]
    assert (asked["gap"], asked["wanted_prediction_error"]) == (None, 0.5)
    check = asked["check"]
    assert check["depth"] == asked["depth"] > 32
    assert check["met"] is True
    predictions = results["diagnostics"]["predictions"]
    assert predictions["data"] == "validation"
    rows = {row["depth"]: row["sup_error"] for row in predictions["depths"]}
    assert check["prediction_error"] == rows[asked["depth"]] <= 0.5 < rows[32]
    assert asked["depth"] == pytest.approx(32 * rows[32] / 0.5, rel=0.05)
    assert all(row["gap"] is not None and row["wanted_prediction_error"] is None for row in standard)


@pytest.mark.parametrize("wanted", [{"gap": 1e-6}, {"prediction_error": 1e-6}])
def test_nothing_is_trained_that_is_deeper_than_the_dry_run_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, float]
) -> None:
    """Samples held out for validation count as the rest do: what is affordable without them is deeper."""
    data = SMALL["data"] | {"samples": 200, "validation_fraction": 0.5}
    body = SMALL | {"data": data, "discrete": {"depths": wanted}, "training": {"starts": 1}}
    limits = LIMITS.model_copy(update={"work_flops": 2.6e8})
    said = resolve_train(parse_train(body), limits).estimate
    assert said.at_most is not None
    monkeypatch.setattr("worker.execution.train.LIMITS", limits)
    results, _ = run(tmp_path, body)
    asked = results["diagnostics"]["depth_advice"][0]
    assert asked["depth"] > asked["check"]["depth"] == said.at_most.depth > 32
    assert asked["check"]["met"] is False
    trained = [model["depth"] for model in results["models"] if model["kind"] == "discrete"]
    assert max(trained) == said.at_most.depth


def test_every_study_is_classified(tmp_path: Path) -> None:
    results, _ = run(tmp_path, SMALL | {"discrete": {"depths": [8, 16, 32, 64]}})
    classified = results["diagnostics"]["classification"]
    assert classified["class"] == "h1_limit"
    growth = next(row for row in classified["evidence"] if row["name"] == "growth_R")
    assert set(growth) == {"name", "value", "interval", "supports", "detail"}
    assert growth["interval"][0] <= growth["value"] <= growth["interval"][1]
    assert all("check" not in row or row["check"] is None for row in results["diagnostics"]["depth_advice"])


def test_one_depth_is_too_little_to_classify(tmp_path: Path) -> None:
    results, _ = run(tmp_path, SMALL | {"discrete": {"depths": [8]}})
    assert results["diagnostics"]["classification"]["class"] == "undecided"
