"""Whether data fit the models that are to be evaluated on them: labels by name, classes by number, signs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from service.contract.data.dataset import DatasetRecord, SampleFacts, UploadFormat
from service.contract.evaluate.request import EvaluateSpec, InlineEvaluationData
from service.contract.evaluate.resolve import TrainedJob, inline_targets, resolve_evaluate
from service.contract.evaluate.resolved import ResolvedDatasetEvaluation, ResolvedEvaluateSpec
from service.contract.job import ArtifactRef
from service.contract.kinds import parse
from service.contract.train.resolve import resolve_train
from service.contract.values.errors import FieldError, SpecInvalidError
from service.contract.values.limits import LIMITS
from tests.support.specs import parse_train

ID = "0" * 64
DATASET = {"source": "dataset", "id": ID}


def upload(counts: list[int] | None, **more: Any) -> DatasetRecord:
    """An upload with one number a sample for targets."""
    facts = {
        "samples": 6,
        "features": 2,
        "outputs": 1,
        "rows": False,
        "integers": True,
        "class_counts": counts,
    }
    return DatasetRecord(
        id=ID,
        name=None,
        format=UploadFormat.CSV,
        uploaded_bytes=1,
        created_at=datetime.now(UTC),
        facts=SampleFacts.model_validate(facts | more),
        object=ArtifactRef(path="x", sha256=ID, bytes=1, media_type="x"),
    )


def trained_on(dataset: DatasetRecord, loss: str = "cross_entropy") -> TrainedJob:
    spec = resolve_train(
        parse_train({"kind": "train", "data": DATASET, "objective": {"loss": loss}}), LIMITS, dataset
    ).spec
    assert isinstance(dataset.facts, SampleFacts)
    outputs = len(dataset.facts.class_counts or ()) if loss == "cross_entropy" else 1
    return TrainedJob(spec, ("discrete-8", "continuum"), outputs)


def evaluated(trained: TrainedJob, data: DatasetRecord | list[float] | list[str]) -> ResolvedEvaluateSpec:
    inline = {"source": "inline", "inputs": [[0.0, 0.0]] * len(data), "targets": data} if isinstance(data, list) else {}
    spec = parse({"kind": "evaluate", "job_id": "a-train-job", "data": inline or DATASET})
    assert isinstance(spec, EvaluateSpec)
    return resolve_evaluate(spec, trained, None if isinstance(data, list) else data)[0]


def refusal(trained: TrainedJob, data: DatasetRecord | list[float] | list[str]) -> FieldError:
    with pytest.raises(SpecInvalidError) as refused:
        evaluated(trained, data)
    (error,) = refused.value.errors
    assert error.code == "targets_do_not_fit"
    return error


ABC = upload([2, 2, 2], class_names=["ant", "bee", "cat"])


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["ant", "bee", "cat"], None),
        (["bee", "cat"], [1, 2]),
        (["cat"], [2]),
        (["cat", "ant"], [2, 0]),
        (["cat", "bee", "ant"], [2, 1, 0]),
    ],
)
def test_labels_are_found_by_their_names(names: list[str], classes: list[int] | None) -> None:
    spec = evaluated(trained_on(ABC), upload([1] * len(names), class_names=names))
    assert isinstance(spec.data, ResolvedDatasetEvaluation)
    assert spec.data.classes == classes
    assert ResolvedEvaluateSpec.model_validate(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize(
    ("names", "detail"),
    [
        (["ant", "dog"], "1 of its 2 labels"),
        (["dog"], "1 of its 1 labels"),
        (["ant", "bee", "cat", "dog", "eel"], "2 of its 5 labels"),
        (None, "its targets are numbers"),
    ],
)
def test_labels_unknown_to_the_training_are_counted_and_not_repeated(names: list[str] | None, detail: str) -> None:
    error = refusal(trained_on(ABC), upload([1] * len(names or "ab"), class_names=names))
    assert error.pointer == "/data/id"
    assert error.detail.startswith(detail)
    assert not any(name in error.detail for name in ("ant", "bee", "cat", "dog", "eel"))


def test_names_are_unknown_to_a_training_on_numbers() -> None:
    error = refusal(trained_on(upload([3, 3])), upload([3, 3], class_names=["0", "1"]))
    assert error.detail.startswith("2 of its 2 labels")


@pytest.mark.parametrize("counts", [[6], [0, 6], [0, 0, 6], [2, 2, 2], [3, 0, 3]])
def test_classes_by_number_need_not_all_occur(counts: list[int]) -> None:
    spec = evaluated(trained_on(upload([2, 2, 2])), upload(counts))
    assert isinstance(spec.data, ResolvedDatasetEvaluation)
    assert spec.data.classes is None
    integers = [float(k) for k, count in enumerate(counts) for _ in range(count)]
    assert evaluated(trained_on(upload([2, 2, 2])), integers).data.source == "inline"


def test_a_class_by_number_that_was_not_trained_is_refused() -> None:
    trained = trained_on(upload([2, 2, 2]))
    assert refusal(trained, upload([2, 2, 0, 2])).pointer == "/data/id"
    assert refusal(trained, upload(None, integers=False)).pointer == "/data/id"
    assert refusal(trained, [0.0, 3.0]).pointer == "/data/targets"


SIGNS = upload(None, sign_counts=(3, 3))
BITS = upload([3, 3])
NAMED = upload([3, 3], class_names=["no", "yes"])


@pytest.mark.parametrize("training", [SIGNS, BITS, NAMED])
@pytest.mark.parametrize("targets", [[-1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [-1.0]])
def test_the_two_classes_of_logistic_are_written_either_way(
    training: DatasetRecord, targets: list[float] | list[str]
) -> None:
    assert evaluated(trained_on(training, "logistic"), targets).data.source == "inline"


@pytest.mark.parametrize("targets", [[-1.0, 0.0, 1.0], [-1.0, 0.0], [0.0, 1.0, 2.0], [0.5, 1.0]])
def test_what_could_be_read_in_two_ways_is_refused(targets: list[float] | list[str]) -> None:
    error = refusal(trained_on(BITS, "logistic"), targets)
    assert (error.pointer, error.detail) == ("/data/targets", "must be -1 and 1, or 0 and 1, one number per sample")


@pytest.mark.parametrize("training", [SIGNS, BITS])
@pytest.mark.parametrize("data", [SIGNS, BITS, upload([6]), upload([0, 6], sign_counts=(0, 6))])
def test_uploads_for_logistic_are_written_either_way(training: DatasetRecord, data: DatasetRecord) -> None:
    spec = evaluated(trained_on(training, "logistic"), data)
    assert isinstance(spec.data, ResolvedDatasetEvaluation)
    assert spec.data.classes is None


def test_labels_for_logistic_are_found_by_their_names() -> None:
    trained = trained_on(NAMED, "logistic")
    spec = evaluated(trained, upload([6], class_names=["yes"]))
    assert isinstance(spec.data, ResolvedDatasetEvaluation)
    assert spec.data.classes == [1]
    assert refusal(trained, upload([2, 2, 2], class_names=["maybe", "no", "yes"])).detail.startswith("1 of its 3")
    assert refusal(trained, SIGNS).detail.startswith("its targets are numbers")
    assert refusal(trained_on(BITS, "logistic"), upload([2, 2, 2])).pointer == "/data/id"


def test_numbers_are_the_labels_that_they_are_written_as() -> None:
    """A part of a file may hold only those of its labels that are numbers, so that they came as integers."""
    trained = trained_on(upload([2, 2, 2], class_names=["1", "3A", "4"]))
    spec = evaluated(trained, upload([0, 3, 0, 0, 3]))
    assert isinstance(spec.data, ResolvedDatasetEvaluation)
    assert spec.data.classes is not None
    assert [spec.data.classes[number] for number in (1, 4)] == [0, 2]
    assert refusal(trained, upload([0, 3, 3])).pointer == "/data/id"  # 2 is no label of the training
    assert refusal(trained, upload([0, 6], integers=False)).pointer == "/data/id"


@pytest.mark.parametrize(
    ("names", "part", "expected"),
    [
        (["01", "1", "x"], {"class_counts": [0, 6], "number_labels": ["01"]}, {1: 0}),
        (["01", "1", "x"], {"class_counts": [0, 6]}, {1: 1}),
        (["01", "02", "x"], {"class_counts": [0, 3, 3], "number_labels": ["01", "02"]}, {1: 0, 2: 1}),
        (["1.0", "2.0", "beta"], {"class_counts": [0, 3, 3], "integers": False}, {1: 0, 2: 1}),
        (
            ["1", "2.0", "x"],
            {"class_counts": [0, 3, 3], "integers": False, "number_labels": ["1", "2.0"]},
            {1: 0, 2: 1},
        ),
        (["01", "1", "x"], {"class_counts": [0, 6], "number_labels": ["01", "1"]}, None),  # two texts, one number
        (["01", "02", "x"], {"class_counts": [0, 3, 3]}, None),
        (["1", "2", "x"], {"class_counts": [0, 3, 3], "integers": False}, None),
        (["10001", "90210", "A1"], {"class_counts": None}, None),
    ],
)
def test_a_number_is_the_label_of_its_own_text(
    names: list[str], part: dict[str, Any], expected: dict[int, int] | None
) -> None:
    trained, data = trained_on(upload([2, 2, 2], class_names=names)), upload(part.pop("class_counts"), **part)
    if expected is None:
        assert "labels that are whole numbers" in refusal(trained, data).detail
        return
    spec = evaluated(trained, data)
    assert isinstance(spec.data, ResolvedDatasetEvaluation)
    assert spec.data.classes is not None
    assert {number: spec.data.classes[number] for number in expected} == expected


def test_targets_of_a_body_may_stand_in_one_column() -> None:
    column: Any = [[0.0], [2.0]]
    assert (
        evaluated(trained_on(upload([2, 2, 2])), column).data
        == evaluated(trained_on(upload([2, 2, 2])), [0.0, 2.0]).data
    )


def test_columns_are_compared_by_their_whole_names() -> None:
    names = ["k__Bacteria;" + "p__Firmicutes;" * 20 + end for end in "AB"]
    trained = trained_on(upload([3, 3], columns=names))
    assert evaluated(trained, upload([3, 3], columns=list(names))).data.source == "dataset"
    with pytest.raises(SpecInvalidError) as refused:
        evaluated(trained, upload([3, 3], columns=names[::-1]))
    (error,) = refused.value.errors
    assert error.code == "columns_differ"
    assert "column 1 is 'k__Bacteria;" in error.detail
    assert error.detail.endswith("p__Firmicutes;A'")
    with pytest.raises(SpecInvalidError, match="column 2 is 'c', not 'b'"):
        evaluated(trained_on(upload([3, 3], columns=["a", "b"])), upload([3, 3], columns=["a", "c"]))


def test_nothing_is_asked_of_labels_that_are_not_there() -> None:
    spec = evaluated(trained_on(ABC), upload(None, outputs=None, integers=False))
    assert spec.data.model_dump() == {
        "source": "dataset",
        "id": ID,
        "samples": 6,
        "features": 2,
        "targets": False,
        "classes": None,
    }


def test_labels_are_no_numbers_to_regress_on() -> None:
    with pytest.raises(SpecInvalidError) as refused:
        trained_on(upload([3, 3], class_names=["down", "up"]), "squared_error")
    (error,) = refused.value.errors
    assert (error.pointer, error.code) == ("/objective/loss", "targets_do_not_fit")
    assert "labels" in error.detail
    assert trained_on(upload([3, 3]), "squared_error").outputs == 1


SOLVERS: dict[str, Any] = {"solvers": {"steps": [8]}}
NOISE: dict[str, Any] = {"noise": {"levels": [0.1]}}


@pytest.mark.parametrize(
    ("parts", "pointers"),
    [
        (SOLVERS, ["/solvers"]),
        (NOISE, ["/noise"]),
        (SOLVERS | NOISE, ["/solvers", "/noise"]),
        (SOLVERS | NOISE | {"outputs": ["robustness"]}, ["/solvers"]),
        (SOLVERS | NOISE | {"outputs": ["metrics", "solvers"]}, ["/noise"]),
        ({"solvers": {}}, ["/solvers"]),
        (SOLVERS | {"outputs": ["solvers"]}, []),
        (NOISE | {"outputs": ["robustness"]}, []),
        ({"outputs": ["solvers", "robustness"]}, []),
        ({}, []),
    ],
)
def test_options_of_an_output_that_was_not_asked_for_are_refused(parts: dict[str, Any], pointers: list[str]) -> None:
    spec = parse({"kind": "evaluate", "job_id": "a-train-job"} | parts)
    assert isinstance(spec, EvaluateSpec)
    found: tuple[FieldError, ...] = ()
    try:
        resolve_evaluate(spec, trained_on(ABC))
    except SpecInvalidError as refused:
        found = refused.errors
    assert [(error.pointer, error.code) for error in found] == [(pointer, "not_applicable") for pointer in pointers]
    for error in found:
        output = {"/solvers": "solvers", "/noise": "robustness"}[error.pointer]
        assert f"the output {output}" in error.detail
        assert "add it to outputs" in error.detail


@pytest.mark.parametrize("kind", ["train", "evaluate"])
@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        ({"sorce": "builtin", "name": "moons"}, [("source", "required"), ("sorce", "unknown_field")]),
        ({"source": "builtn", "nmae": "moons"}, [("source", "invalid_choice"), ("nmae", "unknown_field")]),
        ({"name": "moons"}, [("source", "required")]),
        ({"source": "builtin", "nmae": "moons"}, [("name", "required"), ("nmae", "unknown_field")]),
    ],
)
def test_a_misspelt_key_of_the_data_is_told_with_what_is_missing(
    kind: str, data: dict[str, str], wrong: list[tuple[str, str]]
) -> None:
    more = {"job_id": "a-train-job"} if kind == "evaluate" else {}
    with pytest.raises(SpecInvalidError) as refused:
        parse({"kind": kind, "data": data, **more})
    assert [(error.pointer, error.code) for error in refused.value.errors] == [
        (f"/data/{n}", code) for n, code in wrong
    ]


# encoded columns ------------------------------------------------------------------------------------------------------


def encoded(levels: dict[str, list[str]], columns: list[str], **more: Any) -> DatasetRecord:
    """An upload of these columns, in which those that have levels are encoded."""
    flat = [one for name in columns for one in ([f"{name}={v}" for v in levels[name]] if name in levels else [name])]
    origins = [{"column": name, "levels": found} for name, found in levels.items()]
    return upload([3, 3], features=len(flat), columns=flat, encoded=origins or None, **more)


def column_errors(trained: TrainedJob, data: DatasetRecord) -> list[tuple[str, str]]:
    with pytest.raises(SpecInvalidError) as refused:
        evaluated(trained, data)
    assert {error.pointer for error in refused.value.errors} == {"/data/id"}
    return [(error.code, error.detail) for error in refused.value.errors if error.code != "wrong_shape"]


ISLANDS = encoded({"island": ["Biscoe", "Dream", "Torgersen"], "sex": ["f", "m"]}, ["island", "mass", "sex"])


@pytest.mark.parametrize(
    ("levels", "columns"),
    [
        ({"island": ["Biscoe", "Dream", "Torgersen"], "sex": ["f", "m"]}, None),
        ({"island": ["Dream"], "sex": ["f", "m"]}, [None, 0, None, 1, 2, 3]),
        ({"island": ["Biscoe", "Torgersen"], "sex": ["m"]}, [0, None, 1, 2, None, 3]),
    ],
)
def test_texts_that_do_not_occur_are_zeros(levels: dict[str, list[str]], columns: list[int | None] | None) -> None:
    spec = evaluated(trained_on(ISLANDS), encoded(levels, ["island", "mass", "sex"]))
    assert isinstance(spec.data, ResolvedDatasetEvaluation)
    assert (spec.data.columns, spec.data.features) == (columns, 6)
    assert ResolvedEvaluateSpec.model_validate(spec.model_dump(mode="json")) == spec
    assert ("columns" in spec.data.model_dump()) is (columns is not None)


def test_texts_that_are_new_are_named() -> None:
    levels = {"island": ["Anvers", "Biscoe"], "sex": ["f", "m", "x"]}
    found = column_errors(trained_on(ISLANDS), encoded(levels, ["island", "mass", "sex"]))
    assert [code for code, _ in found] == ["unknown_level", "unknown_level"]
    assert ["column 'island'" in found[0][1], "'Anvers'" in found[0][1], "'Biscoe'" in found[0][1]] == [
        *(True, True, False),
    ]
    assert "column 'sex' has texts that the models were not trained on: 'x'" in found[1][1]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (encoded({"sex": ["f", "m"]}, ["mass", "sex"]), "column 1 is 'mass', not 'island'"),
        (
            encoded({"sex": ["f", "m"]}, ["island", "mass", "sex"]),
            "'island' holds numbers, and that of the training is",
        ),
        (encoded({"island": ["Dream"], "sex": ["f"]}, ["mass", "island", "sex"]), "column 1 is 'mass', not 'island'"),
        (encoded({"island": ["Dream"], "sex": ["f"]}, ["island", "mass", "sex", "age"]), "in their order"),
        (encoded({"island": ["Dream"]}, ["island", "mass"]), "in their order"),
    ],
)
def test_other_columns_are_refused(data: DatasetRecord, words: str) -> None:
    ((code, detail),) = column_errors(trained_on(ISLANDS), data)
    assert (code, words in detail) == ("columns_differ", True), detail


def test_what_was_numbers_may_not_come_encoded() -> None:
    trained = trained_on(encoded({}, ["island", "mass"]))
    ((code, detail),) = column_errors(trained, encoded({"island": ["Dream"]}, ["island", "mass"]))
    assert (code, "'island' is encoded, and that of the training holds numbers" in detail) == ("columns_differ", True)


# labels in a body -----------------------------------------------------------------------------------------------------


def aligned(trained: TrainedJob, labels: list[str]) -> list[float]:
    """Targets of a body as the worker is given them."""
    data = {"source": "inline", "inputs": [[0.0, 0.0]] * len(labels), "targets": labels}
    spec = parse({"kind": "evaluate", "job_id": "a-train-job", "data": data})
    assert isinstance(spec, EvaluateSpec)
    assert isinstance(spec.data, InlineEvaluationData)
    assert spec.data.targets is not None
    return inline_targets(spec.data.targets, trained).values.tolist()


def test_labels_of_a_body_are_found_by_their_names() -> None:
    assert aligned(trained_on(ABC), ["cat", "ant", "cat"]) == [2, 0, 2]
    assert evaluated(trained_on(ABC), ["cat", "ant"]).data.source == "inline"


def test_two_labels_of_a_body_are_signs_to_logistic() -> None:
    assert aligned(trained_on(NAMED, "logistic"), ["yes", "yes", "no"]) == [1, 1, -1]


def test_labels_of_a_body_that_are_unknown_are_pointed_at() -> None:
    error = refusal(trained_on(ABC), ["ant", "dog"])
    assert (error.pointer, error.detail.endswith("'ant', 'bee', 'cat'")) == ("/data/targets/1", True)
    assert refusal(trained_on(upload([3, 3])), ["0", "1"]).pointer == "/data/targets"
    assert "numbers, not on labels" in refusal(trained_on(BITS, "squared_error"), ["a", "b"]).detail
