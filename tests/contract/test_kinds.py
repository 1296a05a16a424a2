"""The kinds of job in the contract: read by kind, resolved against facts, and read back as they were written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from service.contract.data.dataset import DatasetRecord, SampleFacts, UploadFormat, WeightFacts
from service.contract.diagnose.request import DiagnoseSpec
from service.contract.diagnose.resolve import resolve_diagnose
from service.contract.diagnose.resolved import ResolvedDiagnoseSpec
from service.contract.evaluate.request import EvaluateSpec
from service.contract.evaluate.resolve import TrainedJob, resolve_evaluate
from service.contract.evaluate.resolved import ResolvedEvaluateSpec
from service.contract.job import ArtifactRef
from service.contract.kinds import KINDS, parse
from service.contract.train.request import TrainSpec
from service.contract.train.resolve import resolve_train
from service.contract.train.resolved import ResolvedTrainSpec
from service.contract.values.errors import SpecInvalidError
from service.contract.values.limits import LIMITS
from tests.support.specs import parse_train

MOONS: dict[str, Any] = {"kind": "train", "data": {"source": "builtin", "name": "moons"}}


def record(facts: SampleFacts | WeightFacts) -> DatasetRecord:
    return DatasetRecord(
        id="0" * 64,
        name=None,
        format=UploadFormat.CSV,
        uploaded_bytes=1,
        created_at=datetime.now(UTC),
        facts=facts,
        object=ArtifactRef(path="x", sha256="0" * 64, bytes=1, media_type="x"),
    )


def samples(**more: Any) -> DatasetRecord:
    facts = {"samples": 4, "features": 2, "outputs": 1, "rows": False, "integers": True, "class_counts": [2, 2]}
    return record(SampleFacts.model_validate(facts | more))


def trained(models: tuple[str, ...] = ("discrete-8", "continuum")) -> TrainedJob:
    return TrainedJob(resolve_train(parse_train(MOONS)).spec, models, 2)


def evaluation(dataset: DatasetRecord | None = None, **more: Any) -> ResolvedEvaluateSpec:
    spec = parse({"kind": "evaluate", "job_id": "a-train-job"} | more)
    assert isinstance(spec, EvaluateSpec)
    return resolve_evaluate(spec, trained(), dataset)[0]


def test_a_body_is_read_by_its_kind() -> None:
    assert isinstance(parse(MOONS), TrainSpec)
    assert isinstance(parse({"kind": "evaluate", "job_id": "x"}), EvaluateSpec)
    assert isinstance(parse({"kind": "diagnose", "networks": [{"dataset_id": "x"}]}), DiagnoseSpec)
    bodies: tuple[object, ...] = ([], "train", {"kind": "other"}, {"kind": ["train"]})
    for body in bodies:
        with pytest.raises(SpecInvalidError):
            parse(body)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_schema(kind: str) -> None:
    schema = KINDS[kind].request.model_json_schema()
    assert schema["properties"]["kind"]["const"] == kind
    assert schema["additionalProperties"] is False


def test_a_resolved_evaluation_is_read_back() -> None:
    for more in ({}, {"data": {"source": "builtin", "name": "circles", "seed": 3}}, {"depths": [64], "models": []}):
        spec = evaluation(**more)
        again = ResolvedEvaluateSpec.model_validate(spec.model_dump(mode="json"))
        assert again == spec
    spec = evaluation()
    assert spec.data.source == "job"
    assert spec.models == ["discrete-8", "continuum"]
    assert spec.trained.network.state_dim == 2


def test_an_evaluation_on_an_upload() -> None:
    spec = evaluation(samples(), data={"source": "dataset", "id": "0" * 64})
    found = {"source": "dataset", "id": "0" * 64, "samples": 4, "features": 2, "targets": True, "classes": None}
    assert spec.data.model_dump() == found
    nothing = samples(outputs=None, integers=False, class_counts=None)
    unlabelled = evaluation(nothing, data={"source": "dataset", "id": "0" * 64})
    assert unlabelled.data.model_dump()["targets"] is False
    for dataset, code in (
        (samples(features=3), "wrong_shape"),
        (samples(class_counts=[1, 1, 2]), "targets_do_not_fit"),
        (samples(class_counts=None, integers=False), "targets_do_not_fit"),
        (record(WeightFacts(depth=4, state_dim=2)), "wrong_dataset"),
        (None, "dataset_not_found"),
    ):
        with pytest.raises(SpecInvalidError) as refused:
            evaluation(dataset, data={"source": "dataset", "id": "0" * 64})
        assert [(error.pointer, error.code) for error in refused.value.errors] == [("/data/id", code)]


def test_depths_need_a_continuum() -> None:
    spec = parse({"kind": "evaluate", "job_id": "x", "depths": [64]})
    assert isinstance(spec, EvaluateSpec)
    with pytest.raises(SpecInvalidError) as refused:
        resolve_evaluate(spec, trained(("discrete-8",)))
    assert [error.code for error in refused.value.errors] == ["no_continuum"]


def test_a_resolved_diagnosis_is_read_back() -> None:
    spec = parse({"kind": "diagnose", "networks": [{"dataset_id": "a"}, {"depth": 8, "dataset_id": "b"}]})
    assert isinstance(spec, DiagnoseSpec)
    facts = {"a": record(WeightFacts(depth=4, state_dim=2)), "b": record(WeightFacts(depth=8, state_dim=2))}
    found, cost = resolve_diagnose(spec, facts)
    assert [network.depth for network in found.networks] == [4, 8]
    assert ResolvedDiagnoseSpec.model_validate(found.model_dump(mode="json")) == found
    assert cost.parameters == 8 * 6


def test_a_train_specification_on_an_upload_is_read_back() -> None:
    body = MOONS | {"data": {"source": "dataset", "id": "0" * 64, "validation_fraction": 0.25}}
    spec = resolve_train(parse_train(body), LIMITS, samples()).spec
    assert ResolvedTrainSpec.model_validate(spec.model_dump(mode="json")) == spec
    assert (spec.objective.loss, spec.data.standardise_targets) == ("cross_entropy", False)
    numbers = resolve_train(parse_train(body), LIMITS, samples(integers=False)).spec
    assert (numbers.objective.loss, numbers.data.standardise_targets) == ("squared_error", True)
