"""What one attempt at a job does with a resolved specification, without the service around it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load

from deeplimit.mathematics import Problem
from deeplimit.mathematics.study.threads import WORTH_SHARING, suited_threads
from service.artifacts import ArtifactStore
from service.contract.job import Progress
from service.contract.names import DATA, FIXED, LOSSES, RESULTS, parameters_key, source_path
from service.contract.plan import InlineArrays, InlineSamples
from service.contract.train.resolve import resolve_train
from service.contract.train.resolved import KeptArray, ResolvedTrainSpec
from service.contract.train.results import Losses, ResultsFile
from service.jobs.planning.prepared import encode
from tests.support.specs import parse_train
from worker.execution import execute
from worker.execution.problems import prepare_problem
from worker.execution.train import TOLD_FROM
from worker.executor import JobInput, Outcome, Stopped, UserError

JOB = "0123456789abcdef"
TINY = {"discrete": {"depths": [2, 4]}, "training": {"starts": 1, "max_iterations": 200}, "plots": False}


def inline(inputs: list[list[float]], targets: list[Any], **options: Any) -> dict[str, Any]:
    return {"source": "inline", "inputs": inputs, "targets": targets, **options}


def job_of(place: Path, **spec: Any) -> JobInput:
    parsed = parse_train({"kind": "train", **spec})
    resolution = resolve_train(parsed)
    store = ArtifactStore(place)
    arrays: dict[str, InlineSamples | InlineArrays] = {}
    if parsed.data.source == "inline":
        loss = resolution.spec.objective.loss
        arrays[DATA] = InlineSamples(parsed.data.inputs, parsed.data.targets, loss.target_kind)
    if resolution.fixed:
        arrays[FIXED] = InlineArrays(resolution.fixed)
    given = {
        key: store.put(source_path(JOB, key), encode(value), "application/vnd.safetensors")
        for key, value in arrays.items()
    }
    return JobInput(JOB, 1, json.loads(resolution.spec.model_dump_json()), store, given)


def run(job: JobInput, reports: list[Progress] | None = None) -> Outcome:
    return execute(job, (reports if reports is not None else []).append, lambda: False)


def results_of(job: JobInput, outcome: Outcome) -> Mapping[str, Any]:
    body: Mapping[str, Any] = json.loads(job.artifacts.get(outcome.artifacts[RESULTS]))
    ResultsFile.model_validate(body)
    return body


def test_every_artifact_is_what_the_contract_says(tmp_path: Path) -> None:
    job = job_of(tmp_path, data={"source": "builtin", "name": "iris", "validation_fraction": 0.2}, **TINY)
    reports: list[Progress] = []
    outcome = run(job, reports)
    body = results_of(job, outcome)
    assert [model["model"] for model in body["models"]] == ["discrete-2", "discrete-4", "continuum"]
    for model in body["models"]:
        arrays = load(job.artifacts.get(outcome.artifacts[parameters_key(model["model"])]))
        assert {name: list(value.shape) for name, value in arrays.items()} == {
            name: entry["shape"] for name, entry in model["parameters"]["arrays"].items()
        }
        parts = model["regularisation"]
        assert model["objective"] == pytest.approx(model["terminal_loss"] + sum(parts.values()), rel=1e-13)
        assert model["train"]["terminal_loss"] == pytest.approx(model["terminal_loss"], rel=1e-13)
        assert 0.0 <= model["validation"]["accuracy"] <= 1.0
    histories = Losses.model_validate_json(job.artifacts.get(outcome.artifacts[LOSSES]))
    for model, history in zip(body["models"], histories.models, strict=True):
        assert history.objective[-1] == model["objective"]
        assert len(history.objective) == len(history.gradient_norm) == len(history.regularisation.K)
    assert all(report.eta_s is None for report in reports if report.fraction < TOLD_FROM)
    assert any(report.eta_s is not None for report in reports)
    assert reports[-1].part == "the verdict"
    fractions = [report.fraction for report in reports]
    assert fractions == sorted(fractions)
    assert reports[-1].phase == "diagnostics"


def test_objectives_that_overflow_fail_the_job(tmp_path: Path) -> None:
    huge = inline([[1e90], [-1e90]], [[1e90], [-1e90]], standardise=False, standardise_targets=False)
    with pytest.raises(UserError) as caught:
        run(job_of(tmp_path, data=huge, network={"activation": "identity"}, **TINY))
    assert caught.value.code == "nothing_usable"


def test_a_diverged_depth_is_a_result_beside_one_that_is_not(tmp_path: Path) -> None:
    body = inline([[1.0], [-1.0]], [[2.0], [-2.0]])
    job = job_of(tmp_path, data=body, **{**TINY, "training": {"starts": 2, "start_scale": 100.0}})
    assert results_of(job, run(job))["models"]


def test_logistic_targets_of_ones_own_are_split_by_class(tmp_path: Path) -> None:
    inputs = [[float(i)] for i in range(40)]
    targets = [-1] * 36 + [1] * 4
    job = job_of(
        tmp_path,
        data=inline(inputs, targets, validation_fraction=0.5),
        network={"output": "logistic"},
        objective={"loss": "logistic"},
        **TINY,
    )
    prepared = prepare_problem(job, _resolved(job))
    assert int((prepared.problem.y > 0).sum()) == 2
    assert prepared.validation is not None
    assert int((np.asarray(prepared.validation[1], np.float64) > 0).sum()) == 2


def test_classes_of_a_built_in_set_become_signs_for_the_logistic_loss(tmp_path: Path) -> None:
    job = job_of(tmp_path, data={"source": "builtin", "name": "moons"}, objective={"loss": "logistic"}, **TINY)
    prepared = prepare_problem(job, _resolved(job))
    assert sorted(np.unique(prepared.problem.y.numpy())) == [-1.0, 1.0]


def test_words_for_fixed_parameters(tmp_path: Path) -> None:
    job = job_of(
        tmp_path,
        data=inline([[1.0, 2.0], [3.0, -1.0]], [[1.0], [0.5]]),
        network={"fixed": {"W": "identity", "c": "zero", "b": [0.5, -0.5]}},
        **TINY,
    )
    outcome = run(job)
    arrays = load(job.artifacts.get(outcome.artifacts["parameters/discrete-4"]))
    np.testing.assert_array_equal(arrays["W"], [[1.0, 0.0]])
    np.testing.assert_array_equal(arrays["c"], [0.0])
    np.testing.assert_array_equal(arrays["b"], [[0.5, -0.5]] * 4)
    regularisation = results_of(job, outcome)["models"][0]["regularisation"]
    assert [regularisation[name] for name in ("b", "W", "c")] == [0.0, 0.0, 0.0]


def test_large_fixed_arrays_are_read_from_their_object(tmp_path: Path) -> None:
    K = [[(row - column) / 16 for column in range(9)] for row in range(9)]
    job = job_of(
        tmp_path,
        data=inline([[1.0, 2.0], [3.0, -1.0]], [[1.0], [0.5]]),
        network={"state_dim": 9, "fixed": {"K": K}},
        **TINY,
    )
    assert isinstance(_resolved(job).network.fixed.K, KeptArray)
    arrays = load(job.artifacts.get(run(job).artifacts["parameters/discrete-4"]))
    np.testing.assert_array_equal(arrays["K"], [K] * 4)


def test_single_precision_is_single_to_the_file(tmp_path: Path) -> None:
    job = job_of(
        tmp_path, data={"source": "builtin", "name": "iris"}, discrete=TINY["discrete"],
        training={"dtype": "float32", "starts": 1},
    )  # fmt: skip
    outcome = run(job)
    arrays = load(job.artifacts.get(outcome.artifacts["parameters/discrete-4"]))
    assert {value.dtype for value in arrays.values()} == {np.dtype(np.float32)}
    assert {m["status"] for m in results_of(job, outcome)["models"]} == {"converged"}


def test_stopping_is_asked_for_at_every_iteration(tmp_path: Path) -> None:
    asked: list[int] = []

    def should_stop() -> bool:
        asked.append(1)
        return len(asked) > 3

    job = job_of(tmp_path, data={"source": "builtin", "name": "iris"}, **TINY)
    with pytest.raises(Stopped):
        execute(job, lambda _: None, should_stop)
    assert len(asked) == 4


def test_small_layers_are_not_shared_between_threads(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    seen: set[int] = set()
    try:
        job = job_of(tmp_path, data={"source": "builtin", "name": "iris"}, **TINY)
        execute(job, lambda _: seen.add(torch.get_num_threads()), lambda: False)
        assert seen == {1}
        assert torch.get_num_threads() == 2
        rows = np.zeros((WORTH_SHARING // 10_000, 1))
        with suited_threads(Problem(rows, rows, state_dim=100)):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_time_limit_gives_what_there_is(tmp_path: Path) -> None:
    job = job_of(tmp_path, data={"source": "builtin", "name": "breast_cancer"}, limits={"wall_time_s": 1e-3}, **TINY)
    body = results_of(job, run(job))
    assert {model["status"] for model in body["models"]} == {"time_limit"}
    assert body["diagnostics"]["verdict"]["converges"] is None
    assert not any("excess" in statement for statement in body["diagnostics"]["verdict"]["statements"])


def _resolved(job: JobInput) -> ResolvedTrainSpec:
    return ResolvedTrainSpec.model_validate(job.spec)
