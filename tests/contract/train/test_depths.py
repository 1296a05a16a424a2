"""A wanted gap or prediction error in the place of depths."""

from __future__ import annotations

from typing import Any

import pytest

from service.contract.train.depths import LADDER, WantedGap, WantedPredictionError
from service.contract.train.request import TrainSpec
from service.contract.train.resolve import Resolution, resolve_train
from service.contract.train.resolved import ResolvedTrainSpec
from service.contract.train.sequence import Classification, DepthAdvice
from service.contract.values.errors import SpecInvalidError
from tests.support.specs import parse_train

MOONS: dict[str, Any] = {"kind": "train", "data": {"source": "builtin", "name": "moons"}}


def run(depths: object, **more: object) -> Resolution:
    return resolve_train(parse_train({**MOONS, "discrete": {"depths": depths}, **more}))


def errors(depths: object, **more: object) -> list[tuple[str, str]]:
    with pytest.raises(SpecInvalidError) as caught:
        run(depths, **more)
    return [(error.pointer, error.code) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("depths", "wanted"),
    [
        ({"gap": 1e-4}, WantedGap(gap=1e-4)),
        ({"prediction_error": 0.01}, WantedPredictionError(prediction_error=0.01)),
    ],
)
def test_what_is_wanted_is_kept_and_read_back(
    depths: dict[str, float], wanted: WantedGap | WantedPredictionError
) -> None:
    resolved = run(depths).spec
    body = resolved.model_dump(mode="json")
    assert body["discrete"] == {"depths": depths}
    again = ResolvedTrainSpec.model_validate(body)
    assert again == resolved
    assert again.wanted == wanted
    assert again.depths == LADDER == (8, 16, 32)


def test_a_list_of_depths_wants_nothing_else() -> None:
    resolved = run([8, 16]).spec
    assert resolved.wanted is None
    assert resolved.depths == (8, 16)
    assert resolved.model_dump(mode="json")["discrete"] == {"depths": [8, 16]}
    assert resolve_train(parse_train({**MOONS, "discrete": None})).spec.wanted is None


@pytest.mark.parametrize(
    ("depths", "pointer", "code"),
    [
        ({}, "/discrete/depths/gap", "required"),
        ({"gap": 0}, "/discrete/depths/gap", "too_small"),
        ({"gap": -1e-4}, "/discrete/depths/gap", "too_small"),
        ({"gap": "1e-4"}, "/discrete/depths/gap", "not_a_number"),
        ({"gap": True}, "/discrete/depths/gap", "not_a_number"),
        ({"gap": float("inf")}, "/discrete/depths/gap", "not_finite"),
        ({"gap": 1e-320}, "/discrete/depths/gap", "too_small"),
        ({"gap": 1e-4, "depth": 8}, "/discrete/depths/depth", "unknown_field"),
        ({"prediction_error": 0}, "/discrete/depths/prediction_error", "too_small"),
        ({"prediction_error": 1e-320}, "/discrete/depths/prediction_error", "too_small"),
        ({"prediction_error": float("nan")}, "/discrete/depths/prediction_error", "not_finite"),
        ({"prediction_error": None}, "/discrete/depths/prediction_error", "not_a_number"),
        ({"prediction_error": 1e-4, "depth": 8}, "/discrete/depths/depth", "unknown_field"),
        ({"gap": 1e-4, "prediction_error": 1e-3}, "/discrete/depths/prediction_error", "not_applicable"),
        ({"gap": 1e-4, "prediction_error": None}, "/discrete/depths/prediction_error", "not_applicable"),
        ("gap", "/discrete/depths", "not_an_array"),
        (None, "/discrete/depths", "not_an_array"),
        ([8, {"gap": 1e-4}], "/discrete/depths/1", "not_an_integer"),
        ([8, 8], "/discrete/depths/1", "not_increasing"),
        ([], "/discrete/depths", "empty"),
    ],
)
def test_a_bad_one_is_pointed_at(depths: object, pointer: str, code: str) -> None:
    assert errors(depths) == [(pointer, code)]


def test_a_misspelt_key_is_told_with_the_one_that_is_missing() -> None:
    missing, unknown = ("/discrete/depths/gap", "required"), "unknown_field"
    assert errors({"gpa": 1e-4}) == [missing, ("/discrete/depths/gpa", unknown)]
    assert errors({"predictions": 1e-4, "a/b": 1}) == [
        missing,
        ("/discrete/depths/predictions", unknown),
        ("/discrete/depths/a~1b", unknown),
    ]
    both = errors({"gap": 1e-4, "prediction_error": 1e-3, "depth": 8})
    assert both == [("/discrete/depths/prediction_error", "not_applicable"), ("/discrete/depths/depth", unknown)]


def details(depths: object) -> list[str]:
    with pytest.raises(SpecInvalidError) as caught:
        run(depths)
    return [error.detail for error in caught.value.errors]


def test_both_and_neither_are_told_of_the_other() -> None:
    assert details({}) == ["is required, or prediction_error in its place"]
    assert details({"gap": 1e-4, "prediction_error": 1e-3}) == ["gap is there already: one of the two can be wanted"]


@pytest.mark.parametrize("name", ["gap", "prediction_error"])
def test_what_is_wanted_takes_a_limit_to_be_near_to(name: str) -> None:
    for scaling in ("unscaled", "l2", "none"):
        found = errors({name: 1e-4}, objective={"scaling": scaling})
        assert found == [(f"/discrete/depths/{name}", "not_applicable")]


def test_a_prediction_error_takes_a_continuum_and_a_gap_does_not() -> None:
    assert errors({"prediction_error": 1e-4}, continuum=None) == [
        ("/discrete/depths/prediction_error", "not_applicable")
    ]
    assert run({"gap": 1e-4}, continuum=None).spec.wanted == WantedGap(gap=1e-4)


def test_the_schema_offers_a_list_and_either_error() -> None:
    schema = TrainSpec.model_json_schema()
    forms = schema["$defs"]["Discrete"]["properties"]["depths"]["oneOf"]
    assert [form.get("type", form.get("$ref")) for form in forms] == [
        "array",
        "#/$defs/WantedGap",
        "#/$defs/WantedPredictionError",
    ]


def test_answers_are_named_as_the_contract_names_them() -> None:
    evidence = {"name": "beta", "value": 0.5, "interval": [0.4, 0.6], "supports": "rough", "detail": "…"}
    body = {"class": "rough", "evidence": [evidence]}
    assert Classification.model_validate(body).model_dump(mode="json") == body
    row = {"gap": 1e-4, "depth": 706, "basis": "continuum"}
    assert DepthAdvice.model_validate(row).model_dump(mode="json", exclude_unset=True) == row
    wanted = row | {"gap": None, "wanted_prediction_error": 1e-3}
    assert DepthAdvice.model_validate(wanted).model_dump(mode="json", exclude_unset=True) == wanted


def test_results_from_before_prediction_errors_are_read() -> None:
    check = {"depth": 706, "gap": 9e-5, "met": True, "detail": None}
    row = {"gap": 1e-4, "depth": 706, "basis": "continuum", "relative": None, "prediction_error": 0.1, "check": check}
    found = DepthAdvice.model_validate(row)
    assert found.check is not None
    assert found.check.prediction_error is None
