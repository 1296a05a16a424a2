"""A job with a wanted gap, from its specification to its results."""

import json
from pathlib import Path
from typing import Any

from service.artifacts import ArtifactStore
from service.contract.names import RESULTS
from service.contract.resolve import resolve
from service.contract.spec import parse_spec
from worker.execution import execute
from worker.outcome import JobInput

SMALL: dict[str, Any] = {
    "kind": "train",
    "data": {"source": "builtin", "name": "moons", "samples": 20, "seed": 1},
    "training": {"starts": 2},
}


def run(folder: Path, body: dict[str, Any]) -> tuple[dict[str, Any], list[float]]:
    """Execute a specification; return the results and every fraction of its progress."""
    store, fractions = ArtifactStore(str(folder)), []
    resolved = resolve(parse_spec(body)).spec.model_dump(mode="json")
    outcome = execute(
        JobInput("job", 1, resolved, store, None), lambda at: fractions.append(at.fraction), lambda: False
    )
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


def test_every_study_is_classified(tmp_path: Path) -> None:
    results, _ = run(tmp_path, SMALL | {"discrete": {"depths": [8, 16, 32, 64]}})
    found = results["diagnostics"]["classification"]
    assert found["class"] == "h1_limit"
    growth = next(row for row in found["evidence"] if row["name"] == "growth_R")
    assert set(growth) == {"name", "value", "interval", "supports", "detail"}
    assert growth["interval"][0] <= growth["value"] <= growth["interval"][1]
    assert all("check" not in row or row["check"] is None for row in results["diagnostics"]["depth_advice"])


def test_one_depth_is_too_little_to_classify(tmp_path: Path) -> None:
    results, _ = run(tmp_path, SMALL | {"discrete": {"depths": [8]}})
    assert results["diagnostics"]["classification"]["class"] == "undecided"
