"""The network in numpy against the one that is trained, and the study in this process against the worker's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load

from deeplimit.estimators.in_process import train_in_process
from deeplimit.estimators.network import ACTIVATIONS, FittedNetwork, Scaling
from deeplimit.estimators.specification import inline, specification
from deeplimit.estimators.study import Study, rows_of
from deeplimit.estimators.task import Settings, Task
from deeplimit.mathematics import Problem
from deeplimit.mathematics.kernels.activations import ACTIVATIONS as TRAINED
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from service.artifacts import ArtifactStore
from service.contract.names import DATA, RESULTS, data_path, parameters_key
from service.contract.plan import InlineSamples
from service.contract.train.resolve import resolve_train
from service.jobs.planning.prepared import encode
from tests.support.specs import parse_train
from worker.execution import execute
from worker.executor import JobInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

JOB = "0123456789abcdef"
SETTINGS: Mapping[str, Any] = {
    "activation": "tanh",
    "state_dim": 3,
    "alpha": {"K": 1e-3, "b": 2e-3, "W": 3e-3, "c": 4e-3},
    "tau": {"K": 0.5, "b": 2.0},
    "validation_fraction": 0.25,
    "starts": 2,
    "max_iterations": 40,
    "wall_time_s": 600.0,
    "device": "cpu",
    "seed": 7,
}


def test_activations_are_those_that_are_trained() -> None:
    assert set(ACTIVATIONS) == set(TRAINED)
    z = np.linspace(-40.0, 40.0, 4001)
    for name, sigma in ACTIVATIONS.items():
        np.testing.assert_allclose(sigma(z), TRAINED[name](torch.tensor(z)).numpy(), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_the_forward_map_is_that_of_the_mathematics(activation: str) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(5.0, 3.0, size=(7, 2))
    scaling = Scaling(inputs.mean(0), inputs.std(0))
    problem = Problem(
        (inputs - scaling.mean) / scaling.scale, rng.normal(size=(7, 2)), activation=activation, state_dim=4
    )
    network = ResidualNetwork(problem, 6)
    u = network.random(torch.Generator().manual_seed(1), 1.0)
    parameters = network.parameters(u)
    arrays = {name: getattr(parameters, name).numpy() for name in ("K", "b", "W", "c")}
    ours = FittedNetwork(activation, scaling, **arrays)
    assert ours.depth == 6
    np.testing.assert_allclose(ours.outputs(inputs), network.output(u, problem.x).numpy(), rtol=1e-12, atol=1e-13)


def task_of(loss: str) -> Task:
    rng = np.random.default_rng(3)
    inputs = rng.normal(2.0, 3.0, size=(32, 2))
    score = np.tanh(inputs[:, 0]) + 0.3 * rng.normal(size=32)
    targets: Any = np.digitize(score, [-0.3, 0.6])
    if loss == "squared_error":
        targets = np.column_stack([100.0 + score, inputs[:, 1] ** 2])
    return Task(inputs, targets, loss, Settings(**SETTINGS), "test")


def test_numbers_of_a_service_that_are_not_finite_are_left_out_of_the_table() -> None:
    model = {"depth": 8, "status": "diverged", "objective": "Infinity", "iterations": 1}
    model |= {"train": {"accuracy": "NaN", "r2": None, "withheld": {}}, "validation": {"accuracy": 0.5}}
    (row,), _ = rows_of([model])
    study = Study((row,), None, None, "No.", ())
    assert "<td>8</td><td>diverged</td><td></td><td></td><td></td><td>0.5</td>" in study._repr_html_()


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
def test_in_process_the_study_is_that_of_a_worker(loss: str, tmp_path: Path) -> None:
    task = task_of(loss)
    ours = train_in_process(task, [2, 4])
    parsed = parse_train(specification(task, [2, 4], inline(task)))
    resolution, store = resolve_train(parsed), ArtifactStore(tmp_path)
    assert parsed.data.source == "inline"
    samples = InlineSamples(parsed.data.inputs, parsed.data.targets, resolution.spec.objective.loss.target_kind)
    data = store.put(data_path(JOB), encode(samples), "application/vnd.safetensors")
    spec = json.loads(resolution.spec.model_dump_json())
    outcome = execute(JobInput(JOB, 1, spec, store, {DATA: data}), lambda _: None, lambda: False)
    results = json.loads(store.get(outcome.artifacts[RESULTS]))

    networks, limit = rows_of(results["models"])
    assert ours.study.converges is results["diagnostics"]["verdict"]["converges"]
    assert ours.study.limit is not None
    assert limit is not None
    for mine, theirs in zip([*ours.study.networks, ours.study.limit], [*networks, limit], strict=True):
        assert (mine.depth, mine.status, mine.iterations) == (theirs.depth, theirs.status, theirs.iterations)
        assert mine.objective == pytest.approx(theirs.objective, rel=1e-10)
        assert mine.train == pytest.approx(theirs.train, rel=1e-9)
        assert mine.validation == pytest.approx(theirs.validation, rel=1e-9)
        assert mine.validation
    for depth in (2, 4):
        stored = load(store.get(outcome.artifacts[parameters_key(f"discrete-{depth}")]))
        network = ours.network(depth)
        for name, array in stored.items():
            np.testing.assert_allclose(getattr(network, name), array, rtol=1e-9, atol=1e-11)
