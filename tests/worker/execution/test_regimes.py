"""Regimes from a specification to results: what the worker writes, and what a client reads of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from service.api.forms import parameters
from service.artifacts import ArtifactStore
from service.contract.train.resolve import resolve_train
from tests.support.specs import parse_train
from worker.execution import execute
from worker.executor import JobInput

if TYPE_CHECKING:
    from pathlib import Path

    from worker.executor import Outcome

SPEC: dict[str, Any] = {
    "kind": "train",
    "data": {"source": "builtin", "name": "moons", "samples": 30},
    "discrete": {"depths": [4, 8]},
    "continuum": {"tolerance": 1e-3},
    "training": {"starts": 1, "gradient_tolerance": 1e-5},
    "plots": False,
}


class Run:
    """One job, done."""

    def __init__(self, directory: Path, **parts: Any) -> None:
        self.store = ArtifactStore(directory)
        body = {name: part for name, part in {**SPEC, **parts}.items() if part is not ...}
        spec = resolve_train(parse_train(body)).spec.model_dump(mode="json")
        self.outcome: Outcome = execute(JobInput("job", 1, spec, self.store), lambda _: None, lambda: False)
        self.results = json.loads(self.store.get(self.outcome.artifacts["results"]))
        self.models = {model["model"]: model for model in self.results["models"]}

    def parameters(self, model: str, grid: int | None = None) -> dict[str, Any]:
        content = self.store.get(self.outcome.artifacts[f"parameters/{model}"])
        read: dict[str, Any] = json.loads(parameters.read(content, grid).to_json())
        return read


def test_two_layer_blocks_come_out_as_K_and_V(tmp_path: Path) -> None:
    run = Run(tmp_path, network={"block": "two_layer", "width": 3})
    network = run.parameters("discrete-8")
    shapes = {name: np.shape(network[name]) for name in ("K", "b", "V", "W", "c")}
    assert shapes == {"K": (8, 3, 2), "b": (8, 3), "V": (8, 2, 3), "W": (2, 2), "c": (2,)}
    X = np.array([0.3, -0.4])
    continuum = run.parameters("continuum", 5)
    assert {name: np.shape(continuum["grid"][name]) for name in ("K", "b", "V")} == {
        "K": (5, 3, 2),
        "b": (5, 3),
        "V": (5, 2, 3),
    }
    assert set(continuum["coefficients"]) == {"K", "b", "V"}
    for K, b, V in zip(network["K"], network["b"], network["V"], strict=True):
        X = X + np.array(V) @ np.tanh(np.array(K) @ X + np.array(b)) / 8  # the shapes are those of the formula
    assert np.isfinite(X).all()
    # Each layer of the coarser network lasts as long as two of the finer one.
    coarse = run.parameters("discrete-4")
    apart = {
        name: np.sqrt(np.mean(np.square(np.repeat(coarse[name], 2, axis=0) - network[name]).reshape(8, -1).sum(1)))
        for name in ("K", "b", "V")
    }
    minimisers = run.results["diagnostics"]["minimisers"]
    (pair,) = minimisers["consecutive"]
    assert {name: pair["tl2"][name] for name in apart} == pytest.approx(apart, rel=1e-9)
    squares = [value**2 for name, value in pair["tl2"].items() if name != "total"]
    assert pair["tl2"]["total"] == pytest.approx(np.sqrt(sum(squares)), rel=1e-9)
    assert set(minimisers["depths"][0]["tl2"]) == {"K", "b", "V", "W", "c", "total"}
    assert set(minimisers["depths"][0]["h1_seminorm"]) == {"K", "b", "V"}
    single = Run(tmp_path / "single")
    assert "V" not in single.parameters("discrete-8")
    assert set(single.results["diagnostics"]["minimisers"]["depths"][0]["tl2"]) == {"K", "b", "W", "c", "total"}


def test_a_running_cost_is_part_of_the_objective(tmp_path: Path) -> None:
    run = Run(tmp_path, objective={"running_cost": 0.1}, network={"horizon": 2.0, "integrator": "midpoint"})
    for model in run.models.values():
        parts = model["terminal_loss"] + model["running_cost"] + sum(model["regularisation"].values())
        assert parts == pytest.approx(model["objective"], rel=1e-12)
        assert model["running_cost"] > 0.0
    losses = json.loads(run.store.get(run.outcome.artifacts["losses"]))
    assert losses["models"][0]["running_cost"][-1] == run.models["discrete-4"]["running_cost"]
    paper = Run(tmp_path / "paper")
    assert all("running_cost" not in model for model in paper.models.values())


def test_constant_weights_are_one_value(tmp_path: Path) -> None:
    run = Run(tmp_path, network={"weights": "constant", "integrator": "implicit_euler"})
    K = np.array(run.parameters("discrete-8")["K"])
    assert K.shape == (8, 2, 2)
    assert np.ptp(K, axis=0).max() == 0.0
    assert run.models["continuum"]["basis"] == {"family": "legendre", "degree": 0}
    grid = np.array(run.parameters("continuum", 3)["grid"]["K"])
    assert np.ptp(grid, axis=0).max() == 0.0


@pytest.mark.parametrize("scaling", ["none", "l2", "unscaled"])
def test_without_a_continuum_problem_there_is_no_continuum(tmp_path: Path, scaling: str) -> None:
    run = Run(tmp_path, objective={"scaling": scaling}, continuum=..., training={"starts": 1})
    assert set(run.models) == {"discrete-4", "discrete-8"}
    failed = [a["name"] for a in run.results["diagnostics"]["assumptions"] if not a["holds"]]
    assert failed == ["regulariser_h1"]
    assert run.results["diagnostics"]["verdict"]["converges"] is not True


@pytest.mark.parametrize("depth_start", ["independent", "recovery"])
def test_every_depth_start_trains_every_model(tmp_path: Path, depth_start: str) -> None:
    run = Run(tmp_path, training={"starts": 2, "depth_start": depth_start})
    assert set(run.models) == {"discrete-4", "discrete-8", "continuum"}
    assert {model["status"] for model in run.models.values()} == {"converged"}
