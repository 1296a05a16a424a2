"""Names of columns and classes, and what is held out, from the specification to the results."""

import json
from pathlib import Path
from typing import Any

import pytest
from sklearn import datasets

from service.contract.data.builtin_names import CLASSES, COLUMNS
from service.contract.data.sources import BUILTINS, BuiltinName, TargetKind
from service.contract.train.data_names import DataNames
from service.contract.train.resolve import resolve_train
from service.contract.train.resolved import ResolvedTrainSpec
from service.contract.train.results import ResultsFile
from tests.support.specs import parse_train
from tests.worker.execution.test_execute import TINY, job_of, results_of, run


@pytest.mark.parametrize("name", list(BuiltinName))
def test_names_are_those_of_scikit_learn(name: BuiltinName) -> None:
    if BUILTINS[name].samples is None:
        assert name not in COLUMNS
        assert name not in CLASSES
        return
    bunch: Any = getattr(datasets, f"load_{name}")()
    assert list(COLUMNS[name]) == list(bunch.feature_names)
    assert len(COLUMNS[name]) == BUILTINS[name].features
    if BUILTINS[name].targets is TargetKind.CLASSES:
        assert list(CLASSES[name]) == [str(entry) for entry in bunch.target_names]
    else:
        assert name not in CLASSES


def test_results_name_what_the_study_is_about(tmp_path: Path) -> None:
    job = job_of(tmp_path, data={"source": "builtin", "name": "iris", "validation_fraction": 0.2}, **TINY)
    body = results_of(job, run(job))
    assert body["data"] == {
        "samples": {"train": 120, "validation": 30},
        "features": 4,
        "inputs": ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"],
        "targets": None,
        "classes": ["setosa", "versicolor", "virginica"],
    }
    verdict, models = body["diagnostics"]["verdict"], {model["model"]: model for model in body["models"]}
    assert (verdict["answer"]["metric"], verdict["answer"]["data"]) == ("accuracy", "validation")
    assert verdict["answer"]["in_the_limit"] == models["continuum"]["validation"]["accuracy"]
    assert [finding["text"] for finding in verdict["findings"] if finding["level"] == "detail"] == verdict["statements"]
    (said,) = [finding for finding in verdict["findings"] if finding["code"] == "performance"]
    assert "on validation data" in said["text"]


def test_samples_without_names_and_without_a_held_out_part(tmp_path: Path) -> None:
    data = {"source": "inline", "inputs": [[1.0], [-1.0], [0.5]], "targets": [[2.0], [-2.0], [1.2]]}
    job = job_of(tmp_path, data=data, **TINY)
    body = results_of(job, run(job))
    assert body["data"] == {
        "samples": {"train": 3, "validation": 0},
        "features": 1,
        **dict.fromkeys(("inputs", "targets", "classes")),
    }
    assert body["diagnostics"]["verdict"]["answer"]["data"] == "train"


def spec_of(**data: Any) -> ResolvedTrainSpec:
    body = resolve_train(parse_train({"kind": "train", "data": {"source": "builtin", "name": "iris"}})).spec
    whole = body.model_dump()
    dataset = {"source": "dataset", "id": "0" * 64, "samples": 4, "features": 2, "standardise_targets": False}
    return ResolvedTrainSpec.model_validate(whole | {"data": dataset | data})


def test_an_upload_has_the_names_of_its_table() -> None:
    given = {"columns": ["left", "right"], "class_names": ["down", "up"], "target_columns": ["side"]}
    names = DataNames.of(spec_of(**given))
    assert (names.inputs, names.targets, names.classes) == (["left", "right"], ["side"], ["down", "up"])
    names = DataNames.of(spec_of())
    assert (names.inputs, names.targets, names.classes) == (None, None, None)
    assert "target_columns" not in spec_of().data.model_dump(), "or every earlier specification would change"


def test_numbers_have_no_classes() -> None:
    iris = {"kind": "train", "data": {"source": "builtin", "name": "iris"}, "objective": {"loss": "squared_error"}}
    assert DataNames.of(resolve_train(parse_train(iris)).spec).classes is None


def test_results_of_earlier_versions_are_read(tmp_path: Path) -> None:
    job = job_of(tmp_path, data={"source": "builtin", "name": "moons", "samples": 20}, **TINY)
    body = json.loads(json.dumps(results_of(job, run(job))))
    del body["data"]
    body["diagnostics"]["verdict"] = {"converges": True, "statements": ["They do."]}
    read = ResultsFile.model_validate(body)
    assert read.data is None
    assert read.diagnostics.verdict.answer is None
    assert read.diagnostics.verdict.findings == []
